/**
 * Which runner an isolate is opened in: the lane's group, a runner with room, or a new one bound to the plug-in.
 * May import: kernel.
 */
import { HostError } from '../../kernel/errors.ts';
import { createGroup, type Engine } from '../engine.ts';
import type { Fleet, Group, Lane } from './records.ts';
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
  runner.send({ type: 'prelude', body: engine.settings.prelude.source });
  runner.send({ type: 'main', body: fleet.bundle.source });
  runner.wantsCaches = true;
  sendCaches(engine, runner, fleet);
  runner.send({ type: 'plan', body: fleet.plan });
}

/** It killed a runner lately: this one is for nobody else. */
function isOnProbation({ kind, soloUntil }: Lane): boolean {
  return kind === 'org' && soloUntil > 0 && soloUntil !== Infinity;
}

/** Hand the code caches over once both are made; until then isolates open without. */
export function sendCaches(engine: Engine, runner: Runner, fleet: Fleet): void {
  if (!runner.wantsCaches) return;
  const { prelude } = engine.settings;
  const first = engine.cache.peek('prelude', prelude.digest, prelude.source);
  const second = engine.cache.peek('main', fleet.bundle.digest, fleet.bundle.source);
  if (!first || !second) return;
  runner.wantsCaches = false;
  runner.send({ type: 'preludeCache', body: first });
  runner.send({ type: 'mainCache', body: second });
}
