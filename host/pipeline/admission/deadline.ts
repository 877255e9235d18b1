/**
 * One deadline for a call, and the estimate of how far the cell's clock is from ours.
 * May import: kernel, message.
 */
import type { Call } from '../../message/call.ts';

export interface DeadlineOptions {
  /** How long vCloud waits (`extensibility.timeout`). @default 10000 */
  readonly extensionTimeoutMs: number;
  /** Kept back for the way of the reply. @default 300 */
  readonly marginMs: number;
}

export interface Deadlines {
  /** Monotonic ms by which the reply must be on its way; `late` when that is past. */
  of(call: Pick<Call, 'replyBy' | 'arrivedAt'>, epochNow: number): { at: number; late: boolean };
  /** Ms by which the cells' clocks seem to be behind ours (negative: ahead), or null when they agree. */
  skewMs(): number | null;
}

/** Samples that the estimate looks back on. */
const WINDOW = 64;
/** Fewer samples say nothing: one late message is late, not a wrong clock. */
const LEAST = 5;
/** Time left that no cell grants; more means its clock is ahead. */
const AHEAD_FACTOR = 3;

/**
 * `replyByTimestamp` is in the cell's clock. If most recent messages look late on arrival, the
 * clocks disagree: then arrival time alone counts and nothing is refused for being late.
 */
export function createDeadlines(options: DeadlineOptions): Deadlines {
  const { extensionTimeoutMs, marginMs } = options;
  const samples: number[] = [];
  let next = 0;
  let lateSamples = 0;
  let aheadSamples = 0;

  const isLate = (leftMs: number) => leftMs <= marginMs;
  const isAhead = (leftMs: number) => leftMs > extensionTimeoutMs * AHEAD_FACTOR;

  function record(leftMs: number): void {
    const old = samples[next];
    if (old !== undefined) {
      lateSamples -= Number(isLate(old));
      aheadSamples -= Number(isAhead(old));
    }
    samples[next] = leftMs;
    next = (next + 1) % WINDOW;
    lateSamples += Number(isLate(leftMs));
    aheadSamples += Number(isAhead(leftMs));
  }
  const most = (count: number) => samples.length >= LEAST && count * 2 > samples.length;

  return {
    of(call, epochNow) {
      const byArrival = call.arrivedAt + extensionTimeoutMs - marginMs;
      if (call.replyBy === null) return { at: byArrival, late: false };
      const leftMs = call.replyBy - epochNow;
      record(leftMs);
      if (most(lateSamples)) return { at: byArrival, late: false };
      return {
        at: Math.min(byArrival, call.arrivedAt + leftMs - marginMs),
        late: isLate(leftMs),
      };
    },
    skewMs() {
      if (!most(lateSamples) && !most(aheadSamples)) return null;
      // The message that was quickest on its way shows the difference of the clocks best.
      return Math.round(extensionTimeoutMs - Math.max(...samples));
    },
  };
}
