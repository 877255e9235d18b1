/**
 * Which orgs' calls have proved short: those run on the runner's own thread, which costs half the CPU.
 * May import: sandbox records.
 *
 * The price is that a call which turns out long holds up the other orgs of its runner, up to the entry's time limit.
 * So trust is earned by calls in a row and lost for long by a single one: an org can do that once in a while, not
 * again and again.
 */
import type { Lane } from './records.ts';

/** Short calls in a row after which the next one is taken to be short. */
const TRUST_AFTER = 16;
const SHORT_MICROS = 3_000;
const LONG_MICROS = 15_000;
/** Quick calls of one org in work at once. */
const QUICK_WIDTH = 2;
/** A call that takes so long waits for a timer, ms. */
const WAITS_MS = 20;
/** How long a long call, and one that broke a limit, costs the trust. */
const LONG_PENALTY_MS = 60_000;
const BROKEN_PENALTY_MS = 600_000;

export function isQuick(lane: Lane, now: number): boolean {
  return lane.shortCalls >= TRUST_AFTER && now >= lane.slowUntil && lane.kind === 'org';
}

/**
 * Whether one more isolate may begin a call. Quick ones run one after the other anyway: spread over many isolates they
 * would only cost more each (18 µs from one isolate, 90 µs from sixteen in turn), and two keep the thread busy.
 */
export function mayBegin(lane: Lane, now: number): boolean {
  if (!isQuick(lane, now)) return true;
  let computing = 0;
  for (const { state, call } of lane.slots)
    if (state === 'busy' && call?.hostWaiting === 0 && now - call.startedAt < WAITS_MS) computing++;
  // Beside other orgs one is enough: their calls keep the thread busy.
  const others = (lane.home?.active.size ?? 0) - computing;
  return computing < (others > 0 ? 1 : QUICK_WIDTH);
}

/** A call has settled after so much CPU time. */
export function noteCall(lane: Lane, cpuMicros: number, now: number): void {
  if (cpuMicros <= SHORT_MICROS) lane.shortCalls += 1;
  else if (cpuMicros < LONG_MICROS) lane.shortCalls = Math.min(lane.shortCalls, TRUST_AFTER) - 1;
  else loseTrust(lane, now + LONG_PENALTY_MS);
}

/** A call broke a limit. */
export function noteBroken(lane: Lane, now: number): void {
  loseTrust(lane, now + BROKEN_PENALTY_MS);
}

function loseTrust(lane: Lane, until: number): void {
  lane.shortCalls = 0;
  lane.slowUntil = Math.max(lane.slowUntil, until);
}
