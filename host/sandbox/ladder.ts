/**
 * The kill ladder: one coarse tick while anything is in flight looks at deadlines, wedged isolates, heartbeats and memory.
 * May import: kernel.
 */
import type { Engine } from './engine.ts';
import { answer, failCall, failQueue, failure, grow, pump, releaseCall } from './lanes.ts';
import type { Lane, Slot } from './records.ts';
import type { Runner } from './runner.ts';
import { disposeSlot } from './slots.ts';

export interface Ladder extends Disposable {
  /** Something is in flight: tick until nothing is. */
  wake(): void;
}

const TICK_MS = 5;
const MEMORY_EVERY_TICKS = 5;
/** Ticks with nothing in flight before the timer stops: starting it for every call would cost more. */
const LINGER_TICKS = 100;
const MB = 1_048_576;
/** What a runner may have beyond its isolates: garbage of its own heap, frames on their way. */
const SLACK_BYTES = 64 * MB;
/** V8's limit is soft, and what it does not count comes on top: how far above it memory may go. */
const SHARE_AT_REST = 1.5;
const SHARE_IN_USE = 2;

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

/** Waiting calls: too late ones are answered; an org that waits gets twice the isolates, up to its concurrency. */
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
  if (!head || now < lane.growAt || now - head.queuedAt < engine.settings.growAfterMs) return;
  if (lane.opening < lane.used || lane.opening === 0)
    grow(engine, lane, Math.min(queue.length, Math.max(1, lane.slots.size)) - lane.opening);
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
  const { heartbeatMs } = engine.settings;
  if (runner.pingAt > 0 && now - runner.pingAt > heartbeatMs) {
    const reason = `no heartbeat for ${heartbeatMs} ms`;
    return runner.kill({ kind: 'heartbeat', reason, culprit: null });
  }
  if (memory) checkMemory(runner);
}

function checkSlot(engine: Engine, slot: Slot, now: number): void {
  const { call, lane } = slot;
  switch (slot.state) {
    case 'busy':
      if (call && now >= call.deadline)
        failCall(engine, slot, 'WALL_EXCEEDED', 'the call did not end in time');
      return;
    case 'opening':
      if (now < slot.stateEnd) return;
      disposeSlot(engine, slot);
      return failQueue(engine, lane, 'WALL_EXCEEDED', 'loading the plug-in did not end in time');
    case 'background':
      if (now < slot.stateEnd) return;
      releaseCall(slot);
      disposeSlot(engine, slot);
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

/**
 * Two caps. By the first a runner may have what all its isolates may have. Since most are idle and small, that alone
 * would let one isolate have the memory of all: by the second it may have what stays between calls, and what the
 * isolates in use may have.
 */
function checkMemory(runner: Runner): void {
  const gauge = runner.memory;
  const first = runner.slots.values().next().value;
  if (!gauge || !first) return;
  const rss = gauge.read();
  const limit = first.lane.fleet.bundle.limits.memoryMb * MB;
  const atRest = runner.baseline + SLACK_BYTES + runner.slots.size * limit * SHARE_AT_REST;
  const inUse = gauge.floor + SLACK_BYTES + runner.active.size * limit * SHARE_IN_USE;
  const cap = Math.min(atRest, inUse);
  if (rss <= cap) return;
  const reason = `resident memory of ${Math.round(rss / MB)} MB is over the cap of ${Math.round(cap / MB)} MB`;
  runner.kill({ kind: 'memory', reason, culprit: null });
}
