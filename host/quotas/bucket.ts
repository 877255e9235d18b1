/**
 * A bucket that fills with time: rates with a burst, and CPU time with carry-over.
 * May import: nothing. Twenty lines of our own, since the libraries keep a timer and a promise for each
 * key, and this stands in the way of every call.
 */

export interface BucketOptions {
  /** What it holds at most. */
  readonly capacity: number;
  readonly perSecond: number;
  /** What is in it at the beginning; may be below zero. @default capacity */
  readonly held?: number;
}

export interface Bucket {
  /** What is in it now; below zero while there is a debt. */
  level(nowMs: number): number;
  /** Take out; the level may fall below zero. */
  take(amount: number, nowMs: number): void;
  /** Milliseconds until the level is `wanted` if nothing is taken; 0 when it is. */
  msUntil(wanted: number, nowMs: number): number;
}

export function createBucket(
  { capacity, perSecond, ...start }: BucketOptions,
  nowMs: number,
): Bucket {
  let held = Math.min(capacity, start.held ?? capacity);
  let at = nowMs;

  function level(now: number): number {
    held = Math.min(capacity, held + (Math.max(0, now - at) * perSecond) / 1_000);
    at = Math.max(at, now);
    return held;
  }
  return {
    level,
    take(amount, now) {
      held = level(now) - amount;
    },
    msUntil: (wanted, now) => Math.max(0, ((wanted - level(now)) * 1_000) / perSecond),
  };
}
