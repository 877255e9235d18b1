/**
 * Which orgs' calls have proved short: those run on the runner's own thread, which costs half the CPU.
 * May import: sandbox records.
 *
 * The price is that a call which turns out long holds up the other orgs of its runner, up to the entry's time limit.
 * So trust is earned by calls in a row and lost for long by a single one: an org can do that once in a while, not
 * again and again.
 */
import type { Call, Lane } from './records.ts';

/** Short calls in a row after which the next one is taken to be short. */
const TRUST_AFTER = 16;
const SHORT_MICROS = 3_000;
const LONG_MICROS = 15_000;
/** Quick calls of one org in work at once, where they can not be handed to an isolate at work. */
const QUICK_WIDTH = 2;
/** The same for an org whose calls wait for the host: most of their time needs no thread. */
const WAITING_WIDTH = 4;
/** A call that takes so long waits for something that nobody here hears of, ms. */
export const WAITS_MS = 20;
/** How long a long call, and one that broke a limit, costs the trust. */
const LONG_PENALTY_MS = 60_000;
const BROKEN_PENALTY_MS = 600_000;

export function isQuick(lane: Lane, now: number): boolean {
  // Where calls share an isolate a thread may be inside for another one, and the runner's own would wait for it.
  if (lane.seats > 1) return false;
  return lane.shortCalls >= TRUST_AFTER && now >= lane.slowUntil && lane.kind === 'org';
}

/** Whether calls may be handed to an isolate that is at work with another: nothing makes them wait for each other long. */
export function isStraight(lane: Lane, now: number): boolean {
  return lane.straightCalls >= TRUST_AFTER && isQuick(lane, now);
}

/**
 * Whether one more isolate may begin a call. Quick ones run one after the other anyway: spread over many isolates they
 * would only cost more each (18 µs from one isolate, 90 µs from sixteen in turn). `pipeable`: the call can be handed to
 * an isolate that is at work.
 */
export function mayBegin(lane: Lane, now: number, pipeable: boolean): boolean {
  if (!isQuick(lane, now)) return true;
  let computing = 0;
  for (const { state, call } of lane.slots)
    if (state === 'busy' && call && !isResting(call) && now - call.startedAt < WAITS_MS)
      computing++;
  if (lane.straightCalls === 0) return computing < WAITING_WIDTH;
  // Beside other orgs one is enough: their calls keep the thread busy.
  const others = (lane.home?.active.size ?? 0) - computing;
  const one = others > 0 || (pipeable && isStraight(lane, now));
  return computing < (one ? 1 : QUICK_WIDTH);
}

/** Whether the call waits for the host or a timer, as far as that is known: then it needs no thread. */
export function isResting({ hostWaiting, waits }: Call): boolean {
  return hostWaiting > 0 || waits;
}

export interface Ended {
  readonly cpuMicros: number;
  /** It waited for nothing. */
  readonly straight: boolean;
  /** It ran on the runner's own thread. */
  readonly quick: boolean;
}

/** A call has settled. */
export function noteCall(lane: Lane, { cpuMicros, straight, quick }: Ended, now: number): void {
  lane.straightCalls = straight ? lane.straightCalls + 1 : 0;
  if (cpuMicros <= SHORT_MICROS) lane.shortCalls += 1;
  else if (cpuMicros < LONG_MICROS) lane.shortCalls = Math.min(lane.shortCalls, TRUST_AFTER) - 1;
  // On a thread of its own it held nobody up.
  else loseTrust(lane, quick ? now + LONG_PENALTY_MS : 0);
}

/** A call was handed to an isolate at work in vain. */
export function noteBounce(lane: Lane): void {
  lane.straightCalls = 0;
}

/** A call broke a limit. */
export function noteBroken(lane: Lane, now: number): void {
  loseTrust(lane, now + BROKEN_PENALTY_MS);
}

function loseTrust(lane: Lane, until: number): void {
  lane.shortCalls = lane.straightCalls = 0;
  lane.slowUntil = Math.max(lane.slowUntil, until);
}
