/**
 * Opens the sandbox: wires pool, ladder, housekeeping and lanes, and closes them in order.
 * May import: kernel, quotas.
 */
import { onFrame, onPong } from './calls/arrivals.ts';
import { createEnclosure } from './process/barriers.ts';
import { openCodeCache } from './process/code-cache.ts';
import type { Engine } from './engine.ts';
import { evictRunner, startHousekeeping } from './housekeeping.ts';
import { createLadder } from './ladder.ts';
import { submit } from './calls/lanes.ts';
import { onLost } from './calls/losses.ts';
import { prepareRunner } from './calls/placement.ts';
import { resolveOptions, type SandboxOptions, type SandboxSettings } from './options.ts';
import { openPool } from './process/pool.ts';
import { probe } from './process/probe.ts';
import { drained, retire } from './retire.ts';
import { warm } from './warm.ts';
import type { Sandbox, SandboxStatus } from './sandbox.ts';
import { createSpawner } from './process/spawn.ts';

/** Open the sandbox; the first spare runner begins to start. Throws nothing about the machine: `status` tells. */
export function openSandbox(options: SandboxOptions): Sandbox {
  const settings = resolveOptions(options);
  const enclosure = createEnclosure(settings);
  const spawner = createSpawner(enclosure);
  const cache = openCodeCache(enclosure, spawner, settings.log);
  const ladder = createLadder(() => engine);
  const pool = openPool({
    settings,
    spawner,
    program: enclosure.runnerPath,
    evict: () => evictRunner(engine),
    events: {
      onReady: (runner) => prepareRunner(engine, runner),
      onFrame: (runner, frame) => onFrame(engine, runner, frame),
      onPong: (runner, value) => onPong(engine, runner, value),
      onLost: (runner, loss) => onLost(engine, runner, loss),
    },
  });
  const engine = createEngine(settings, { pool, cache, wake: () => ladder.wake() });
  const housekeeping = startHousekeeping(engine);
  const { prelude } = settings;
  cache.peek('prelude', prelude.digest, prelude.source);
  let closing: Promise<void> | null = null;

  async function close(): Promise<void> {
    engine.closing = true;
    await drained(engine, [...engine.fleets.values()]);
    housekeeping[Symbol.dispose]();
    await pool[Symbol.asyncDispose]();
    await cache[Symbol.asyncDispose]();
    ladder[Symbol.dispose]();
    enclosure[Symbol.dispose]();
  }

  return {
    invoke: (invocation) => submit(engine, invocation),
    probe: (bundle) => probe(engine, bundle),
    warm: (from, to) => warm(engine, from, to),
    retire: (plugin, version) => retire(engine, plugin, version),
    status: () => statusOf(engine, enclosure.barriers),
    [Symbol.asyncDispose]: () => (closing ??= close()),
  };
}

type Parts = Pick<Engine, 'pool' | 'cache' | 'wake'>;

function createEngine(settings: SandboxSettings, parts: Parts): Engine {
  let calls = 0;
  return {
    ...parts,
    settings,
    fleets: new Map(),
    activeRunners: new Set(),
    waiting: new Set(),
    idle: new Set(),
    now: () => settings.clock.monotonic(),
    nextCall: () => (calls = (calls % 0xff_ff_ff_ff) + 1),
    closing: false,
  };
}

function statusOf(engine: Engine, barriers: SandboxStatus['barriers']): SandboxStatus {
  const { trouble } = engine.pool;
  return {
    ready: trouble === null && !engine.closing,
    reason: engine.closing ? 'the sandbox is closing' : trouble,
    runners: [...engine.pool.runners].map((runner) => runner.status()),
    barriers,
  };
}
