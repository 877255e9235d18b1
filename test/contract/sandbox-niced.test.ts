/** An org over its CPU time is served by a runner of its own, at a lower priority. */
import { getPriority } from 'node:os';

import { expect, test } from 'vitest';

import { variantOf } from '../../host/pipeline/variants.ts';
import { defaultLimits } from '../../host/quotas/limits.ts';
import type { Outcome } from '../../host/sandbox/sandbox.ts';
import { bundleOf, openKit } from './sandbox-kit.ts';

const pidOf = (outcome: Outcome) => outcome.usage?.pid ?? 0;

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
  expect(getPriority(pidOf(normal))).toBe(0);
  expect(getPriority(pidOf(one))).toBe(10);
  expect(pidOf(again)).toBe(pidOf(one));
  expect(new Set([normal, one, two].map(pidOf)).size).toBe(3);
});

test('a variant is the same object each time, and the bundle itself where nothing differs', () => {
  const bundle = bundleOf('return 1');
  const limits = { ...defaultLimits(), cpuMs: 7 };
  expect(variantOf(bundle, bundle.limits, false)).toBe(bundle);
  expect(variantOf(bundle, limits, false)).toBe(variantOf(bundle, limits, false));
  expect(variantOf(bundle, limits, false).limits.cpuMs).toBe(7);
  expect(variantOf(bundle, limits, true)).not.toBe(variantOf(bundle, limits, false));
});
