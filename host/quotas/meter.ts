/**
 * What each org has spent of each plug-in: calls over time, and CPU time with carry-over.
 * May import: kernel.
 */
import { systemClock, type Clock } from '../kernel/time.ts';
import { createBucket, type Bucket } from './bucket.ts';
import type { Limits } from './limits.ts';

/** Told to the caller in `RateLimit` headers (draft-ietf-httpapi-ratelimit-headers). */
export interface RateState {
  readonly limit: number;
  readonly remaining: number;
  /** Seconds until the whole burst is there again. */
  readonly resetS: number;
}

export type Admission =
  /** `slow`: the org is over its CPU time, its calls run at a lower priority. */
  | { readonly ok: true; readonly slow: boolean; readonly rate: RateState }
  | {
      readonly ok: false;
      readonly code: 'RATE_EXCEEDED' | 'CPU_BUCKET_EMPTY';
      readonly retryAfterS: number;
      readonly rate: RateState;
    };

export interface Meter {
  /** Count one call of this org, or refuse it. `limits` are those in force for this plug-in and org. */
  admit(plugin: string, org: string, limits: Limits): Admission;
  /** Whether the org is over its CPU time, of what is neither counted as a call nor refused. */
  isSlow(plugin: string, org: string, limits: Limits): boolean;
  /** Charge CPU time after a call. */
  charge(plugin: string, org: string, cpuMs: number): void;
}

export interface MeterOptions {
  /** Pairs of plug-in and org that are remembered; the longest unused are forgotten. @default 100000 */
  readonly maxPairs?: number;
  readonly clock?: Clock;
}

interface Account {
  readonly limits: Limits;
  readonly calls: Bucket;
  readonly cpu: Bucket;
}

export function createMeter({ maxPairs = 100_000, clock = systemClock }: MeterOptions = {}): Meter {
  // A Map keeps insertion order: re-inserting on use makes its first entry the longest unused.
  const accounts = new Map<string, Account>();

  function accountOf(key: string, limits: Limits, now: number): Account {
    const known = accounts.get(key);
    if (known && known.limits === limits) return known;
    // What was spent stays spent: a new version, or another setting, is no way out of a debt.
    const held = (bucket: Bucket | undefined, before = 0, capacity: number) =>
      bucket ? bucket.level(now) - before + capacity : capacity;
    const { burst, cpuBucketMs } = limits;
    const calls = {
      capacity: burst,
      perSecond: limits.ratePerSecond,
      held: held(known?.calls, known?.limits.burst, burst),
    };
    const cpu = {
      capacity: cpuBucketMs,
      perSecond: limits.cpuPerSecondMs,
      held: held(known?.cpu, known?.limits.cpuBucketMs, cpuBucketMs),
    };
    const made = { limits, calls: createBucket(calls, now), cpu: createBucket(cpu, now) };
    accounts.set(key, made);
    const oldest = accounts.size > maxPairs ? accounts.keys().next().value : undefined;
    if (oldest !== undefined) accounts.delete(oldest);
    return made;
  }

  return {
    admit(plugin, org, limits) {
      const now = clock.monotonic();
      const { calls, cpu } = accountOf(`${plugin}\n${org}`, limits, now);
      const cpuLevel = cpu.level(now);
      if (cpuLevel <= -limits.cpuBucketMs)
        return refused('CPU_BUCKET_EMPTY', cpu.msUntil(0, now), rateOf(calls, limits, now));
      if (calls.level(now) < 1)
        return refused('RATE_EXCEEDED', calls.msUntil(1, now), rateOf(calls, limits, now));
      calls.take(1, now);
      return { ok: true, slow: cpuLevel <= 0, rate: rateOf(calls, limits, now) };
    },
    isSlow(plugin, org, limits) {
      const now = clock.monotonic();
      return accountOf(`${plugin}\n${org}`, limits, now).cpu.level(now) <= 0;
    },
    charge(plugin, org, cpuMs) {
      accounts.get(`${plugin}\n${org}`)?.cpu.take(cpuMs, clock.monotonic());
    },
  };
}

function rateOf(calls: Bucket, limits: Limits, now: number): RateState {
  return {
    limit: limits.burst,
    remaining: Math.max(0, Math.floor(calls.level(now))),
    resetS: Math.ceil(calls.msUntil(limits.burst, now) / 1_000),
  };
}

function refused(
  code: 'RATE_EXCEEDED' | 'CPU_BUCKET_EMPTY',
  waitMs: number,
  rate: RateState,
): Admission {
  return { ok: false, code, retryAfterS: Math.max(1, Math.ceil(waitMs / 1_000)), rate };
}
