/**
 * Tells vCloud how a task ended, also for tasks whose host or runner is no more.
 * May import: kernel, message, storage, vcloud.
 */
import type { OpenTaskStore, StoredTask, TaskOutcome } from '../../storage/open-tasks.ts';
import type { VcloudClient } from '../../vcloud/client.ts';
import { hasStatus } from '../../vcloud/errors.ts';
import { uuidOf } from '../../vcloud/links.ts';
import { changedTask, hasEnded, type TaskDocument } from './document.ts';

/** Clocks of two machines may differ by so much, ms. */
const SKEW_MS = 120_000;

export interface EndingRooms {
  readonly client: VcloudClient;
  readonly store: OpenTaskStore;
}

/** `missing`: there is no such task, and perhaps there never was one. */
export type Ending = 'ended' | 'missing';

/** Look the task up and end it unless it has ended. Throws what the client throws. */
export async function endStored(
  { client, store }: EndingRooms,
  task: StoredTask,
  outcome: TaskOutcome,
): Promise<Ending> {
  const found =
    task.href === null
      ? await findLost({ client, store }, task)
      : await readTask(client, task.href);
  if (!found) return 'missing';
  if (!hasEnded(found)) await endTask(client, found, outcome);
  return 'ended';
}

/** One PUT. A task that somebody else ended meanwhile has ended. */
export async function endTask(
  client: VcloudClient,
  task: TaskDocument,
  outcome: TaskOutcome,
): Promise<void> {
  const value = changedTask(task, outcome);
  try {
    await client.sendXml('PUT', task.href ?? '', { name: 'Task', value });
  } catch (error) {
    if (hasStatus(error, 404)) return;
    if (!hasStatus(error, 400)) throw error;
    const now = await client.getXml('Task', task.href ?? '');
    if (!hasEnded(now)) throw error;
  }
}

async function readTask(client: VcloudClient, href: string): Promise<TaskDocument | null> {
  try {
    return await client.getXml('Task', href);
  } catch (error) {
    if (hasStatus(error, 403, 404)) return null;
    throw error;
  }
}

/** A task whose address was never learned: by our key where vCloud keeps it, else by all else we know of it. */
async function findLost(
  { client, store }: EndingRooms,
  task: StoredTask,
): Promise<TaskDocument | null> {
  const { Task = [] } = await client.getXml('TasksList', `/api/tasksList/${uuidOf(task.org)}`);
  const ours = Task.filter(
    (found) => found.serviceNamespace === task.namespace && !hasEnded(found),
  );
  const marked = ours.find(({ operationKey }) => operationKey === task.key);
  if (marked) return marked;
  for (const found of ours)
    if (resembles(task, found) && !(await store.holds(found.href ?? ''))) return found;
  return null;
}

function resembles({ operation, user, createdAt }: StoredTask, found: TaskDocument): boolean {
  return (
    found.operationKey === undefined &&
    found.operation === operation &&
    uuidOf(found.User?.href) === uuidOf(user) &&
    Math.abs(Date.parse(found.startTime ?? '') - createdAt) < SKEW_MS
  );
}
