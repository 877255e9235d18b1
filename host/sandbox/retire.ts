/**
 * Ends what a version of a plug-in has: its calls finish, then its isolates and runners go.
 * May import: kernel.
 */
import { pause } from '../kernel/time.ts';
import type { Engine } from './engine.ts';
import { drainRunner } from './housekeeping.ts';
import type { Fleet, Lane } from './calls/records.ts';
import type { Runner } from './process/runner.ts';

const DRAIN_POLL_MS = 10;

/** Calls under way end; nothing new is started in these fleets; their runners end. */
export async function retire(engine: Engine, plugin: string, version: string): Promise<void> {
  const fleets = [...engine.fleets.values()].filter(
    ({ bundle }) => bundle.plugin === plugin && bundle.version === version,
  );
  // A call that still comes for this version gets a fleet of its own, so that this one can end.
  for (const fleet of fleets) {
    fleet.retired = true;
    engine.fleets.delete(fleet.key);
  }
  await drained(engine, fleets);
  for (const fleet of fleets) {
    for (const runner of runnersOf(engine, fleet)) {
      runner.kill({ kind: 'retired', reason: 'its plug-in was retired', culprit: null });
    }
  }
}

/** Wait until no call is left, no longer than the drain time. */
export async function drained(engine: Engine, fleets: readonly Fleet[]): Promise<void> {
  const end = engine.now() + engine.settings.drainMs;
  const busy = (): boolean => fleets.some((fleet) => lanesOf(fleet).some(isBusy));
  while (busy() && engine.now() < end) await pause(DRAIN_POLL_MS);
  for (const fleet of fleets)
    for (const runner of runnersOf(engine, fleet)) drainRunner(engine, runner, 'retired');
}

const lanesOf = (fleet: Fleet): Lane[] => [fleet.trial, ...fleet.lanes.values()];
const isBusy = (lane: Lane): boolean =>
  lane.queue.length > 0 || lane.used > 0 || lane.background > 0;

function runnersOf(engine: Engine, fleet: Fleet): Runner[] {
  const groups = new Set([fleet.shared, ...lanesOf(fleet).map((lane) => lane.own)]);
  // Spares have no group, as most lanes have none of their own: they belong to nobody.
  return [...engine.pool.runners].filter(({ group }) => group !== null && groups.has(group));
}
