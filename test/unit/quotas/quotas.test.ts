import { expect, test } from 'vitest';

import { createBucket } from '../../../host/quotas/bucket.ts';
import { defaultLimits } from '../../../host/quotas/limits.ts';
import { createLimitsBook } from '../../../host/quotas/limits-book.ts';
import { createMeter } from '../../../host/quotas/meter.ts';

function clockAt(start = 0) {
  let now = start;
  return { clock: { now: () => now, monotonic: () => now }, later: (ms: number) => (now += ms) };
}

test('a bucket fills with time up to its capacity and may be in debt', () => {
  const bucket = createBucket({ capacity: 10, perSecond: 5 }, 0);
  bucket.take(12, 0);
  expect(bucket.level(0)).toBe(-2);
  expect(bucket.msUntil(1, 0)).toBe(600);
  expect(bucket.level(1_000)).toBe(3);
  expect(bucket.level(60_000)).toBe(10);
  expect(bucket.level(59_000)).toBe(10);
});

test('a debt outlives new limits, of a new version or of a setting', () => {
  const { clock } = clockAt();
  const meter = createMeter({ clock });
  const limits = { ...defaultLimits(), cpuBucketMs: 100, burst: 3, ratePerSecond: 1 };
  for (const _ of [1, 2, 3]) meter.admit('p', 'a', { ...limits });
  meter.charge('p', 'a', 250);
  expect(meter.admit('p', 'a', { ...limits })).toMatchObject({ code: 'CPU_BUCKET_EMPTY' });
  const more = { ...limits, cpuBucketMs: 1_000, burst: 5 };
  expect(meter.admit('p', 'a', more)).toMatchObject({ ok: true, rate: { remaining: 1 } });
  expect(meter.isSlow('p', 'a', { ...limits })).toBe(true);
  expect(meter.admit('p', 'b', limits)).toMatchObject({ ok: true, slow: false });
});

test('limits of an org are the same object as long as their values are', () => {
  const book = createLimitsBook({ ceilings: {}, plugins: {}, orgs: {} });
  const limits = defaultLimits();
  const first = book.forOrg(limits, 'urn:vcloud:org:a', { cpuMs: 50 });
  expect(book.forOrg(limits, 'urn:vcloud:org:a', { cpuMs: 50 })).toBe(first);
  expect(book.forOrg(limits, 'urn:vcloud:org:a', { cpuMs: 51 })).toMatchObject({ cpuMs: 51 });
});

test('an org over its rate is refused with the time to wait, and others are not', () => {
  const { clock, later } = clockAt();
  const meter = createMeter({ clock });
  const limits = { ...defaultLimits(), ratePerSecond: 2, burst: 3 };
  for (const remaining of [2, 1, 0])
    expect(meter.admit('p', 'a', limits)).toMatchObject({
      ok: true,
      rate: { limit: 3, remaining },
    });
  expect(meter.admit('p', 'a', limits)).toEqual({
    ok: false,
    code: 'RATE_EXCEEDED',
    retryAfterS: 1,
    rate: { limit: 3, remaining: 0, resetS: 2 },
  });
  expect(meter.admit('p', 'b', limits)).toMatchObject({ ok: true });
  expect(meter.admit('q', 'a', limits)).toMatchObject({ ok: true });
  later(500);
  expect(meter.admit('p', 'a', limits)).toMatchObject({ ok: true });
  expect(meter.admit('p', 'a', limits)).toMatchObject({ ok: false });
});

test('CPU time carries over; in debt an org is slowed down, deep in debt refused', () => {
  const { clock, later } = clockAt();
  const meter = createMeter({ clock });
  const limits = { ...defaultLimits(), cpuPerSecondMs: 100, cpuBucketMs: 1_000 };
  expect(meter.admit('p', 'a', limits)).toMatchObject({ ok: true, slow: false });
  meter.charge('p', 'a', 1_000);
  expect(meter.admit('p', 'a', limits)).toMatchObject({ ok: true, slow: true });
  meter.charge('p', 'a', 1_000);
  expect(meter.admit('p', 'a', limits)).toMatchObject({
    ok: false,
    code: 'CPU_BUCKET_EMPTY',
    retryAfterS: 10,
  });
  later(1_000);
  expect(meter.admit('p', 'a', limits)).toMatchObject({ ok: true, slow: true });
  later(60_000);
  expect(meter.admit('p', 'a', limits)).toMatchObject({ ok: true, slow: false });
});

test('accounts are bounded: the longest unknown is forgotten', () => {
  const { clock } = clockAt();
  const meter = createMeter({ clock, maxPairs: 2 });
  const limits = { ...defaultLimits(), ratePerSecond: 1, burst: 1 };
  for (const org of ['a', 'b', 'c']) meter.admit('p', org, limits);
  expect(meter.admit('p', 'c', limits)).toMatchObject({ ok: false });
  expect(meter.admit('p', 'a', limits)).toMatchObject({ ok: true });
});

test('what the operator says about a plug-in counts, and an org can only get less', () => {
  const book = createLimitsBook({
    ceilings: { cpuMs: 500 },
    plugins: { p: { wallMs: 1_000 } },
    orgs: { 'id-1': { cpuMs: 50, wallMs: 60_000 } },
  });
  const limits = book.resolve('p', { cpuMs: 400 });
  expect(limits).toEqual({ ...defaultLimits(), cpuMs: 400, wallMs: 1_000 });
  expect(book.forOrg(limits, 'urn:vcloud:org:id-1')).toEqual({ ...limits, cpuMs: 50 });
  expect(book.forOrg(limits, 'urn:vcloud:org:id-1')).toBe(
    book.forOrg(limits, 'urn:vcloud:org:id-1'),
  );
  expect(book.forOrg(limits, 'urn:vcloud:org:id-2')).toBe(limits);
});

test('a ceiling below the default holds for manifests that ask for nothing, too', () => {
  const book = createLimitsBook({
    ceilings: { cpuMs: 50 },
    plugins: { q: { cpuMs: 70 } },
    orgs: {},
  });
  expect(book.resolve('p', {}).cpuMs).toBe(50);
  expect(book.resolve('q', {}).cpuMs).toBe(70);
});

test.each([[0], [-5], [12.5], [501], [Number.NaN], [Infinity]])(
  'a limit of %s is refused naming the range',
  (cpuMs) => {
    const book = createLimitsBook({ ceilings: { cpuMs: 500 }, plugins: {}, orgs: {} });
    expect(() => book.resolve('p', { cpuMs })).toThrow(
      expect.objectContaining({
        code: 'BUNDLE_INVALID',
        message: expect.stringContaining('limits.cpuMs: '),
      }),
    );
  },
);
