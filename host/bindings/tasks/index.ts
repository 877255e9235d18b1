/**
 * `ctx.task()`: tasks of vCloud for work that goes on after the answer. None outlives the call that works on it.
 * May import: kernel, message, storage, vcloud.
 */
import { randomUUID } from 'node:crypto';

import { z } from 'zod';

import { HostError } from '../../kernel/errors.ts';
import { decodeXml } from '../../message/xml/documents.ts';
import type { TaskOutcome } from '../../storage/open-tasks.ts';
import type { VcloudClient } from '../../vcloud/client.ts';
import { uuidOf } from '../../vcloud/links.ts';
import { checkArguments } from '../arguments.ts';
import type { Binding, Grant } from '../binding.ts';
import { discreet, orgUuid, type VcloudAccess } from '../vcloud/access.ts';
import type { OrgLinks } from '../vcloud/org-links.ts';
import type { Ownership } from '../vcloud/ownership.ts';
import { objectOf } from '../vcloud/references.ts';
import { newTask, toGuest, type TaskDocument } from './document.ts';
import { HeldTask, type HeldRooms } from './held.ts';

export interface TasksRooms extends Omit<HeldRooms, 'client'> {
  readonly access: VcloudAccess;
  readonly ownership: Ownership;
  readonly links: OrgLinks;
  /** Namespace of the service of a plug-in; null when it has none. */
  readonly namespaceOf: (plugin: string) => string | null;
  readonly now: () => number;
  /** See `SweeperOptions`. */
  readonly leaseMs: number;
}

export interface TasksBinding extends Binding, AsyncDisposable {
  /** Tasks that calls work on now. */
  readonly open: number;
}

/** Tasks that one call may have open at once. */
const PER_CALL = 16;

const text = (max: number) => z.string().min(1).max(max);
const createArguments = z.tuple([
  z.object({
    operation: text(256),
    operationName: text(128).nullish(),
    details: z.string().max(2_000).nullish(),
    owner: text(512).nullish(),
  }),
]);
const updateArguments = z.tuple([
  z.object({
    id: text(64),
    progress: z.number().int().min(0).max(100).nullish(),
    details: z.string().max(2_000).nullish(),
  }),
]);
const endArguments = z.tuple([
  z.object({ id: text(64), message: z.string().max(2_000).nullish() }),
]);

const ABANDONED: TaskOutcome = {
  status: 'error',
  message: 'the work on it ended without saying how',
};

/** Disposing ends every open task as an error. */
export function createTasksBinding(rooms: TasksRooms): TasksBinding {
  const calls = createCalls();

  async function create(grant: Grant, args: unknown, signal: AbortSignal) {
    const [wish] = checkArguments('tasks', createArguments, args);
    calls.checkRoom(grant);
    const owner = wish.owner == null ? null : await ownerOf(rooms, grant, wish.owner, signal);
    const { task, client, key } = await createTask(rooms, grant, { ...wish, owner }, signal);
    const { store, log } = rooms;
    calls.hold(new HeldTask({ client, store, log }, { grant, key, document: task }), {
      id: uuidOf(task.href) ?? key,
      signal,
    });
    return toGuest(task);
  }

  async function update(grant: Grant, args: unknown) {
    const [{ id, progress, details }] = checkArguments('tasks', updateArguments, args);
    const task = calls.find(grant, id);
    rooms.access.charge(grant);
    const change = { progress: progress ?? null, details: details ?? null };
    return { cancelRequested: await task.update(change) };
  }

  async function end(grant: Grant, args: unknown, status: TaskOutcome['status']): Promise<null> {
    const [{ id, message = null }] = checkArguments('tasks', endArguments, args);
    const task = calls.find(grant, id);
    await task.end({ status, message }, status === 'success' ? message : null);
    return null;
  }

  return {
    name: 'tasks',
    get open() {
      return calls.open();
    },
    async call(grant, method, args, signal) {
      switch (method) {
        case 'create':
          return create(grant, args, signal);
        case 'update':
          return update(grant, args);
        case 'complete':
          return end(grant, args, 'success');
        case 'fail':
          return end(grant, args, 'error');
        default:
          throw new HostError('BINDING_ARGUMENT', 'tasks: unknown method');
      }
    },
    [Symbol.asyncDispose]: () => calls.abandonAll(),
  };
}

/** The tasks of the calls under way; when a call is over, so is every task of it. */
function createCalls() {
  const held = new Map<string, HeldTask>();
  const ending = new Set<Promise<void>>();

  /** Never rejects: `end` keeps its failures. */
  function abandon(id: string, task: HeldTask): void {
    held.delete(id);
    if (task.over) return;
    const end = task.end(ABANDONED).finally(() => ending.delete(end));
    ending.add(end);
  }

  return {
    hold(task: HeldTask, { id, signal }: { id: string; signal: AbortSignal }): void {
      held.set(id, task);
      const over = () => abandon(id, task);
      if (signal.aborted) over();
      else signal.addEventListener('abort', over, { once: true });
    },
    find({ callId, plugin, org }: Grant, id: string): HeldTask {
      const task = held.get(id);
      const { grant } = task ?? {};
      if (!task || grant?.callId !== callId || grant.plugin !== plugin || grant.org !== org)
        throw new HostError('TASK_OVER', 'tasks: this call has no such task');
      return task;
    },
    checkRoom({ callId }: Grant): void {
      const open = [...held.values()].filter((task) => task.grant.callId === callId).length;
      if (open >= PER_CALL)
        throw new HostError('BINDING_ARGUMENT', `tasks: at most ${PER_CALL} a call`);
    },
    open: () => [...held.values()].filter((task) => !task.over).length,
    async abandonAll(): Promise<void> {
      for (const [id, task] of held) abandon(id, task);
      await Promise.all(ending);
    },
  };
}

async function ownerOf(
  { access, ownership }: TasksRooms,
  grant: Grant,
  reference: string,
  signal: AbortSignal,
): Promise<string> {
  const object = objectOf(reference);
  if (object === null || !(await ownership.proves(grant, object, signal)))
    throw new HostError('VCLOUD_OUT_OF_SCOPE', "tasks: the owner is not the calling org's");
  return `${access.origin}${object}`;
}

interface Wish {
  readonly operation: string;
  readonly operationName?: string | null | undefined;
  readonly details?: string | null | undefined;
  readonly owner: string | null;
}

/** On disk first, then in vCloud: whatever dies in between, somebody knows that there may be a task. */
async function createTask(
  rooms: TasksRooms,
  grant: Grant,
  wish: Wish,
  signal: AbortSignal,
): Promise<{ task: TaskDocument; client: VcloudClient; key: string }> {
  const { store, access, links, now, leaseMs } = rooms;
  const { plugin, org, user } = grant;
  const namespace = rooms.namespaceOf(plugin);
  const uuid = uuidOf(user);
  if (namespace === null || uuid === null)
    throw new HostError(
      'BINDING_DENIED',
      'tasks: only the calls of an extension service have them',
    );
  const client = access.charge(grant);
  const key = randomUUID();
  const { operation, operationName, details = null, owner } = wish;
  const value = newTask({
    origin: access.origin,
    namespace,
    org: orgUuid(grant),
    user: uuid,
    operation,
    operationName: operationName ?? plugin,
    details,
    owner,
    key,
  });
  const entry = { key, plugin, namespace, org, user, operation, createdAt: now() };
  const otherwise = `/api/tasksList/${orgUuid(grant)}`;
  try {
    const wanted = { rel: 'task:create', otherwise };
    const path = await links.find(client, orgUuid(grant), wanted, signal);
    await store.add(entry, now() + leaseMs);
    // Without the call's signal: an answer that nobody waits for would leave a task that nobody knows.
    const answer = await client.sendXml('POST', path, { name: 'Task', value });
    const task = decodeXml('Task', answer.body);
    await store.located(key, task.href ?? '');
    return { task, client, key };
  } catch (error) {
    // Whether there is a task is for the sweeper to find out.
    await store.release(key).catch(() => undefined);
    throw discreet(error);
  }
}
