/** Waiting for conditions instead of for times. */

/** Poll until the condition holds; fails with the explanation when it does not within the time. */
export async function waitFor(
  condition: () => boolean | Promise<boolean>,
  explain: () => string = () => 'the condition',
  timeoutMs = 30_000,
): Promise<void> {
  const end = performance.now() + timeoutMs;
  while (!(await condition())) {
    if (performance.now() > end) throw new Error(`waited ${timeoutMs} ms in vain: ${explain()}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
