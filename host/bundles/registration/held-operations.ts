/**
 * Tells vCloud which operations to hold for plug-ins to decide on, once somebody listens: held without a listener,
 * each would wait for its time-out.
 * May import: kernel, vcloud.
 */
import type { Log } from '../../kernel/log.ts';
import { openSettling, type Settling } from '../../kernel/settling.ts';
import type { BlockingAction } from '../../vcloud/blocking-tasks/operations.ts';
import type { VcloudClient } from '../../vcloud/client.ts';
import {
  applyBlockingTasks,
  planBlockingTasks,
  wantsBlockingTasks,
} from '../../vcloud/registration/blocking-tasks.ts';
import type { LivePlugin } from '../live/plugin.ts';

export interface HeldOperationsOptions {
  readonly client: VcloudClient;
  readonly plugins: () => readonly LivePlugin[];
  readonly timeouts: {
    readonly timeoutMs?: number | undefined;
    readonly timeoutAction?: BlockingAction | undefined;
  };
  /** Null when events are consumed, else what is waited for. */
  readonly unheard: () => string | null;
  readonly log: Log;
}

/** `refresh` when plug-ins changed. Operations are only ever added: who else relies on one, nobody can tell. */
export type HeldOperations = Settling;

/** Returns at once; works in the background, with growing pauses, until it is done. */
export function openHeldOperations(options: HeldOperationsOptions): HeldOperations {
  return openSettling({
    step: () => settle(options),
    waits: (reason) => options.log.warn('blocking.settings.wait', { reason }),
    firstMs: 200,
    maxMs: 5_000,
  });
}

/** Null when vCloud is as wished, else why not yet. */
async function settle({
  client,
  plugins,
  timeouts,
  unheard,
  log,
}: HeldOperationsOptions): Promise<string | null> {
  const named = plugins().flatMap(({ manifest }) => manifest.blockingTasks?.operations ?? []);
  const { timeoutMs = null, timeoutAction = null } = timeouts;
  const wish = { operations: [...new Set(named)], timeoutMs, timeoutAction };
  if (!wantsBlockingTasks(wish)) return null;
  const waiting = wish.operations.length > 0 ? unheard() : null;
  if (waiting !== null) return `operations are not held yet: ${waiting}`;
  const plan = await planBlockingTasks(client, wish);
  await applyBlockingTasks(client, plan);
  for (const { label } of plan.changes) log.info('blocking.settings', { changed: label });
  return null;
}
