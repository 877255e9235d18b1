/**
 * What happens to isolates and runners that nobody uses, that are worn, or that are too many for the memory.
 * May import: kernel.
 */
import type { Engine } from './engine.ts';
import { groupOf } from './calls/placement.ts';
import type { Fleet, Lane } from './calls/records.ts';
import type { Runner } from './process/runner.ts';
import { disposeSlot, isNeeded } from './calls/slots.ts';
import { raiseIfCalm } from './yielding.ts';

const EVERY_MS = 1_000;
const MB = 1_048_576;
/** What an idle isolate with prelude and plug-in takes: enough to judge growth and what freeing brings. */
const ISOLATE_BYTES = 4 * MB;
const GROWTH_PER_ISOLATE_BYTES = 8 * MB;

export function startHousekeeping(engine: Engine): Disposable {
  const timer = setInterval(() => tidy(engine), EVERY_MS).unref();
  return { [Symbol.dispose]: () => clearInterval(timer) };
}

function tidy(engine: Engine): void {
  const now = engine.now();
  freeIdle(engine, now);
  let total = 0;
  for (const runner of engine.pool.runners) {
    total += runner.memory?.read() ?? 0;
    tidyRunner(engine, runner, now);
  }
  freeForBudget(engine, total);
  for (const fleet of engine.fleets.values()) tidyFleet(engine, fleet, now);
}

function freeIdle(engine: Engine, now: number): void {
  for (const slot of engine.idle) {
    if (now - slot.idleSince < engine.settings.idleMs) return;
    if (!isNeeded(slot)) disposeSlot(engine, slot);
  }
}

function freeForBudget(engine: Engine, totalBytes: number): void {
  let over = totalBytes - engine.settings.memoryBudgetMb * MB;
  for (const slot of engine.idle) {
    if (over <= 0) return;
    if (isNeeded(slot)) continue;
    disposeSlot(engine, slot);
    engine.settings.metrics.count('sandbox_evictions_total');
    over -= ISOLATE_BYTES;
  }
}

function tidyRunner(engine: Engine, runner: Runner, now: number): void {
  if (!runner.group) return;
  raiseIfCalm(engine, runner, now);
  const why = runner.state === 'serving' ? wornBecause(engine, runner, now) : null;
  if (why) drainRunner(engine, runner, why);
  const unused = runner.slots.size === 0 && runner.group.starting === null;
  const finished = runner.state === 'draining' || now - runner.lastUsed >= engine.settings.idleMs;
  if (unused && finished) endRunner(runner, why ?? 'it is not used');
}

function wornBecause(engine: Engine, runner: Runner, now: number): string | null {
  const { runnerMaxCalls, runnerMaxAgeMs, runnerMaxGrowthMb } = engine.settings;
  if (runner.calls >= runnerMaxCalls) return `it served ${runner.calls} calls`;
  if (now - runner.startedAt >= runnerMaxAgeMs) return 'its age';
  const allowed =
    runner.baseline + runner.isolates * GROWTH_PER_ISOLATE_BYTES + runnerMaxGrowthMb * MB;
  const floor = runner.memory?.floor ?? 0;
  return floor > allowed ? `it keeps ${Math.round(floor / MB)} MB` : null;
}

/** Nothing new goes to this runner; it ends once its last call has. */
export function drainRunner(engine: Engine, runner: Runner, reason: string): void {
  if (!runner.open) return;
  runner.state = 'draining';
  engine.settings.metrics.count('sandbox_runners_recycled_total');
  engine.settings.log.debug('runner.draining', { pid: runner.pid, reason });
  for (const slot of runner.slots.values()) if (slot.state === 'idle') disposeSlot(engine, slot);
}

function endRunner(runner: Runner, reason: string): void {
  runner.kill({ kind: 'retired', reason, culprit: null });
}

/** End the runner that was not used for the longest time and holds no call; a place for another one is wanted. */
export function evictRunner(engine: Engine): void {
  let oldest: Runner | null = null;
  for (const runner of engine.pool.runners) {
    if (!runner.open || runner.active.size > 0 || runner.group?.starting) continue;
    if (!oldest || runner.lastUsed < oldest.lastUsed) oldest = runner;
  }
  if (oldest) endRunner(oldest, 'its place is wanted');
}

function tidyFleet(engine: Engine, fleet: Fleet, now: number): void {
  for (const lane of fleet.lanes.values()) {
    leaveProbation(engine, lane);
    if (isForgettable(engine, lane, now)) fleet.lanes.delete(lane.org);
  }
  const runners = fleet.shared.runners.size + (fleet.trial.own?.runners.size ?? 0);
  const busy = runners > 0 || fleet.lanes.size > 0 || fleet.trial.queue.length > 0;
  if (busy || now - fleet.lastUsed < engine.settings.idleMs || !fleet.breaker.clean(now)) return;
  fleet.retired = true;
  engine.fleets.delete(fleet.key);
}

/** Isolates that stayed behind in a group that no longer serves their lane. */
function leaveProbation(engine: Engine, lane: Lane): void {
  if (!lane.own) return;
  const group = groupOf(engine, lane);
  for (const slot of lane.idle.slice()) if (slot.runner.group !== group) disposeSlot(engine, slot);
  if (group !== lane.own && lane.own.runners.size === 0 && !lane.own.starting) lane.own = null;
}

function isForgettable(engine: Engine, lane: Lane, now: number): boolean {
  return (
    lane.slots.size === 0 &&
    lane.used === 0 &&
    lane.queue.length === 0 &&
    (lane.own?.runners.size ?? 0) === 0 &&
    (lane.soloUntil <= now || lane.soloUntil === Infinity) &&
    lane.breaker.clean(now) &&
    now - lane.lastUsed >= engine.settings.idleMs
  );
}
