/**
 * Frames from runners. They are hostile: each must fit the host's own record of the isolate, or the runner is killed.
 * May import: kernel, runner's frame protocol.
 */
import type { Code } from '../../kernel/errors.ts';
import type { DecodedFrame } from '../../runner/codec.ts';
import type { OverCause } from '../../runner/frames.ts';
import type { Engine } from '../engine.ts';
import { chargeLoading, chargeRest } from './charge.ts';
import { readFailure } from './guest-failure.ts';
import { onHostCall, onLogLine } from './host-calls.ts';
import {
  answer,
  becomeIdle,
  endCall,
  failQueue,
  failure,
  mayRetry,
  pump,
  releaseCall,
  requeue,
  retry,
  takeBack,
  usageOf,
  wait,
} from './lanes.ts';
import { noteBounce, noteBroken, noteCall } from './pace.ts';
import type { Call, Slot } from './records.ts';
import type { Runner } from '../process/runner.ts';
import { createOthers, markDying, moveSlot, removeSlot } from './slots.ts';

/** Of what a runner gives as a reason, which goes into logs and answers; an honest one is no longer. */
const MAX_REASON = 1_000;

/** Act on a frame; whatever does not fit ends the runner. */
export function onFrame(engine: Engine, runner: Runner, frame: DecodedFrame): void {
  const slot = runner.slots.get(frame.slot);
  if (slot && accept(engine, slot, frame)) return;
  const reason = `${frame.type} for isolate ${frame.slot} in state ${slot?.state ?? 'unknown'}`;
  runner.kill({ kind: 'protocol', reason, culprit: null });
}

function accept(engine: Engine, slot: Slot, frame: DecodedFrame): boolean {
  switch (frame.type) {
    case 'opened':
      return slot.state === 'dying' || onOpened(engine, slot, frame);
    case 'refused':
      return slot.state === 'dying' || onRefused(engine, slot, frame);
    case 'gone':
      return onGone(engine, slot, frame.value);
    case 'over':
      return slot.state === 'dying' || onOver(engine, slot, frame);
    case 'catastrophe': {
      const reason = `V8 gave up: ${frame.body.slice(0, MAX_REASON)}`;
      slot.runner.kill({ kind: 'catastrophe', reason, culprit: slot });
      return true;
    }
    case 'bounced':
      return slot.state === 'dying' || onBounced(engine, slot, frame.call);
    default:
      return onCallFrame(engine, slot, frame);
  }
}

/** Frames that speak of a call: it must be the one that the host put into this isolate. */
function onCallFrame(engine: Engine, slot: Slot, frame: DecodedFrame): boolean {
  // The host has given this isolate up; what was under way may still arrive.
  if (slot.state === 'dying') return true;
  const { call } = slot;
  if (!call || call.id !== frame.call) return false;
  switch (frame.type) {
    case 'reply':
      return onReply(engine, slot, call, frame);
    case 'threw':
      return onThrew(engine, slot, call, frame);
    case 'settled':
      return slot.state === 'background' && onSettled(engine, slot, frame);
    case 'done':
      return onDone(engine, slot, call, frame);
    case 'host':
      onHostCall(engine, slot, call, frame);
      return true;
    case 'waits':
      return onWaits(engine, call);
    case 'log':
      return onLogLine(engine, call, frame.body);
    default:
      return false;
  }
}

function onOpened(engine: Engine, slot: Slot, frame: DecodedFrame): boolean {
  if (slot.state !== 'opening') return false;
  const { log, metrics } = engine.settings;
  engine.pool.healthy();
  metrics.count('sandbox_isolates_opened_total');
  metrics.observeMs('sandbox_isolate_open_ms', engine.now() - slot.openedAt);
  const scripts = frame.value & 3;
  if (scripts !== 0) log.warn('sandbox.codeCache.rejected', { scripts, pid: slot.runner.pid });
  chargeLoading(slot, frame.value >>> 2, engine.now());
  slot.loaded = true;
  slot.handlers = frame.body;
  createOthers(engine, slot);
  becomeIdle(engine, slot);
  return true;
}

function onRefused(engine: Engine, slot: Slot, frame: DecodedFrame): boolean {
  if (slot.state !== 'opening') return false;
  chargeLoading(slot, frame.value, engine.now());
  markDying(engine, slot);
  failQueue(engine, slot.lane, 'PLUGIN_UNAVAILABLE', frame.body.slice(0, MAX_REASON));
  return true;
}

function onGone(engine: Engine, slot: Slot, cpuMicros: number): boolean {
  if (slot.state !== 'dying') return false;
  chargeRest(slot.ended, cpuMicros, engine.now());
  removeSlot(engine, slot);
  pump(engine, slot.lane);
  return true;
}

function onReply(engine: Engine, slot: Slot, call: Call, frame: DecodedFrame): boolean {
  if (slot.state !== 'busy') return false;
  slot.runner.calls++;
  const usage = usageOf(engine, call, frame.value);
  beginBackground(engine, slot);
  answer(engine, call, { kind: 'replied', reply: frame.body, usage });
  return true;
}

function onThrew(engine: Engine, slot: Slot, call: Call, frame: DecodedFrame): boolean {
  if (slot.state !== 'busy') return false;
  slot.runner.calls++;
  const { code, message, stack } = readFailure(frame.body);
  // For the author's eyes: the caller never sees it.
  if (stack !== '') call.invocation?.log('error', stack);
  const usage = usageOf(engine, call, frame.value);
  beginBackground(engine, slot);
  answer(engine, call, failure(code, message, usage));
  return true;
}

function beginBackground(engine: Engine, slot: Slot): void {
  const { backgroundWallMs, disposeGraceMs } = engine.settings;
  moveSlot(engine, slot, 'background');
  slot.stateEnd = engine.now() + backgroundWallMs + disposeGraceMs;
}

function onSettled(engine: Engine, slot: Slot, frame: DecodedFrame): boolean {
  const heapKb = frame.body === '' ? null : Number(frame.body) || 0;
  if (heapKb !== null) slot.isolate.heapKb = heapKb;
  // With a look at the heap an end never comes in one frame with its reply.
  const straight = heapKb !== null && slot.call !== null && isStraightOn(slot.call);
  settle(engine, slot, { cpuMicros: frame.value, straight, heapKb });
  return true;
}

/** Reply and end in one. */
function onDone(engine: Engine, slot: Slot, call: Call, frame: DecodedFrame): boolean {
  if (slot.state !== 'busy') return false;
  slot.runner.calls++;
  const cpuMicros = frame.value;
  answer(engine, call, {
    kind: 'replied',
    reply: frame.body,
    usage: usageOf(engine, call, cpuMicros),
  });
  settle(engine, slot, { cpuMicros, straight: isStraightOn(call), heapKb: null });
  return true;
}

/** It went on to its end without a rest. */
function isStraightOn({ hostCalls, waits }: Call): boolean {
  return hostCalls === 0 && !waits;
}

/** The thread may be free while the call rests: another isolate of the org can begin. A runner says it once a call. */
function onWaits(engine: Engine, call: Call): boolean {
  if (call.waits) return false;
  call.waits = true;
  pump(engine, call.lane);
  return true;
}

interface End {
  readonly cpuMicros: number;
  readonly straight: boolean;
  readonly heapKb: number | null;
}

function settle(engine: Engine, slot: Slot, { cpuMicros, straight, heapKb }: End): void {
  const quick = slot.call?.quick === true;
  noteCall(slot.lane, { cpuMicros, straight, quick }, engine.now());
  slot.call?.invocation?.settled?.(heapKb);
  if (slot.state === 'background') chargeRest(slot.call, cpuMicros, engine.now());
  slot.isolate.served++;
  endCall(engine, slot);
}

/** The runner gives a call back that it was not to begin at once; it can do that once. */
function onBounced(engine: Engine, slot: Slot, id: number): boolean {
  const { call: current, lane } = slot;
  const at = slot.next.findIndex((call) => call.id === id);
  const isCurrent = current?.id === id && current.piped && slot.state === 'busy';
  const call = isCurrent ? current : slot.next[at];
  if (!call?.quick) return false;
  noteBounce(lane);
  engine.settings.metrics.count('sandbox_bounced_total');
  if (!call.answered) requeue(engine, call);
  if (isCurrent) endCall(engine, slot);
  else slot.next.splice(at, 1);
  pump(engine, lane);
  return true;
}

/** The runner ended an isolate that broke a limit. */
function onOver(engine: Engine, slot: Slot, frame: DecodedFrame): boolean {
  if (!Object.hasOwn(OVER, frame.body)) return false;
  const cause = frame.body as OverCause;
  const known = OVER[cause];
  const { call, lane, state } = slot;
  engine.settings.metrics.count('sandbox_disposals_total', { cause });
  markDying(engine, slot);
  noteBroken(lane, engine.now());
  if (state === 'opening') chargeLoading(slot, frame.value, engine.now());
  if (state === 'opening') failQueue(engine, lane, known.code, `while loading: ${known.message}`);
  else if (call) breakOff(engine, slot, call, frame);
  if (state === 'background') chargeRest(call, frame.value, engine.now());
  releaseCall(slot);
  takeBack(engine, slot);
  pump(engine, lane);
  return true;
}

function breakOff(engine: Engine, slot: Slot, call: Call, frame: DecodedFrame): void {
  // The isolate ended before the call reached it: nobody has seen the call.
  if (frame.call !== call.id && !call.answered) return wait(engine, slot.lane, call, 'first');
  const cause = frame.body as OverCause;
  // V8 is told too little about strings from outside and ends honest isolates: a worn one deserves a second try.
  if (cause === 'memory' && slot.isolate.served > 0 && mayRetry(engine, call))
    return retry(engine, call, slot.lane);
  if (cause === 'neighbour' && mayRetry(engine, call)) return retry(engine, call, slot.lane);
  // The limit of an entry on the runner's own thread is wall time: it did not hold the core, it waited for one.
  const { cpuMs } = slot.lane.fleet.bundle.limits;
  if (cause === 'entry' && call.quick && frame.value < cpuMs * 1_000 && mayRetry(engine, call))
    return retry(engine, call, slot.lane);
  const { code, message } = OVER[cause];
  answer(engine, call, failure(code, message, usageOf(engine, call, frame.value)));
}

const OVER: Readonly<Record<OverCause, { readonly code: Code; readonly message: string }>> = {
  cpu: { code: 'CPU_EXCEEDED', message: 'it used more CPU than it may' },
  entry: { code: 'CPU_EXCEEDED', message: 'it held its thread longer than it may' },
  wall: { code: 'WALL_EXCEEDED', message: 'it took longer than it may' },
  memory: { code: 'MEMORY_EXCEEDED', message: 'the isolate grew beyond its limit' },
  hostCalls: { code: 'HOST_CALLS_EXCEEDED', message: 'it asked for more than it may' },
  tooLarge: { code: 'RESPONSE_TOO_LARGE', message: 'the response is larger than it may be' },
  background: { code: 'WALL_EXCEEDED', message: 'its work after the reply took more than it may' },
  neighbour: { code: 'RUNNER_KILLED', message: 'another call in its isolate broke a limit' },
};

/** A ping was answered: the clock of isolates that the host disposed before it starts now. */
export function onPong(engine: Engine, runner: Runner, value: number): void {
  const end = engine.now() + engine.settings.disposeGraceMs;
  for (const slot of runner.active) {
    if (slot.state === 'dying' && slot.stateEnd === Infinity && slot.awaitsPing <= value)
      slot.stateEnd = end;
  }
}
