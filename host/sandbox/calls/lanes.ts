/**
 * Calls and the isolates of one org: wait, start, answer, grow.
 * May import: kernel.
 */
import { codeOf, messageOf, type Code } from '../../kernel/errors.ts';
import { fleetOf, laneOf, type Engine } from '../engine.ts';
import { believable } from './charge.ts';
import { advance, begun, feed, isPipeable, takeNext } from './feed.ts';
import { isQuick, mayBegin, noteBroken } from './pace.ts';
import { groupOf, place, sendCache } from './placement.ts';
import type { Call, Lane, Slot } from './records.ts';
import type { GuestBundle, Invocation, Outcome, Usage } from '../sandbox.ts';
import { createSlot, disposeSlot, isWorn, moveSlot, noteBreak } from './slots.ts';

/** Pause before an org whose isolate could not be opened gets another one, while it has some. */
const GROW_PAUSE_MS = 1_000;
/** A call with less time left than this is not worth a second try, ms. */
const RETRY_MIN_MS = 5;

/** Failures after which the isolate is as good as before. */
const HARMLESS: ReadonlySet<Code> = new Set(['PLUGIN_THREW', 'RESPONSE_INVALID']);

/** Take a call in; its outcome comes through the promise, which never rejects. */
export function submit(engine: Engine, invocation: Invocation): Promise<Outcome> {
  const { bundle, org, deadline } = invocation;
  const lane = laneOf(engine, fleetOf(engine, bundle), org);
  const now = engine.now();
  const refused = engine.closing
    ? failure('DRAINING', 'the sandbox is closing')
    : now >= deadline
      ? failure('DEADLINE_PASSED', 'the call was too late for the sandbox')
      : refusalOf(lane, now);
  if (refused) return Promise.resolve(refused);
  return new Promise((settle) => {
    enqueue(engine, createCall(engine, lane, settle, { invocation, dueAt: deadline }));
  });
}

/** Load the plug-in in an isolate that is thrown away; `reply` of the outcome is the JSON of its handlers. */
export function submitProbe(engine: Engine, bundle: GuestBundle, dueAt: number): Promise<Outcome> {
  const { trial } = fleetOf(engine, bundle);
  return new Promise((settle) => {
    enqueue(engine, createCall(engine, trial, settle, { invocation: null, dueAt }));
  });
}

/** Open an isolate for an org before its first call. The promise never rejects. */
export function submitWarmUp(
  engine: Engine,
  bundle: GuestBundle,
  org: string,
  dueAt: number,
): Promise<Outcome> {
  const lane = laneOf(engine, fleetOf(engine, bundle), org);
  return new Promise((settle) => {
    enqueue(engine, createCall(engine, lane, settle, { invocation: null, dueAt }));
  });
}

function refusalOf(lane: Lane, now: number): Outcome | null {
  const plugin = lane.fleet.breaker.refusalMs(now);
  const ms = plugin > 0 ? plugin : lane.breaker.refusalMs(now);
  if (ms === 0) return null;
  const whom = plugin > 0 ? 'the plug-in' : 'the plug-in for this org';
  return failure(
    'PLUGIN_QUARANTINED',
    `${whom} killed its runner too often; paused for ${Math.ceil(ms / 1_000)} s`,
  );
}

/** A breaker has opened: who waits is refused like who comes. */
export function refuseWaiting(engine: Engine, lane: Lane): void {
  const refused = lane.queue.length > 0 ? refusalOf(lane, engine.now()) : null;
  if (!refused) return;
  for (const call of lane.queue.splice(0)) answer(engine, call, refused);
  engine.waiting.delete(lane);
}

function createCall(
  engine: Engine,
  lane: Lane,
  settle: (outcome: Outcome) => void,
  { invocation, dueAt }: { invocation: Invocation | null; dueAt: number },
): Call {
  return {
    id: engine.nextCall(),
    invocation,
    lane,
    settle,
    queuedAt: engine.now(),
    dueAt,
    startedAt: 0,
    deadline: dueAt,
    pid: 0,
    cold: false,
    retried: false,
    quick: false,
    piped: false,
    answered: false,
    hostCalls: 0,
    hostWaiting: 0,
    waits: false,
    hostBytes: 0,
    logLines: 0,
    chargedMs: 0,
    aborter: null,
  };
}

/** Start the call in an idle isolate of its lane, or let it wait for one. */
function enqueue(engine: Engine, call: Call): void {
  const { lane } = call;
  lane.lastUsed = lane.fleet.lastUsed = engine.now();
  const slot = lane.idle.at(-1);
  if (slot && lane.queue.length === 0 && mayStart(engine, slot, call))
    return startCall(engine, slot, call);
  // Who waits for an isolate that may still be opened is no part of the queue.
  const room = engine.settings.queuePerOrg + concurrencyOf(lane) - (lane.used - lane.opening);
  if (lane.queue.length >= room)
    return answer(engine, call, failure('CONCURRENCY_EXCEEDED', `${lane.queue.length} calls wait`));
  wait(engine, lane, call, 'last');
}

/** Let a call wait in a lane, at the end or as the next one. */
export function wait(engine: Engine, lane: Lane, call: Call, place: 'first' | 'last'): void {
  if (place === 'first') lane.queue.unshift(call);
  else lane.queue.push(call);
  engine.waiting.add(lane);
  engine.wake();
  pump(engine, lane);
}

/** Give waiting calls to idle isolates; see that there is at least one on its way. */
export function pump(engine: Engine, lane: Lane): void {
  while (lane.queue.length > 0) {
    const slot = lane.idle.at(-1);
    const call = lane.queue[0];
    if (!slot || !call || !mayStart(engine, slot, call)) break;
    lane.queue.shift();
    if (!call.answered) startCall(engine, slot, call);
  }
  feed(engine, lane);
  if (lane.queue.length === 0) engine.waiting.delete(lane);
  else if (isOnce(lane)) grow(engine, lane, lane.queue.length - lane.opening);
  else if (lane.used === 0) grow(engine, lane, 1);
}

/** Isolates that come back from work after their reply may be more than the org may have at work. */
function mayStart(engine: Engine, { lane, runner }: Slot, call: Call): boolean {
  // A call that must not run twice is not put beside one whose end may take the runner with it.
  if (runner.brokenOff > 0 && !call.invocation?.idempotent) return false;
  const busy = lane.used - lane.opening;
  return busy < concurrencyOf(lane) && mayBegin(lane, engine.now(), isPipeable(call));
}

/** Whether an isolate of the lane serves one call only. */
function isOnce(lane: Lane): boolean {
  return lane.kind === 'trial' || lane.fleet.bundle.isolation === 'request';
}

/** Open up to `count` further isolates, within the org's concurrency. */
export function grow(engine: Engine, lane: Lane, count: number): void {
  const overtime = Math.max(0, lane.background - engine.settings.backgroundPerOrg);
  const room = concurrencyOf(lane) - lane.used - overtime;
  for (let left = Math.min(count, room); left > 0; left--) {
    lane.used++;
    lane.opening++;
    void openSlot(engine, lane); // never rejects
  }
}

function concurrencyOf(lane: Lane): number {
  return lane.kind === 'trial' ? 1 : lane.fleet.bundle.limits.concurrency;
}

async function openSlot(engine: Engine, lane: Lane): Promise<void> {
  try {
    const runner = await place(engine, lane);
    if (lane.queue.length === 0) return unreserve(lane);
    sendCache(engine, runner, lane.fleet);
    const slot = createSlot(engine, lane, runner);
    runner.send({ type: 'open', slot: slot.number, value: lane.seats });
  } catch (error) {
    unreserve(lane);
    failQueue(engine, lane, codeOf(error), messageOf(error));
  }
}

function unreserve(lane: Lane): void {
  lane.used--;
  lane.opening--;
}

/** No isolate can be had for now: answer all that wait, unless others of the lane can still serve them. */
export function failQueue(engine: Engine, lane: Lane, code: Code, message: string): void {
  lane.growAt = engine.now() + GROW_PAUSE_MS;
  if (lane.used > 0) return;
  engine.waiting.delete(lane);
  // A trial lane holds calls of many orgs: only the one that was to be served is concerned.
  const count = lane.kind === 'trial' && code !== 'RUNNER_UNAVAILABLE' ? 1 : lane.queue.length;
  for (const call of lane.queue.splice(0, count)) answer(engine, call, failure(code, message));
  if (lane.queue.length > 0) wait(engine, lane, lane.queue.shift() as Call, 'first');
}

function startCall(engine: Engine, slot: Slot, call: Call): void {
  const { invocation, lane } = call;
  if (!invocation) {
    answer(engine, call, {
      kind: 'replied',
      reply: slot.handlers,
      usage: usageOf(engine, call, 0),
    });
    // Of a probe nothing is kept; what was opened for an org stands ready.
    if (lane.kind === 'trial') disposeSlot(engine, slot);
    return;
  }
  const now = engine.now();
  begun(slot, call, now);
  call.pid = slot.runner.pid;
  call.quick = isQuick(lane, now);
  slot.call = call;
  slot.runner.lastUsed = now;
  moveSlot(engine, slot, 'busy');
  slot.runner.send({
    type: call.quick ? 'quickCall' : 'call',
    slot: slot.number,
    call: call.id,
    value: Math.max(1, Math.ceil(call.deadline - now)),
    body: invocation.payload,
  });
}

/** Tell the caller how it ended; only the first answer counts. */
export function answer(engine: Engine, call: Call, outcome: Outcome): void {
  if (call.answered) return;
  call.answered = true;
  call.chargedMs = outcome.usage?.cpuMs ?? 0;
  if (outcome.kind === 'failed') report(engine, call, outcome);
  if (outcome.kind === 'replied' || HARMLESS.has(outcome.code)) {
    call.lane.breaker.success();
    call.lane.fleet.breaker.success();
  }
  call.settle(outcome);
}

function report(engine: Engine, call: Call, outcome: Outcome & { kind: 'failed' }): void {
  const { plugin, version } = call.lane.fleet.bundle;
  const { code, message } = outcome;
  engine.settings.metrics.count('sandbox_calls_failed_total', { plugin, code });
  engine.settings.log.info('sandbox.call.failed', {
    plugin,
    version,
    org: call.invocation?.org,
    call: call.invocation?.callId,
    code,
    message,
  });
}

/** The call has left its isolate: nothing of it may go on. */
export function releaseCall(slot: Slot): void {
  const { call } = slot;
  slot.call = null;
  call?.aborter?.abort();
}

/** End a call with a failure, and its isolate with it. */
export function failCall(engine: Engine, slot: Slot, code: Code, message: string): void {
  const { call, lane } = slot;
  noteBroken(lane, engine.now());
  noteBreak(slot);
  const cause = code === 'WALL_EXCEEDED' ? 'wall' : 'hostCalls';
  engine.settings.metrics.count('sandbox_disposals_total', { cause });
  if (call) answer(engine, call, failure(code, message, usageOf(engine, call, 0)));
  slot.ended = call;
  releaseCall(slot);
  disposeSlot(engine, slot);
  takeBack(engine, slot);
  pump(engine, lane);
}

/** The calls that waited in an isolate which is ending go back to the queue. */
export function takeBack(engine: Engine, slot: Slot): void {
  for (const call of takeNext(slot)) requeue(engine, call);
}

/** A call that no isolate works on waits again, before those that came after it; `pump` is the caller's to do. */
export function requeue(engine: Engine, call: Call): void {
  const { lane } = call;
  call.startedAt = call.pid = 0;
  call.deadline = call.dueAt;
  call.quick = call.waits = false;
  const place = lane.queue.findIndex(({ piped }) => !piped);
  lane.queue.splice(place < 0 ? lane.queue.length : place, 0, call);
  engine.waiting.add(lane);
  engine.wake();
}

/** The call in the isolate is over: the next one that the runner has already, or none. */
export function endCall(engine: Engine, slot: Slot): void {
  if (!advance(engine, slot)) return becomeIdle(engine, slot);
  if (slot.state !== 'busy') moveSlot(engine, slot, 'busy');
  if (slot.lane.queue.length > 0) pump(engine, slot.lane);
}

/** Whether a call that got no answer may run once more. */
export function mayRetry(engine: Engine, call: Call): boolean {
  if (call.answered || call.retried || !call.invocation?.idempotent) return false;
  return call.dueAt - engine.now() > RETRY_MIN_MS && !engine.closing;
}

/** Run the call once more in `lane`, before all others; the deadline stays. */
export function retry(engine: Engine, call: Call, lane: Lane): void {
  call.retried = true;
  call.deadline = call.dueAt;
  call.hostCalls = call.hostBytes = call.logLines = call.chargedMs = 0;
  call.waits = false;
  // What the first try left running at the host ends with it.
  call.aborter?.abort();
  call.aborter = null;
  engine.settings.metrics.count('sandbox_retries_total', { plugin: lane.fleet.bundle.plugin });
  wait(engine, lane, call, 'first');
}

/** An isolate is free: give it the next call, or end it when it has done its time. */
export function becomeIdle(engine: Engine, slot: Slot): void {
  const { lane, runner } = slot;
  const { served, ending } = slot.isolate;
  const used = served > 0;
  const left = lane.fleet.retired && lane.queue.length === 0;
  const moved = runner.group !== groupOf(engine, lane) || !runner.open || left;
  if (
    ending ||
    (isOnce(lane) && used) ||
    (moved && (used || lane.queue.length === 0)) ||
    isWorn(engine, slot)
  )
    disposeSlot(engine, slot);
  else moveSlot(engine, slot, 'idle');
  pump(engine, lane);
}

export function failure(code: Code, message: string, usage: Usage | null = null): Outcome {
  return { kind: 'failed', code, message, usage };
}

export function usageOf(engine: Engine, call: Call, cpuMicros: number): Usage {
  return {
    cpuMs: believable(call, cpuMicros, engine.now()),
    wallMs: call.startedAt > 0 ? engine.now() - call.startedAt : 0,
    hostCalls: call.hostCalls,
    pid: call.pid,
    cold: call.cold,
  };
}
