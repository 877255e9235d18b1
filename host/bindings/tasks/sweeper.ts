/**
 * Ends the tasks that nobody works on any more: of hosts that died, and those whose end vCloud could not be told.
 * May import: kernel, storage, vcloud.
 */
import { messageOf } from '../../kernel/errors.ts';
import type { Log } from '../../kernel/log.ts';
import type { Metrics } from '../../kernel/metrics.ts';
import type { Clock } from '../../kernel/time.ts';
import type { OpenTaskStore, StoredTask, TaskOutcome } from '../../storage/open-tasks.ts';
import type { VcloudClient } from '../../vcloud/client.ts';
import { openSweeps, type Sweeps } from '../sweeps.ts';
import { endStored } from './ending.ts';

export interface SweeperOptions {
  readonly client: VcloudClient;
  readonly store: OpenTaskStore;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Metrics | null;
  /** How long a host may be silent before its tasks are taken over, ms. */
  readonly leaseMs: number;
  /** Pause between sweeps, ms; several go into a lease. */
  readonly everyMs: number;
  /** A task that vCloud does not show is forgotten when it is this old, ms. */
  readonly lostMs: number;
  /** Of several hosts one cleans up after the others. @default always */
  readonly maySweep?: (() => boolean) | undefined;
}

/** Renews our leases and ends what is left over; never throws. */
export type Sweeper = Sweeps;

export const LOST: TaskOutcome = {
  status: 'error',
  message: 'the host that worked on it ended before the work was done',
};

/** Sweeps at once and from then on; disposing waits for the sweep under way. */
export function openSweeper(options: SweeperOptions): Sweeper {
  const { store, clock, log, everyMs } = options;

  async function pass(): Promise<void> {
    await store.renew(clock.now() + options.leaseMs);
    const mayGoOn = () => options.maySweep?.() !== false;
    if (!mayGoOn()) return;
    const until = clock.now() + options.leaseMs;
    for (const task of await store.claim(clock.now(), until)) {
      // Whoever sweeps by then takes the rest: with a slow vCloud, many take longer than they are ours.
      if (!mayGoOn() || clock.now() >= until) return;
      await endOne(options, task).catch((error: unknown) =>
        log.warn('task.sweep-failed', { plugin: task.plugin, reason: messageOf(error) }),
      );
    }
  }
  const failed = (error: unknown) => log.error('task.sweep-failed', { reason: messageOf(error) });
  return openSweeps({ pass, everyMs, failed });
}

async function endOne(options: SweeperOptions, task: StoredTask): Promise<void> {
  const { store, clock, log } = options;
  const outcome = task.outcome ?? LOST;
  const ending = await endStored(options, task, outcome);
  // The list of an org may be behind: what is not in it yet is looked for again.
  if (ending === 'missing' && task.href === null && clock.now() - task.createdAt < options.lostMs)
    return;
  await store.remove(task.key);
  options.metrics?.count('vcx_tasks_swept_total', { plugin: task.plugin, ending });
  log.warn('task.swept', {
    plugin: task.plugin,
    org: task.org,
    operation: task.operation,
    status: outcome.status,
    ending,
  });
}
