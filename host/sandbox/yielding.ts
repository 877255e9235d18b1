/**
 * Lowers runners whose isolates compute for long, so that short calls do not wait behind them for a processor.
 * May import: kernel.
 */
import { messageOf } from '../kernel/errors.ts';
import type { Engine } from './engine.ts';
import { CAN_RAISE, createThreadGauge, setRank, type Rank } from './process/priority.ts';
import type { Runner } from './process/runner.ts';

/** A call that is for so long in its isolate and waits for no host call may be computing, ms. */
const MAYBE_MS = 10;
/** After so long it has yielded enough, ms: it may be meant to compute, and is to end in time on a busy machine too. */
const ENOUGH_MS = 1_000;
/** CPU time of one thread, since there is such a call, that shows it, ms: opening an isolate takes 7. */
const COMPUTED_MS = 20;
/** Pauses between two looks at the threads, which cost 0.1 ms: while nothing was found, and after that, ms. */
const LOOK_MS = 15;
const LOOK_AGAIN_MS = 100;
/** What was used before so long ago does not count, ms. */
const WINDOW_MS = 200;
/** How long a runner stays low after that, ms. */
const LINGER_MS = 500;

/** Called at every tick of the ladder. */
export function lowerIfComputing(engine: Engine, runner: Runner, now: number): void {
  if (!mayCompute(runner, now)) {
    runner.gauge = null;
    return;
  }
  if (runner.gauge && now < runner.gaugeDue) return;
  const found = runner.gauge !== null && lowerThreads(engine, runner);
  runner.gaugeDue = now + (found ? LOOK_AGAIN_MS : LOOK_MS);
  if (!runner.gauge || now - runner.gaugeSince > WINDOW_MS) {
    runner.gauge = createThreadGauge(runner.pid);
    runner.gaugeSince = now;
  }
  if (!found) return;
  // A runner is not to stay low for one long call.
  if (CAN_RAISE && runner.lowUntil === 0) rank(engine, runner, 'yielding');
  runner.lowUntil = Math.max(runner.lowUntil, now + LINGER_MS);
}

/** Called now and then: a runner whose isolates have not computed for long any more is like any other. */
export function raiseIfCalm(engine: Engine, runner: Runner, now: number): void {
  if (runner.lowUntil === 0 || now < runner.lowUntil) return;
  runner.lowUntil = 0;
  if (CAN_RAISE) rank(engine, runner, 'usual');
}

/** For as long as it lives. */
export function lowerForGood(engine: Engine, runner: Runner, to: Rank): void {
  runner.lowUntil = Infinity;
  rank(engine, runner, to, 'warn');
}

function mayCompute(runner: Runner, now: number): boolean {
  for (const { call } of runner.active) {
    if (!call || call.quick || call.hostWaiting > 0) continue;
    const ms = now - call.startedAt;
    if (ms > MAYBE_MS && ms < ENOUGH_MS) return true;
  }
  return false;
}

function lowerThreads(engine: Engine, runner: Runner): boolean {
  try {
    return runner.gauge?.lowerBusy(COMPUTED_MS) === true;
  } catch (error) {
    tell(engine, runner, error);
    return true;
  }
}

function rank(engine: Engine, runner: Runner, to: Rank, level: 'debug' | 'warn' = 'debug'): void {
  try {
    setRank(runner.pid, to);
  } catch (error) {
    tell(engine, runner, error, level);
  }
}

/** It ended meanwhile, or the system does not allow it: then it runs as it did. */
function tell(
  engine: Engine,
  runner: Runner,
  error: unknown,
  level: 'debug' | 'warn' = 'debug',
): void {
  engine.settings.log[level]('runner.not_niced', { pid: runner.pid, error: messageOf(error) });
}
