/** Runners yield: those of orgs over their CPU time and those whose isolates compute for long. */
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { getPriority } from 'node:os';

import { expect, test } from 'vitest';

import { variantOf } from '../../../host/pipeline/variants.ts';
import { defaultLimits } from '../../../host/quotas/limits.ts';
import { CAN_RAISE, NICENESS, THREAD_NICENESS } from '../../../host/sandbox/process/priority.ts';
import type { Outcome } from '../../../host/sandbox/sandbox.ts';
import { bundleOf, openKit, until } from './kit.ts';

const pidOf = (outcome: Outcome) => outcome.usage?.pid ?? 0;
const own = getPriority();
const below = (steps: number) => Math.min(19, own + steps);

/**
 * Niceness of a session, by which Linux shares the processor out first. Null where it does not: the file is then absent,
 * or empty where the kernel knows sessions and was started without them.
 */
function sessionOf(pid: number | 'self'): number | null {
  const path = `/proc/${pid}/autogroup`;
  const found = existsSync(path) && /nice (-?\d+)/.exec(readFileSync(path, 'utf8'));
  return found ? Number(found[1]) : null;
}
const ownSession = sessionOf('self');

test('a slow call runs in a niced runner of its org, others do not', async () => {
  await using kit = openKit();
  const bundle = bundleOf('return 1');
  const slow = variantOf(bundle, bundle.limits, true);
  const [normal, one, again, two] = await Promise.all([
    kit.call(bundle, { org: 'a' }),
    kit.call(slow, { org: 'a' }),
    kit.call(slow, { org: 'a' }),
    kit.call(slow, { org: 'b' }),
  ]);
  expect(getPriority(pidOf(normal))).toBe(below(NICENESS.usual));
  expect(getPriority(pidOf(one))).toBe(below(NICENESS.last));
  if (ownSession !== null) {
    const sessions = [normal, one].map((outcome) => sessionOf(pidOf(outcome)));
    expect(sessions).toEqual([ownSession + NICENESS.usual, ownSession + NICENESS.last]);
  }
  expect(pidOf(again)).toBe(pidOf(one));
  expect(new Set([normal, one, two].map(pidOf)).size).toBe(3);
});

test.runIf(process.platform === 'linux')(
  'the thread of a guest that computes for long is lowered, its main thread is not as far',
  async () => {
    await using kit = openKit();
    const loops = bundleOf('for (;;);', { limits: { ...defaultLimits(), cpuMs: 2_000 } });
    const ended = kit.call(loops, { org: 'a' });
    const pid = () => kit.sandbox.status().runners.find(({ inFlight }) => inFlight > 0)?.pid ?? 0;
    await until('the call is in a runner', () => pid() > 0);
    const runner = pid();
    const niceness = () =>
      readdirSync(`/proc/${runner}/task`).map((tid) => getPriority(Number(tid)));
    await until('a thread is lowered', () => niceness().includes(below(THREAD_NICENESS)));
    expect(getPriority(runner)).toBeLessThan(below(THREAD_NICENESS));
    expect(await ended).toMatchObject({ kind: 'failed' });
    if (!CAN_RAISE) return;
    await until('all are raised', () => niceness().every((nice) => nice === below(NICENESS.usual)));
    if (ownSession !== null) expect(sessionOf(runner)).toBe(ownSession + NICENESS.usual);
  },
);

test('a variant is the same object each time, and the bundle itself where nothing differs', () => {
  const bundle = bundleOf('return 1');
  const limits = { ...defaultLimits(), cpuMs: 7 };
  expect(variantOf(bundle, bundle.limits, false)).toBe(bundle);
  expect(variantOf(bundle, limits, false)).toBe(variantOf(bundle, limits, false));
  expect(variantOf(bundle, limits, false).limits.cpuMs).toBe(7);
  expect(variantOf(bundle, limits, true)).not.toBe(variantOf(bundle, limits, false));
});
