/**
 * Tells vCloud what was decided about a blocking task, also for hosts that are no more.
 * May import: kernel, storage, vcloud.
 */
import { codeOf, messageOf } from '../../kernel/errors.ts';
import type { Log } from '../../kernel/log.ts';
import type { Metrics } from '../../kernel/metrics.ts';
import type { Clock } from '../../kernel/time.ts';
import type {
  BlockingOutcome,
  OpenBlockingStore,
  OpenBlockingTask,
} from '../../storage/open-blocking.ts';
import type { VcloudClient } from '../../vcloud/client.ts';
import { endBlockingTask } from '../../vcloud/blocking-tasks/tasks.ts';

export interface BlockingRooms {
  readonly client: VcloudClient;
  readonly store: OpenBlockingStore;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Metrics | null;
}

/** Why nobody decided; part of the message that vCloud shows. */
export type PolicyReason = 'failed' | 'undecided' | 'late';

const WHY: Readonly<Record<PolicyReason, string>> = {
  failed: 'failed',
  undecided: 'did not decide',
  late: 'did not decide in time',
};

/** What the manifest says for this case. */
export function policyOutcome(task: OpenBlockingTask, reason: PolicyReason): BlockingOutcome {
  const message = `The plug-in ${task.plugin} ${WHY[reason]}: ${task.onFailure}, as it is set for this case`;
  return { action: task.onFailure, message, by: 'policy' };
}

/** A task whose time-out is not known is forgotten when it is this old, ms. */
const UNKNOWN_TIMEOUT_MS = 86_400_000;
/** vCloud's clock may be behind ours by so much, ms. */
const SKEW_MS = 60_000;

/**
 * One request. When vCloud has heard of it, or has no use for it any more, the entry is gone; else it stays for the
 * sweeper. Throws what the request threw.
 */
export async function tellOutcome(
  rooms: BlockingRooms,
  task: OpenBlockingTask,
  outcome: BlockingOutcome,
): Promise<void> {
  const { client, store, log, metrics } = rooms;
  const { plugin, org, operation } = task;
  const { action, by } = outcome;
  try {
    await endBlockingTask(client, task.id, outcome);
    await store.remove(task.key);
    metrics?.count('vcx_blocking_tasks_total', { plugin, action, by });
    log[by === 'policy' ? 'warn' : 'info']('blocking.ended', {
      plugin,
      org,
      operation,
      action,
      by,
    });
  } catch (error) {
    const code = codeOf(error);
    const over = code === 'BLOCKING_TASK_OVER' || code === 'BLOCKING_TASK_UNKNOWN';
    const expired = rooms.clock.now() > forgottenAt(task);
    if (over || expired) await store.remove(task.key);
    else await store.release(task.key);
    metrics?.count('vcx_blocking_task_failures_total', { plugin, code });
    const event = over ? 'blocking.over' : expired ? 'blocking.lost' : 'blocking.end-waits';
    log.warn(event, { plugin, org, operation, action, by, reason: messageOf(error) });
    throw error;
  }
}

/** From then on vCloud has decided by itself. */
function forgottenAt({ timeoutAt, createdAt }: OpenBlockingTask): number {
  return (timeoutAt ?? createdAt + UNKNOWN_TIMEOUT_MS) + SKEW_MS;
}
