/**
 * Opens isolates of a version that is about to take over, for the orgs that call the one before.
 * May import: kernel.
 *
 * Without it all their first calls would come at once, and wait for a runner and an isolate each: at 500 calls a
 * second more than may wait.
 */
import { submitWarmUp } from './calls/lanes.ts';
import type { Engine } from './engine.ts';
import type { GuestBundle } from './sandbox.ts';

/** An org that called within this time is expected to call again, ms. */
const LATELY_MS = 10_000;
/** How long a swap is put off for it, ms. */
const WAIT_MS = 3_000;
/** Orgs of one runner, and orgs that need a runner each; the others wait at their first call. */
const MOST_ORGS = 64;
const MOST_RUNNERS = 4;

/** Never rejects: what can't be opened now is opened by the first call. */
export async function warm(engine: Engine, from: GuestBundle, to: GuestBundle): Promise<void> {
  if (to.isolation === 'request' || engine.closing) return;
  const now = engine.now();
  const fleet = [...engine.fleets.values()].find(({ bundle }) => bundle === from);
  const lanes = [...(fleet?.lanes.values() ?? [])]
    .filter(({ slots, lastUsed }) => slots.size > 0 && now - lastUsed < LATELY_MS)
    .sort((a, b) => b.lastUsed - a.lastUsed)
    .slice(0, to.isolation === 'plugin' ? MOST_ORGS : MOST_RUNNERS);
  await Promise.all(lanes.map(({ org }) => submitWarmUp(engine, to, org, now + WAIT_MS)));
}
