/**
 * The kill ladder: one coarse tick while anything is in flight looks at deadlines, wedged isolates, heartbeats and memory.
 * May import: kernel.
 */
import { availableParallelism } from 'node:os';
import type { Engine } from './engine.ts';
import {
  answer,
  failCall,
  failQueue,
  failure,
  grow,
  pump,
  releaseCall,
  takeBack,
} from './calls/lanes.ts';
import { memoryCapOf } from './process/memory-cap.ts';
import { isQuick, isResting } from './calls/pace.ts';
import type { Lane, Slot } from './calls/records.ts';
import type { Runner } from './process/runner.ts';
import { disposeSlot } from './calls/slots.ts';
import { lowerIfComputing } from './yielding.ts';

export interface Ladder extends Disposable {
  /** Something is in flight: tick until nothing is. */
  wake(): void;
}

const TICK_MS = 5;
const MEMORY_EVERY_TICKS = 5;
/** Ticks with nothing in flight before the timer stops: starting it for every call would cost more. */
const LINGER_TICKS = 100;
/** A call that is in its isolate for so long is taken to wait for something, ms. */
const SLOW_MS = 100;
/** The same where calls have proved short: a busy machine alone does not make it look so. */
const QUICK_SLOW_MS = 1_000;
/** After so long in its isolate a call makes the host ask whether the runner still listens, ms. */
const LISTENS_MS = 250;
const CORES = availableParallelism();
/** Isolates of one org that are loaded at the same time: more would only share the cores. */
const MOST_OPENING = 2 * CORES;
const MB = 1_048_576;
export function createLadder(engine: () => Engine): Ladder {
  let timer: NodeJS.Timeout | null = null;
  let ticks = 0;
  let quiet = 0;

  function tick(): void {
    const { activeRunners, waiting } = engine();
    quiet = activeRunners.size + waiting.size > 0 ? 0 : quiet + 1;
    if (quiet > LINGER_TICKS) return stop();
    const memory = ++ticks % MEMORY_EVERY_TICKS === 0;
    const now = engine().now();
    for (const lane of waiting) checkQueue(engine(), lane, now);
    for (const runner of activeRunners) checkRunner(engine(), runner, now, memory);
  }

  function stop(): void {
    if (timer) clearInterval(timer);
    timer = null;
  }

  return {
    wake() {
      if (timer) return;
      quiet = 0;
      timer = setInterval(tick, TICK_MS).unref();
    },
    [Symbol.dispose]: stop,
  };
}

/** Waiting calls: too late ones are answered; an org that waits gets further isolates where they help. */
function checkQueue(engine: Engine, lane: Lane, now: number): void {
  const { queue } = lane;
  for (let at = queue.length - 1; at >= 0; at--) {
    const call = queue[at];
    if (!call || now < call.dueAt) continue;
    queue.splice(at, 1);
    answer(engine, call, tooLate(lane));
  }
  pump(engine, lane);
  const head = queue[0];
  // Where isolates stand idle it is not isolates that the calls wait for.
  if (lane.idle.length > 0) return;
  if (!head || now < lane.growAt || now - head.queuedAt < engine.settings.growAfterMs) return;
  if (lane.opening < lane.used || lane.opening === 0)
    grow(engine, lane, Math.min(wanted(lane), helpful(engine, lane, now)) - lane.opening);
}

/** Isolates that would take all waiting calls. */
function wanted({ queue, seats }: Lane): number {
  return Math.ceil(queue.length / seats);
}

/** Isolates that it has; where calls share them, those that still take some. */
function isolatesOf({ slots, seats }: Lane): number {
  if (seats === 1) return slots.size;
  return new Set([...slots].map(({ isolate }) => isolate).filter(({ ending }) => !ending)).size;
}

/**
 * Isolates to have on their way, since they would shorten the queue. Where every call at work waits for the host: as
 * many as can be loaded side by side, again and again. Else as many as hold a call that waits, or one for each core, or
 * one where calls run on the runner's own thread: where handlers only compute, more than cores would share the same CPU
 * and each start with uncompiled code.
 */
function helpful(engine: Engine, lane: Lane, now: number): number {
  const quick = isQuick(lane, now);
  let stuck = 0;
  let waiting = 0;
  for (const { call } of lane.slots) {
    const waits = call && isResting(call);
    const slowMs = waits ? engine.settings.growAfterMs : quick ? QUICK_SLOW_MS : SLOW_MS;
    if (call && now - call.startedAt >= slowMs) stuck++;
    if (waits) waiting++;
  }
  if (stuck > 0 && waiting === lane.used - lane.opening) return MOST_OPENING;
  // Cores that other orgs' isolates are using already are no help.
  const others = (lane.home?.active.size ?? 0) - (lane.used - lane.opening);
  const cores = quick ? 1 : Math.max(1, CORES - others);
  return Math.min(MOST_OPENING, Math.max(Math.ceil(stuck / lane.seats), cores - isolatesOf(lane)));
}

function tooLate(lane: Lane) {
  const serving = lane.used > lane.opening || lane.background > 0;
  if (serving) return failure('CONCURRENCY_EXCEEDED', 'the call waited behind others of its org');
  return lane.slots.size > 0
    ? failure('WALL_EXCEEDED', 'the plug-in was still being loaded')
    : failure('RUNNER_UNAVAILABLE', 'there was no runner in time');
}

function checkRunner(engine: Engine, runner: Runner, now: number, memory: boolean): void {
  for (const slot of runner.active) {
    if (!runner.alive) return;
    checkSlot(engine, slot, now);
  }
  if (runner.active.size === 0) {
    engine.activeRunners.delete(runner);
    return;
  }
  lowerIfComputing(engine, runner, now);
  const { heartbeatMs } = engine.settings;
  if (runner.pingAt > 0 && now - runner.pingAt > heartbeatMs) {
    const reason = `no heartbeat for ${heartbeatMs} ms`;
    return runner.kill({ kind: 'heartbeat', reason, culprit: null });
  }
  if (memory) checkMemory(runner, now);
}

function checkSlot(engine: Engine, slot: Slot, now: number): void {
  const { call, lane } = slot;
  switch (slot.state) {
    case 'busy':
      for (const late of slot.next) if (now >= late.dueAt) answer(engine, late, tooLate(lane));
      if (call && now >= call.deadline)
        failCall(engine, slot, 'WALL_EXCEEDED', 'the call did not end in time');
      // On its own thread a runner hears nothing while a guest computes: a ping starts the clock.
      else if (call && now - call.startedAt > LISTENS_MS && !slot.runner.pingAt) slot.runner.ping();
      return;
    case 'opening':
      if (now < slot.stateEnd) return;
      engine.settings.metrics.count('sandbox_disposals_total', { cause: 'load' });
      disposeSlot(engine, slot);
      return failQueue(engine, lane, 'WALL_EXCEEDED', 'loading the plug-in did not end in time');
    case 'background':
      if (now < slot.stateEnd) return;
      slot.ended = slot.call;
      engine.settings.metrics.count('sandbox_disposals_total', { cause: 'background' });
      releaseCall(slot);
      disposeSlot(engine, slot);
      takeBack(engine, slot);
      return pump(engine, lane);
    case 'dying':
      if (now < slot.stateEnd) return;
      slot.runner.kill({
        kind: 'wedged',
        reason: `an isolate did not end ${engine.settings.disposeGraceMs} ms after its disposal`,
        culprit: slot,
      });
      return;
    case 'idle':
  }
}

function checkMemory(runner: Runner, now: number): void {
  const rss = runner.memory?.read() ?? 0;
  const cap = memoryCapOf(runner, now);
  if (rss <= cap) return;
  const [has, may] = [rss, cap].map((bytes) => Math.round(bytes / MB));
  const reason = `resident memory of ${has} MB is over the cap of ${may} MB`;
  runner.kill({ kind: 'memory', reason, culprit: null });
}
