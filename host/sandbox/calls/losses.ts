/**
 * What becomes of the calls of a runner that died or was killed: culprit, suspects, second tries, blame.
 * May import: kernel.
 */
import type { Code } from '../../kernel/errors.ts';
import type { Engine } from '../engine.ts';
import {
  answer,
  failQueue,
  failure,
  mayRetry,
  pump,
  refuseWaiting,
  releaseCall,
  requeue,
  retry,
  usageOf,
} from './lanes.ts';
import { takeNext } from './feed.ts';
import type { Call, Lane, Slot } from './records.ts';
import type { Loss, Runner } from '../process/runner.ts';
import { disposeSlot, removeSlot } from './slots.ts';

/** Suspicion is forgotten after this time, ms. */
const SUSPECT_MS = 60_000;
/** So many suspects at once are a crowd: a starved machine is as likely a cause as one of them. */
const CROWD = 5;
/** What a loss adds to the suspicion of each of few, and of a crowd; beyond 1 it is blame. */
const FEW_WEIGHT = 0.6;
const CROWD_WEIGHT = 0.25;

/** Answer or repeat every call of a lost runner, and decide who is to blame. Called once for each runner. */
export function onLost(engine: Engine, runner: Runner, loss: Loss): void {
  const slots = [...runner.slots.values()];
  const active = slots.filter((slot) => slot.state !== 'idle');
  const culprit = culpritOf(loss, active);
  const calls = new Map(active.map((slot) => [slot, slot.call]));
  tell(engine, runner, loss, active.length);
  runner.group?.runners.delete(runner);
  engine.activeRunners.delete(runner);
  const states = new Map(active.map((slot) => [slot, slot.state]));
  const ahead = active.flatMap(takeNext);
  for (const slot of slots) {
    releaseCall(slot);
    removeSlot(engine, slot);
  }
  if (loss.kind !== 'retired' && culprit) onCulprit(engine, culprit, calls.get(culprit), loss);
  const weight = active.length >= CROWD ? CROWD_WEIGHT : FEW_WEIGHT;
  for (const slot of crowdsFirst(active)) {
    if (slot === culprit) continue;
    const innocent = culprit !== null || loss.kind === 'retired' || states.get(slot) === 'dying';
    onSuspect(engine, slot.lane, calls.get(slot) ?? null, innocent ? 0 : weight);
  }
  for (const call of ahead) onAhead(engine, call);
  for (const slot of slots) pump(engine, slot.lane);
}

/** Each second try is put before those that wait already, one after the other: an org with many would keep the others waiting. */
function crowdsFirst(active: readonly Slot[]): readonly Slot[] {
  const crowd = new Map<Lane, number>();
  for (const { lane } of active) crowd.set(lane, (crowd.get(lane) ?? 0) + 1);
  return active.toSorted((a, b) => (crowd.get(b.lane) ?? 0) - (crowd.get(a.lane) ?? 0));
}

function tell(engine: Engine, runner: Runner, loss: Loss, inFlight: number): void {
  const { log, metrics } = engine.settings;
  const { kind, reason } = loss;
  const bundle = [...runner.lanes.keys()][0]?.fleet.bundle;
  if (kind === 'retired')
    return log.debug('runner.ended', { plugin: bundle?.plugin, pid: runner.pid, reason });
  metrics.count('sandbox_runners_lost_total', { kind });
  log.warn('runner.lost', {
    plugin: bundle?.plugin,
    version: bundle?.version,
    pid: runner.pid,
    kind,
    reason,
    inFlight,
    rssBytes: runner.memory?.rss,
  });
}

/** The isolate that did it: named by the loss, or the only one that can have. */
function culpritOf(loss: Loss, active: readonly Slot[]): Slot | null {
  if (loss.culprit) return loss.culprit;
  if (loss.kind === 'protocol') return active.length === 1 ? (active[0] ?? null) : null;
  if (loss.kind !== 'memory') return null;
  const dying = active.filter((slot) => slot.state === 'dying');
  const candidates = dying.length > 0 ? dying : active;
  const [first] = candidates;
  // Of an isolate that was ended with several calls all slots are of the same org, and hold no call any more.
  const isOne = candidates.every(({ isolate }) => isolate === first?.isolate);
  return first && (candidates.length === 1 || (isOne && dying.length > 0)) ? first : null;
}

function onCulprit(engine: Engine, slot: Slot, call: Call | null | undefined, loss: Loss): void {
  const code: Code = loss.kind === 'memory' ? 'MEMORY_EXCEEDED' : 'RUNNER_KILLED';
  const { lane } = slot;
  blame(engine, call?.lane ?? lane, loss.kind);
  if (call) answer(engine, call, failure(code, loss.reason, usageOf(engine, call, 0)));
  // Where loading kills, the calls that wait for it are answered; else their turn has not come.
  else if (!slot.loaded && lane.slots.size === 0) failQueue(engine, lane, code, loss.reason);
}

/**
 * A call that the runner had beside the one of its isolate: most likely it was not begun, and it may run twice. Its
 * next run is on its own, so that whoever kills runners is the call of an isolate the next time.
 */
function onAhead(engine: Engine, call: Call): void {
  if (mayRetry(engine, call)) return requeue(engine, call);
  const message = 'the runner process died and there is no time for a second try';
  answer(engine, call, failure('RUNNER_KILLED', message, usageOf(engine, call, 0)));
}

/** A call that was in a lost runner and may or may not be the cause; a weight of 0 says that it is not. */
function onSuspect(engine: Engine, lane: Lane, call: Call | null, weight: number): void {
  const innocent = weight === 0;
  if (call?.answered) return;
  if (call && mayRetry(engine, call)) {
    retry(engine, call, innocent ? call.lane : lane.fleet.trial);
    return;
  }
  const suspect = call?.lane ?? lane;
  // A second try runs alone: whoever loses that too did it.
  const repeated = !innocent && (suspected(engine, suspect, weight) || call?.retried === true);
  if (repeated) blame(engine, suspect, 'repeated');
  const message = 'the runner process died under the call';
  if (call) answer(engine, call, failure('RUNNER_KILLED', message, usageOf(engine, call, 0)));
  else if (repeated && lane.slots.size === 0)
    failQueue(
      engine,
      lane,
      'RUNNER_KILLED',
      'the runner process died while the plug-in was loaded',
    );
}

/** Whether the suspicion against an org has grown to blame. */
function suspected(engine: Engine, lane: Lane, weight: number): boolean {
  const now = engine.now();
  const before = now - lane.suspectedAt < SUSPECT_MS ? lane.suspicion : 0;
  lane.suspectedAt = now;
  lane.suspicion = before + weight;
  return lane.suspicion > 1;
}

/** This org's call killed a runner: it gets a runner of its own for a while, and the breakers count it. */
export function blame(engine: Engine, lane: Lane, cause: string): void {
  const { settings } = engine;
  const { bundle } = lane.fleet;
  const now = engine.now();
  lane.breaker.failure(now);
  lane.fleet.breaker.failure(now);
  const paused = lane.fleet.breaker.state === 'open' ? lane.fleet.lanes.values() : [lane];
  for (const one of paused) refuseWaiting(engine, one);
  if (lane.kind === 'org') lane.soloUntil = Math.max(lane.soloUntil, now + settings.probationMs);
  for (const slot of lane.idle.slice()) disposeSlot(engine, slot);
  settings.metrics.count('sandbox_blames_total', { plugin: bundle.plugin });
  settings.log.warn('sandbox.blamed', {
    plugin: bundle.plugin,
    version: bundle.version,
    org: lane.org,
    cause,
    breaker: lane.breaker.state,
    pluginBreaker: lane.fleet.breaker.state,
  });
}
