import { expect, test } from 'vitest';

import { createDeadlines } from '../../../host/pipeline/admission/deadline.ts';

const options = { extensionTimeoutMs: 10_000, marginMs: 300 };
const EPOCH = 1_700_000_000_000;
const call = (leftMs: number | null, arrivedAt = 0) => ({
  arrivedAt,
  replyBy: leftMs === null ? null : EPOCH + leftMs,
});

test('the earlier of the two clocks counts, less the margin', () => {
  const deadlines = createDeadlines(options);
  expect(deadlines.of(call(null, 5), EPOCH)).toEqual({ at: 9_705, late: false });
  expect(deadlines.of(call(4_000, 5), EPOCH)).toEqual({ at: 3_705, late: false });
  expect(deadlines.of(call(17_000, 5), EPOCH)).toEqual({ at: 9_705, late: false });
});

test('a single message that comes too late is late', () => {
  const deadlines = createDeadlines(options);
  expect(deadlines.of(call(9_900), EPOCH).late).toBe(false);
  expect(deadlines.of(call(-20_000), EPOCH).late).toBe(true);
  expect(deadlines.of(call(100), EPOCH).late).toBe(true);
  expect(deadlines.skewMs()).toBe(null);
});

test('when most messages look late the clocks disagree, and nothing is refused for it', () => {
  const deadlines = createDeadlines(options);
  for (let i = 0; i < 5; i += 1) deadlines.of(call(-20_000 - i), EPOCH);
  expect(deadlines.of(call(-20_100), EPOCH)).toEqual({ at: 9_700, late: false });
  expect(deadlines.skewMs()).toBe(30_000);
});

test('a clock ahead of ours is reported, and arrival time counts', () => {
  const deadlines = createDeadlines(options);
  for (let i = 0; i < 5; i += 1)
    expect(deadlines.of(call(40_000), EPOCH)).toEqual({ at: 9_700, late: false });
  expect(deadlines.skewMs()).toBe(-30_000);
});

test('the estimate forgets: clocks that agree again are believed again', () => {
  const deadlines = createDeadlines(options);
  for (let i = 0; i < 64; i += 1) deadlines.of(call(-30_000), EPOCH);
  for (let i = 0; i < 64; i += 1) deadlines.of(call(9_900), EPOCH);
  expect(deadlines.skewMs()).toBe(null);
  expect(deadlines.of(call(-1), EPOCH).late).toBe(true);
});
