/**
 * Which runner an isolate is opened in: the lane's group, a runner with room, or a new one bound to the plug-in.
 * May import: kernel, quotas.
 */
import { HostError } from '../../kernel/errors.ts';
import { createGroup, type Engine } from '../engine.ts';
import type { Fleet, Group, Lane } from './records.ts';
import { defaultLimits } from '../../quotas/limits.ts';
import type { Runner } from '../process/runner.ts';
import { lowerForGood } from '../yielding.ts';

/** The group that serves a lane now. */
export function groupOf(engine: Engine, lane: Lane): Group {
  if (lane.soloUntil <= engine.now()) return lane.fleet.shared;
  return (lane.own ??= createGroup(true));
}

/** A runner for one more isolate of the lane. Rejects with `RUNNER_UNAVAILABLE`. */
export async function place(engine: Engine, lane: Lane): Promise<Runner> {
  for (;;) {
    const group = groupOf(engine, lane);
    const runner = pick(engine, lane, group);
    if (runner) return runner;
    group.starting ??= startIn(engine, lane, group);
    await group.starting;
  }
}

function pick(engine: Engine, lane: Lane, group: Group): Runner | null {
  const { home } = lane;
  if (home?.open && home.group === group) return home;
  for (const runner of group.runners) {
    if (runner.open && runner.lanes.size < engine.settings.orgsPerRunner) return runner;
  }
  return null;
}

async function startIn(engine: Engine, lane: Lane, group: Group): Promise<Runner> {
  try {
    const runner = await engine.pool.take();
    if (engine.closing) {
      const reason = 'the sandbox is closing';
      runner.kill({ kind: 'retired', reason, culprit: null });
      throw new HostError('RUNNER_UNAVAILABLE', reason);
    }
    if (runner.alive) bind(engine, runner, lane, group);
    return runner;
  } finally {
    group.starting = null;
  }
}

/** From here on the runner belongs to this version of this plug-in, until its end. */
function bind(engine: Engine, runner: Runner, lane: Lane, group: Group): void {
  const { fleet } = lane;
  runner.state = 'serving';
  runner.group = group;
  group.runners.add(runner);
  if (fleet.bundle.niced) lowerForGood(engine, runner, 'last');
  else if (group.own && isOnProbation(lane)) lowerForGood(engine, runner, 'yielding');
  runner.limit(fleet.frameBytes);
  runner.send({ type: 'main', body: fleet.bundle.source });
  runner.wantsCache = true;
  sendCache(engine, runner, fleet);
  runner.send({ type: 'plan', body: fleet.plan });
}

/** It killed a runner lately: this one is for nobody else. */
function isOnProbation({ kind, soloUntil }: Lane): boolean {
  return kind === 'org' && soloUntil > 0 && soloUntil !== Infinity;
}

/** Hand the code cache of the plug-in over once it is made; until then isolates open without. */
export function sendCache(engine: Engine, runner: Runner, fleet: Fleet): void {
  if (!runner.wantsCache) return;
  const { digest, source } = fleet.bundle;
  const bytes = engine.cache.peek('main', digest, source);
  if (!bytes) return;
  runner.wantsCache = false;
  runner.send({ type: 'mainCache', body: bytes });
}

/** A runner is up: give it what is the same for all plug-ins, so that its first isolate is half made before it is wanted. */
export function prepareRunner(engine: Engine, runner: Runner): void {
  const { digest, source } = engine.settings.prelude;
  runner.send({ type: 'prelude', body: source });
  void engine.cache.get('prelude', digest, source).then((bytes) => {
    if (!bytes || !runner.alive) return;
    runner.send({ type: 'preludeCache', body: bytes });
    if (runner.state === 'spare') runner.send({ type: 'blank', value: defaultLimits().memoryMb });
  });
}
