/**
 * The life of a blocking task: held, kept alive, resumed, aborted, failed, by somebody or by its time-out.
 * May import: blocking, element, fault, notice, run, settings, store, work.
 */
import { randomUUID } from 'node:crypto';

import { VcloudFault } from '../documents/fault.ts';
import type { Named } from '../events/happening.ts';
import { EVENT_ROOT, raise, userNamed } from '../events/notice.ts';
import type { TimeoutAction } from '../extension/settings/settings.ts';
import type { Store } from '../store.ts';
import { orgById } from '../store.ts';
import { endRun, startRun } from '../work/run.ts';
import { taskNamed, taskOwner } from '../work/tasks.ts';
import type { Task } from '../work/work.ts';
import type { BlockingStatus, BlockingTask } from './blocking.ts';

/** Finished ones are forgotten beyond this number, oldest first. */
const MAX_KEPT = 10_000;
/** The latest date that can be written. */
const MAX_DATE_MS = 8_640_000_000_000_000;

const timeoutFrom = (ms: number) => Math.min(Date.now() + ms, MAX_DATE_MS);

const blockingNamed = ({ id, name }: BlockingTask): Named => ({ kind: 'blockingTask', id, name });

function raiseFor(store: Store, blocking: BlockingTask, verb: string, user: Named): void {
  const task = store.tasks.get(blocking.task);
  const owner = task && taskOwner(task);
  raise(store, {
    type: `${EVENT_ROOT}blockingtask/${verb}`,
    success: true,
    org: blocking.org,
    user,
    entity: blockingNamed(blocking),
    ...(task ? { task: taskNamed(task) } : {}),
    ...(owner ? { taskOwner: owner } : {}),
  });
}

/** Whether the settings want this operation to wait for somebody's word. */
export const isHeld = ({ settings }: Store, operation: string): boolean =>
  settings.blocking.operations.some(({ name }) => name === operation);

/** Hold a task that has been put into the store and has not started. */
export function hold(store: Store, task: Task, user: Named): BlockingTask {
  const org = orgById(store, task.org);
  if (!org) throw new VcloudFault(500, `The task ${task.id} has no organization`);
  const { timeoutAction, timeoutMs } = store.settings.blocking;
  const blocking: BlockingTask = {
    id: randomUUID(),
    name: task.operationName,
    task: task.id,
    org,
    user,
    status: 'active',
    createdAt: Date.now(),
    timeoutAt: timeoutFrom(timeoutMs),
    timeoutAction,
  };
  store.blockingTasks.set(blocking.id, blocking);
  forgetOldest(store);
  raiseFor(store, blocking, 'create', user);
  return blocking;
}

function forgetOldest({ blockingTasks }: Store): void {
  if (blockingTasks.size <= MAX_KEPT) return;
  const oldest = blockingTasks.values().find(({ status }) => status !== 'active');
  if (oldest) blockingTasks.delete(oldest.id);
}

function requireActive(blocking: BlockingTask): void {
  if (blocking.status !== 'active')
    throw new VcloudFault(
      400,
      `The blocking task '${blocking.name}' (${blocking.id}) is not active: it has been ${blocking.status}`,
    );
}

const STATUS = {
  resume: 'resumed',
  abort: 'aborted',
  fail: 'failed',
} as const satisfies Record<TimeoutAction, BlockingStatus>;

export interface Word {
  readonly action: TimeoutAction;
  readonly message: string;
  /** Whoever says it. */
  readonly user: Named;
}

/** Act upon a blocking task; 400 when somebody already has, or its time-out. */
export function act(store: Store, blocking: BlockingTask, word: Word): BlockingTask {
  requireActive(blocking);
  const { action, message, user } = word;
  const settled = { ...blocking, status: STATUS[action], message };
  store.blockingTasks.set(blocking.id, settled);
  raiseFor(store, settled, action, user);
  if (action === 'resume') startRun(store, blocking.task, { user: blocking.user, message });
  else endRun(store, blocking.task, { status: action === 'abort' ? 'aborted' : 'error', message });
  return settled;
}

/** Say that it is being worked on; with a time-out in milliseconds from now. 400 when it is not active. */
export function updateProgress(
  store: Store,
  blocking: BlockingTask,
  progress: { readonly message: string; readonly timeoutMs: number | undefined },
): BlockingTask {
  requireActive(blocking);
  const { message, timeoutMs } = progress;
  const updated = {
    ...blocking,
    message,
    ...(timeoutMs === undefined ? {} : { timeoutAt: timeoutFrom(timeoutMs) }),
  };
  store.blockingTasks.set(blocking.id, updated);
  return updated;
}

/** Do to all that nobody cared for in time what the settings said when they were held. */
export function expire(store: Store, now: number): void {
  const user = userNamed(store.administrator);
  for (const blocking of store.blockingTasks.values()) {
    if (blocking.status !== 'active' || blocking.timeoutAt > now) continue;
    act(store, blocking, { action: blocking.timeoutAction, message: 'The time is out.', user });
  }
}
