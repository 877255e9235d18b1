/**
 * Blocking tasks: reading, listing, deciding and extending them.
 * May import: kernel, message, vcloud.
 */
import { HostError } from '../../kernel/errors.ts';
import type { Doc } from '../../message/xml/documents.ts';
import { decodeXml } from '../../message/xml/documents.ts';
import { legalize } from '../../message/xml/text.ts';
import type { RequestOptions } from '../client/calls.ts';
import type { VcloudClient } from '../client.ts';
import { hasStatus } from '../errors.ts';
import { findLink, uuidOf } from '../links.ts';
import type { BlockingAction } from './operations.ts';

export interface BlockingTask {
  /** Bare id. */
  readonly id: string;
  /** Name of the operation, such as `vdcInstantiateVapp`. */
  readonly operation: string;
  readonly status: string;
  /** Whether it still waits for a decision. */
  readonly active: boolean;
  /** Ms until vCloud's own time-out, by the clock of the cell that answered; null when it does not tell. */
  readonly remainingMs: number | null;
  /** What vCloud does then. */
  readonly timeoutAction: string | null;
  /** Bare ids. */
  readonly org: string | null;
  readonly user: string | null;
  /** Href of what is worked on. */
  readonly owner: string | null;
}

export interface BlockingTaskReference {
  readonly id: string;
  readonly name: string;
}

const BASE = '/api/admin/extension/blockingTask';
/** Longest message that is sent, in characters. */
const MESSAGE_CHARS = 2_000;

/** Throws `BLOCKING_TASK_UNKNOWN`, or `VcloudError`: `VCLOUD_REFUSED` when we may not, `VCLOUD_UNAVAILABLE`. */
export async function readBlockingTask(
  client: VcloudClient,
  id: string,
  options?: RequestOptions,
): Promise<BlockingTask> {
  try {
    const answer = await client.request('GET', `${BASE}/${checkedId(id)}`, options);
    return fromDocument(decodeXml('BlockingTask', answer.body), id, answer.headers['date']);
  } catch (error) {
    if (hasStatus(error, 404) || (await isGone(client, id, error, options)))
      throw unknownTask(id, error);
    throw error;
  }
}

/** Of what is no more vCloud may say that we may not see it. Who may see the list, and not this one, asks for what is gone. */
async function isGone(
  client: VcloudClient,
  id: string,
  error: unknown,
  options?: RequestOptions,
): Promise<boolean> {
  if (!hasStatus(error, 403)) return false;
  const list = await listBlockingTasks(client, options).catch(() => null);
  return list !== null && list.every((one) => one.id !== id);
}

/** All that wait for a decision, of the whole cloud. Throws `VcloudError`. */
export async function listBlockingTasks(
  client: VcloudClient,
  options?: RequestOptions,
): Promise<BlockingTaskReference[]> {
  const list = await client.getXml('BlockingTaskReferences', `${BASE}s`, options);
  return (list.Reference ?? []).flatMap(({ href, name = '' }) => {
    const id = uuidOf(href);
    return id === null ? [] : [{ id, name }];
  });
}

/**
 * Decide. Throws `BLOCKING_TASK_OVER` when it was decided before, `BLOCKING_TASK_UNKNOWN` when it is gone, and
 * `VcloudError`. Not repeated by itself: after `VCLOUD_UNAVAILABLE` it may or may not have been done, and doing it
 * again is harmless.
 */
export async function endBlockingTask(
  client: VcloudClient,
  id: string,
  decision: { readonly action: BlockingAction; readonly message: string },
  options?: RequestOptions,
): Promise<void> {
  const value = { Message: messageOf(decision.message) };
  await acting(client, id, options, () =>
    client.sendXml(
      'POST',
      `${BASE}/${checkedId(id)}/action/${decision.action}`,
      { name: 'BlockingTaskOperationParams', value },
      options,
    ),
  );
}

/**
 * Tell progress and, with a `timeoutMs`, give it that much time from now on. Answers the task as it is then.
 * Throws as `endBlockingTask` does.
 */
export async function extendBlockingTask(
  client: VcloudClient,
  id: string,
  progress: { readonly message: string; readonly timeoutMs: number | null },
  options?: RequestOptions,
): Promise<BlockingTask> {
  const value = {
    Message: messageOf(progress.message),
    ...(progress.timeoutMs === null ? {} : { TimeoutValueInMilliseconds: progress.timeoutMs }),
  };
  return acting(client, id, options, async () => {
    const { body, headers } = await client.sendXml(
      'POST',
      `${BASE}/${checkedId(id)}/action/updateProgress`,
      { name: 'BlockingTaskUpdateProgressParams', value },
      options,
    );
    if (body.length === 0) return readBlockingTask(client, id, options);
    return fromDocument(decodeXml('BlockingTask', body), id, headers['date']);
  });
}

/** What vCloud says to an action on a task that is over differs by version: so the task itself is asked. */
async function acting<T>(
  client: VcloudClient,
  id: string,
  options: RequestOptions | undefined,
  act: () => Promise<T>,
): Promise<T> {
  try {
    return await act();
  } catch (error) {
    if (!hasStatus(error, 400, 403, 404, 405, 409)) throw error;
    const task = await readBlockingTask(client, id, options);
    if (task.active) throw error;
    throw new HostError('BLOCKING_TASK_OVER', `the blocking task is ${task.status}`, {
      cause: error,
    });
  }
}

function fromDocument(
  document: Doc<'BlockingTask'>,
  id: string,
  date: string | undefined,
): BlockingTask {
  const { status = '', name = '', timeoutDate, timeoutAction, Link } = document;
  // A cell whose clock is wrong is wrong in both.
  const now = Date.parse(date ?? '') || Date.now();
  const end = Date.parse(timeoutDate ?? '');
  const owner = document.TaskOwner?.href ?? null;
  return {
    id: uuidOf(document.id) ?? uuidOf(document.href) ?? id,
    operation: name,
    status,
    // Whatever word a version has for its state, one that waits has the link.
    active: status === 'active' || findLink(Link, 'resume') !== undefined,
    remainingMs: Number.isNaN(end) ? null : end - now,
    timeoutAction: timeoutAction ?? null,
    org: uuidOf(document.Organization?.href),
    user: uuidOf(document.User?.href),
    owner,
  };
}

function messageOf(text: string): string {
  return legalize(text.slice(0, MESSAGE_CHARS));
}

/** It becomes part of a path. */
function checkedId(id: string): string {
  const uuid = uuidOf(id);
  if (uuid === null || uuid.length !== id.length) throw unknownTask(id);
  return uuid;
}

function unknownTask(id: string, cause?: unknown): HostError {
  const message = `there is no blocking task ${id.slice(0, 64)}`;
  return new HostError('BLOCKING_TASK_UNKNOWN', message, cause === undefined ? {} : { cause });
}
