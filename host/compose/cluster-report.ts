/**
 * Between this host and the others: what runs here is told, and the lease of the registrar is acted on.
 * May import: everything below.
 */
import type { HeldOperations } from '../bundles/registration/held-operations.ts';
import type { Registrar } from '../bundles/registration/registrar.ts';
import type { Keeper } from '../bundles/live/keeper.ts';
import { messageOf } from '../kernel/errors.ts';
import type { Log } from '../kernel/log.ts';
import { pause } from '../kernel/time.ts';
import type { Cluster } from './cluster.ts';

export interface ReportParts {
  readonly keeper: Keeper;
  readonly registrar: Registrar | null;
  readonly held: HeldOperations | null;
  readonly log: Log;
}

const TELL_MS = 500;

/** Until disposed. */
export function followCluster(
  cluster: Cluster,
  { keeper, registrar, held, log }: ReportParts,
): AsyncDisposable {
  const watching = cluster.watchRegistrar(() => {
    log.info('cluster.registrar', { held: cluster.registrar.held });
    if (!cluster.registrar.held) return;
    registrar?.takeOver();
    held?.refresh();
  });
  const stopped = new AbortController();
  let told = '';
  async function tellNowAndThen(): Promise<void> {
    while (!stopped.signal.aborted) {
      const text = JSON.stringify(
        keeper.states.map(({ name, version, state, reason }) => [name, version, state, reason]),
      );
      if (text !== told)
        await cluster.tell(keeper.states).then(
          () => (told = text),
          (error: unknown) => log.debug('cluster.tell', { reason: messageOf(error) }),
        );
      await pause(TELL_MS, stopped.signal);
    }
  }
  const work = tellNowAndThen();
  return {
    async [Symbol.asyncDispose]() {
      watching[Symbol.dispose]();
      stopped.abort();
      await work;
    },
  };
}
