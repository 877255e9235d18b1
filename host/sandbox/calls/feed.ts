/**
 * Hands short calls to isolates that are at work with one: the runner has the next call when it ends the one before,
 * and many calls cross in one write. In an isolate they still run one after the other.
 * May import: sandbox records.
 *
 * Only calls that may run twice go this way: when a runner dies, nobody knows which of them it had begun.
 */
import type { Engine } from '../engine.ts';
import { isResting, isStraight, WAITS_MS } from './pace.ts';
import { groupOf } from './placement.ts';
import type { Call, Lane, Slot } from './records.ts';
import { isWorn } from './slots.ts';

/** Calls that one isolate has beside the one it works on. */
const MOST_AHEAD = 7;
/** The same for events, for which nobody waits: the more of them cross in one write, the less each costs. */
const MOST_EVENTS_AHEAD = 31;
/** The same for all isolates of a runner: what comes last waits for so many short calls. */
const MOST_AHEAD_IN_RUNNER = 32;

/** Give waiting calls to isolates at work, the one with the fewest first. */
export function feed(engine: Engine, lane: Lane): void {
  const { queue } = lane;
  if (queue.length === 0) return;
  const now = engine.now();
  if (!isStraight(lane, now) || lane.fleet.bundle.isolation === 'request') return;
  for (let call = queue[0], filling = false; call && isPipeable(call); call = queue[0]) {
    const slot = readiest(engine, lane, { now, ...roomFor(call, filling) });
    if (!slot) return;
    queue.shift();
    if (!call.answered) send(slot, call, now);
    filling = true;
  }
}

/** The call in the isolate has ended: the next one of those that the runner has is its call now. False when there is none. */
export function advance(engine: Engine, slot: Slot): boolean {
  slot.call?.aborter?.abort();
  const call = slot.next.shift() ?? null;
  slot.call = call;
  if (!call) return false;
  begun(slot, call, engine.now());
  return true;
}

/** Take the calls back that the runner has and that were not begun, or whose fate does not matter. */
export function takeNext(slot: Slot): Call[] {
  return slot.next.splice(0).filter((call) => !call.answered);
}

export function isPipeable({ invocation, retried, piped }: Call): boolean {
  return invocation !== null && invocation.idempotent && !retried && !piped;
}

/** The call is what its isolate works on, as far as the host can know. */
export function begun(slot: Slot, call: Call, now: number): void {
  const { wallMs } = slot.lane.fleet.bundle.limits;
  call.startedAt = now;
  // Who was told already that it came too late does not end the isolate that works on it.
  call.deadline = call.answered ? now + wallMs : Math.min(call.dueAt, now + wallMs);
  call.cold = slot.isolate.served === 0;
}

interface Room {
  readonly now: number;
  /** Calls that an isolate may have ahead. */
  readonly most: number;
  /** Part of these places that must be free, 0 to 1. */
  readonly free: number;
}

/** Events are handed over when half of the room is free: one by one they would stay alone for ever, each in a write. */
function roomFor({ invocation }: Call, filling: boolean): Pick<Room, 'most' | 'free'> {
  if (invocation?.handler !== 'notification') return { most: MOST_AHEAD, free: 0 };
  return { most: MOST_EVENTS_AHEAD, free: filling ? 0 : 0.5 };
}

function readiest(engine: Engine, lane: Lane, room: Room): Slot | null {
  let best: Slot | null = null;
  for (const slot of lane.slots) {
    if (best && slot.next.length >= best.next.length) continue;
    if (takesMore(engine, slot, room)) best = slot;
  }
  return best;
}

function takesMore(engine: Engine, slot: Slot, { now, most, free }: Room): boolean {
  const { state, call, next, runner, lane } = slot;
  if (state !== 'busy' || !call?.quick || !runner.open) return false;
  if (isWorn(engine, slot) || runner.group !== groupOf(engine, lane)) return false;
  const share = Math.floor(MOST_AHEAD_IN_RUNNER / runner.active.size);
  const places = Math.min(most, Math.max(1, share));
  if (next.length >= places || next.length > places * (1 - free)) return false;
  return !isResting(call) && now - call.startedAt < WAITS_MS;
}

function send(slot: Slot, call: Call, now: number): void {
  const { runner } = slot;
  call.piped = true;
  call.quick = true;
  call.pid = runner.pid;
  slot.next.push(call);
  runner.send({
    type: 'nextCall',
    slot: slot.number,
    call: call.id,
    value: Math.max(1, Math.ceil(Math.min(call.dueAt - now, slot.lane.fleet.bundle.limits.wallMs))),
    body: call.invocation?.payload ?? '',
  });
}
