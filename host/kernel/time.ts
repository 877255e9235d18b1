/**
 * Clocks and waits, so that tests can hold the time in their hands.
 * May import: nothing.
 */
import { setTimeout as delay } from 'node:timers/promises';

export interface Clock {
  /** Wall-clock time as epoch milliseconds; only for what crosses the wire. */
  now(): number;
  /** Milliseconds from an arbitrary start that never jump; for deadlines and durations. */
  monotonic(): number;
}

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
};

/** Wait, or return early (without throwing) when the signal fires. */
export async function pause(ms: number, signal?: AbortSignal): Promise<void> {
  await delay(ms, undefined, signal ? { signal, ref: true } : {}).catch(() => undefined);
}

export interface BackoffOptions {
  /** Upper bound of the first pause in milliseconds. @default 100 */
  readonly firstMs?: number;
  /** Upper bound of every pause in milliseconds. @default 30000 */
  readonly maxMs?: number;
}

export const BACKOFF_DEFAULTS = { firstMs: 100, maxMs: 30_000 } as const satisfies BackoffOptions;

/** Exponential back-off with full jitter: a random time below a doubling bound. `attempt` counts from 0. */
export function backoffMs(attempt: number, options: BackoffOptions = {}): number {
  const { firstMs, maxMs } = { ...BACKOFF_DEFAULTS, ...options };
  const bound = Math.min(maxMs, firstMs * 2 ** Math.min(attempt, 30));
  return Math.max(10, Math.random() * bound);
}
