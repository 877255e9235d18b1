/**
 * The states of an isolate and the counts that hang on them; the only place that changes either.
 * May import: sandbox records.
 */
import type { Engine } from '../engine.ts';
import type { Isolate, Lane, Slot, SlotState } from './records.ts';
import type { Runner } from '../process/runner.ts';

/** The first slot of an isolate that is being opened; the lane has counted it in `used` already. */
export function createSlot(engine: Engine, lane: Lane, runner: Runner): Slot {
  const isolate: Isolate = { slots: new Set(), ending: false, served: 0, heapKb: 0 };
  const slot = addSlot(engine, { number: runner.nextSlots(lane.seats), runner, lane, isolate });
  runner.isolates++;
  runner.lastUsed = slot.openedAt;
  lane.home = runner;
  activate(engine, slot);
  return slot;
}

/** The isolate is open: the other slots of it are there too, idle. */
export function createOthers(engine: Engine, first: Slot): void {
  const { number, runner, lane, isolate } = first;
  for (let at = 1; at < lane.seats; at++) {
    const slot = addSlot(engine, { number: number + at, runner, lane, isolate });
    slot.loaded = true;
    slot.handlers = first.handlers;
    slot.state = 'idle';
    lane.idle.push(slot);
    engine.idle.add(slot);
  }
}

function addSlot(
  engine: Engine,
  { number, runner, lane, isolate }: Pick<Slot, 'number' | 'runner' | 'lane' | 'isolate'>,
): Slot {
  const now = engine.now();
  const { loadWallMs, disposeGraceMs } = engine.settings;
  const slot: Slot = {
    number,
    runner,
    lane,
    isolate,
    openedAt: now,
    state: 'opening',
    loaded: false,
    call: null,
    ended: null,
    next: [],
    // The runner ends it by itself at `loadWallMs`; the host only if that fails.
    stateEnd: now + loadWallMs + disposeGraceMs,
    awaitsPing: 0,
    idleSince: now,
    brokenOff: false,
    handlers: '[]',
  };
  isolate.slots.add(slot);
  runner.slots.set(slot.number, slot);
  runner.lanes.set(lane, (runner.lanes.get(lane) ?? 0) + 1);
  lane.slots.add(slot);
  return slot;
}

/** Change the state and all that counts it. */
export function moveSlot(engine: Engine, slot: Slot, to: SlotState): void {
  leave(engine, slot);
  slot.state = to;
  const { lane, runner } = slot;
  if (to === 'idle') {
    slot.idleSince = engine.now();
    lane.idle.push(slot);
    engine.idle.add(slot);
    runner.active.delete(slot);
    return;
  }
  if (to === 'busy') lane.used++;
  if (to === 'background') lane.background++;
  activate(engine, slot);
}

/** End an isolate from the host's side, with what its other calls need to end; `gone` answers. Idempotent. */
export function disposeSlot(engine: Engine, slot: Slot): void {
  if (slot.state === 'dying') return;
  moveSlot(engine, slot, 'dying');
  endIsolate(engine, slot);
  slot.runner.send({ type: 'dispose', slot: slot.number });
  // The clock starts when the runner has answered: a busy machine must not look like a wedged isolate.
  slot.awaitsPing = slot.runner.ping();
  slot.stateEnd = Infinity;
}

/** Nothing new begins in the isolate of a slot that ends: its idle ones end too, the others when their calls have. */
function endIsolate(engine: Engine, { isolate }: Slot): void {
  if (isolate.ending) return;
  isolate.ending = true;
  for (const slot of isolate.slots) if (slot.state === 'idle') disposeSlot(engine, slot);
}

/** Whether a call is at work in the isolate of an idle slot, or it is not the one of its slots that was used last. */
export function isNeeded({ isolate, idleSince }: Slot): boolean {
  for (const slot of isolate.slots)
    if (slot.state !== 'idle' || slot.idleSince > idleSince) return true;
  return false;
}

/** The isolate is ended while a guest is at work in it. */
export function noteBreak(slot: Slot): void {
  if (slot.brokenOff) return;
  slot.brokenOff = true;
  slot.runner.brokenOff++;
}

/** The runner says that it is disposing the isolate. */
export function markDying(engine: Engine, slot: Slot): void {
  noteBreak(slot);
  moveSlot(engine, slot, 'dying');
  endIsolate(engine, slot);
  slot.stateEnd = engine.now() + engine.settings.disposeGraceMs;
}

/** Forget an isolate that is gone, or whose runner is. */
export function removeSlot(engine: Engine, slot: Slot): void {
  leave(engine, slot);
  slot.state = 'dying';
  const { lane, runner } = slot;
  if (slot.brokenOff) runner.brokenOff--;
  slot.isolate.slots.delete(slot);
  if (slot.isolate.slots.size === 0) runner.isolates--;
  runner.slots.delete(slot.number);
  runner.active.delete(slot);
  lane.slots.delete(slot);
  const left = (runner.lanes.get(lane) ?? 1) - 1;
  if (left > 0) {
    runner.lanes.set(lane, left);
    return;
  }
  runner.lanes.delete(lane);
  if (lane.home === runner) lane.home = null;
}

/** Whether the isolate has done its time: it gets no further calls. */
export function isWorn(engine: Engine, slot: Slot): boolean {
  const { isolateMaxCalls, isolateMaxAgeMs, isolateMaxHeapShare } = engine.settings;
  const { served, heapKb } = slot.isolate;
  const heapLimitKb = slot.lane.fleet.bundle.limits.memoryMb * 1_024;
  // One that has served nobody yet is not replaced: the next would be as old before it serves.
  return (
    served > 0 &&
    (served >= isolateMaxCalls ||
      engine.now() - slot.openedAt >= isolateMaxAgeMs ||
      heapKb > heapLimitKb * isolateMaxHeapShare)
  );
}

function activate(engine: Engine, slot: Slot): void {
  slot.runner.active.add(slot);
  engine.activeRunners.add(slot.runner);
  engine.wake();
}

function leave(engine: Engine, slot: Slot): void {
  const { lane } = slot;
  switch (slot.state) {
    case 'idle':
      engine.idle.delete(slot);
      if (lane.idle.at(-1) === slot) lane.idle.pop();
      else lane.idle.splice(lane.idle.indexOf(slot), 1);
      return;
    case 'opening':
      lane.opening--;
      lane.used--;
      return;
    case 'busy':
      lane.used--;
      return;
    case 'background':
      lane.background--;
      return;
    case 'dying':
  }
}
