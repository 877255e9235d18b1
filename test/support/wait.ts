/** Waiting for conditions instead of for times. */

/** A machine with much else to do needs more patience: `VCX_TEST_PATIENCE=5`. */
const PATIENCE = Number(process.env['VCX_TEST_PATIENCE'] ?? 1);

/** Poll until the condition holds; fails with the explanation when it does not within the time. */
export async function waitFor(
  condition: () => boolean | Promise<boolean>,
  explain: () => string = () => 'the condition',
  timeoutMs = 30_000,
): Promise<void> {
  const end = performance.now() + timeoutMs * PATIENCE;
  while (!(await condition())) {
    if (performance.now() > end) throw new Error(`waited ${timeoutMs} ms in vain: ${explain()}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
