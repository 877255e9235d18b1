/**
 * What may be done with tasks: creating, updating until they end, asking for their cancellation.
 * May import: element, fault, notice, model, store, work.
 */
import { randomUUID } from 'node:crypto';

import { type Element, textOf } from '../documents/element.ts';
import { VcloudFault } from '../documents/fault.ts';
import type { Named } from '../events/happening.ts';
import { EVENT_ROOT, VCLOUD_NAMESPACE, namedIn, raise, userNamed } from '../events/notice.ts';
import type { Org } from '../model.ts';
import { type Store, orgById } from '../store.ts';
import { type Operation, TASK_STATES, type Task, type TaskStatus, hasEnded } from './work.ts';

const EXPIRES_AFTER_MS = 90 * 86_400_000;
/** What a task's document may bring along. */
const PARTS = new Set(['Owner', 'Error', 'User', 'Progress', 'Params', 'Details', 'Result']);
/** Parts that an update without them leaves as they are. */
const LASTING = new Set(['Owner', 'User', 'Params']);

const refuse = (message: string) => new VcloudFault(400, `Task: ${message}`);

/** 400 unless a service may use the namespace. */
export function checkNamespace(what: string, namespace: string | undefined): string {
  if (!namespace || namespace.length > 128)
    throw new VcloudFault(400, `${what}: 'serviceNamespace' must have 1 to 128 characters`);
  if (namespace.startsWith('com.vmware.vcloud'))
    throw new VcloudFault(400, `${what}: the namespace 'com.vmware.vcloud' is reserved`);
  return namespace;
}

function statusOf(node: Element): TaskStatus {
  const status = TASK_STATES.find((state) => state === node.attributes['status']);
  if (!status)
    throw refuse(`'${node.attributes['status']}' is not a status: ${TASK_STATES.join(', ')}`);
  return status;
}

function partsOf(node: Element): Element[] {
  const parts = node.children.filter(({ ns, name }) => ns === 'vcloud' && PARTS.has(name));
  const progress = Number(textOf(parts, 'Progress') ?? 0);
  if (progress < 0 || progress > 100) throw refuse('Progress must be between 0 and 100');
  return parts;
}

/** Put a task into an org's list by its validated document; an `operationKey` known there returns the first. */
export function createTask(store: Store, org: Org, node: Element): Task {
  const { name, operation = '', operationName = '', operationKey } = node.attributes;
  const known = [...store.tasks.values()].find(
    (task) => task.org === org.id && task.operationKey === operationKey,
  );
  if (operationKey !== undefined && known) return known;
  const status = statusOf(node);
  const now = new Date();
  const startTime = node.attributes['startTime'] ?? now.toISOString();
  const description = textOf(node.children, 'Description');
  const task: Task = {
    id: randomUUID(),
    org: org.id,
    name: name ?? 'task',
    status,
    operation,
    operationName,
    serviceNamespace: checkNamespace('Task', node.attributes['serviceNamespace']),
    startTime,
    expiryTime: new Date(now.getTime() + EXPIRES_AFTER_MS).toISOString(),
    cancelRequested: false,
    parts: partsOf(node),
    ...(hasEnded(status) ? { endTime: now.toISOString() } : {}),
    ...(operationKey === undefined ? {} : { operationKey }),
    ...(description === undefined ? {} : { description }),
  };
  store.tasks.set(task.id, task);
  recordTaskEvent(store, task, 'create');
  if (status === 'running') recordTaskEvent(store, task, 'start');
  return task;
}

/** Put a task of vCloud itself into an org's list, not started yet. */
export function createOwnTask(
  store: Store,
  org: Org,
  what: {
    readonly operates: Operation;
    readonly operation: string;
    readonly parts: readonly Element[];
  },
): Task {
  const now = new Date();
  const task: Task = {
    ...what,
    id: randomUUID(),
    org: org.id,
    name: 'task',
    status: 'preRunning',
    operationName: what.operates.name,
    serviceNamespace: VCLOUD_NAMESPACE,
    startTime: now.toISOString(),
    expiryTime: new Date(now.getTime() + EXPIRES_AFTER_MS).toISOString(),
    cancelRequested: false,
  };
  store.tasks.set(task.id, task);
  recordTaskEvent(store, task, 'create');
  return task;
}

/** End a task, whatever it was, and say so. */
export function endTask(store: Store, task: Task, status: keyof typeof END_EVENTS): void {
  const ended: Task = { ...task, status, endTime: new Date().toISOString() };
  store.tasks.set(task.id, ended);
  recordTaskEvent(store, ended, END_EVENTS[status]);
}

/** Forward only: what runs is not queued again, and what has ended stays as it is. */
function checkStep(from: TaskStatus, to: TaskStatus): void {
  if (hasEnded(from)) throw refuse(`it has ended as '${from}' and cannot be changed`);
  if (TASK_STATES.indexOf(to) < TASK_STATES.indexOf(from))
    throw refuse(`the status cannot go from '${from}' to '${to}'`);
}

/** Change a task by its validated document: 400 when it has ended, or for a step back. */
export function updateTask(store: Store, task: Task, node: Element): Task {
  if (task.operates) throw refuse("it is vCloud's own");
  const status = statusOf(node);
  checkStep(task.status, status);
  const { operation, operationName, serviceNamespace } = node.attributes;
  if (serviceNamespace !== undefined && serviceNamespace !== task.serviceNamespace)
    throw refuse("'serviceNamespace' cannot be changed");
  const given = partsOf(node);
  const kept = task.parts.filter(
    ({ name }) => LASTING.has(name) && !given.some((part) => part.name === name),
  );
  const description = textOf(node.children, 'Description') ?? task.description;
  const updated: Task = {
    ...task,
    status,
    operation: operation ?? task.operation,
    operationName: operationName ?? task.operationName,
    parts: [...kept, ...given],
    ...(hasEnded(status) ? { endTime: new Date().toISOString() } : {}),
    ...(description === undefined ? {} : { description }),
  };
  store.tasks.set(task.id, updated);
  if (status === 'running' && task.status !== status) recordTaskEvent(store, updated, 'start');
  if (isEnd(status)) recordTaskEvent(store, updated, END_EVENTS[status]);
  return updated;
}

/** Ask for the end: the service that runs the task sees `cancelRequested` and ends it. 400 when it has ended. */
export function requestCancel(store: Store, task: Task): void {
  if (hasEnded(task.status)) throw refuse(`it has ended as '${task.status}'`);
  store.tasks.set(task.id, { ...task, cancelRequested: true });
}

const END_EVENTS = {
  success: 'complete',
  error: 'fail',
  canceled: 'abort',
  aborted: 'abort',
} as const;

const isEnd = (status: TaskStatus): status is keyof typeof END_EVENTS =>
  Object.hasOwn(END_EVENTS, status);

/** What notifications call a task: by its operation, since every task's own name is the same. */
export const taskNamed = ({ id, operationName, name }: Task): Named => ({
  kind: 'task',
  id,
  name: operationName || name,
});

const attributesOf = (task: Task, name: string): Readonly<Record<string, string>> =>
  task.parts.find((part) => part.name === name)?.attributes ?? {};

/** What a task works on, as far as its owner's reference says. */
export const taskOwner = (task: Task): Named | undefined =>
  namedIn(attributesOf(task, 'Owner'), 'entity');

/** Say that a task was created or started, or has ended. */
export function recordTaskEvent(
  store: Store,
  task: Task,
  verb: 'create' | 'start' | 'complete' | 'fail' | 'abort',
): void {
  const org = orgById(store, task.org);
  if (!org) return;
  const owner = taskOwner(task);
  const entity = taskNamed(task);
  raise(
    store,
    {
      type: `${EVENT_ROOT}task/${verb}`,
      success: verb !== 'fail' && verb !== 'abort',
      org,
      user: namedIn(attributesOf(task, 'User'), 'user') ?? userNamed(store.administrator),
      entity,
      task: entity,
      ...(owner ? { taskOwner: owner } : {}),
    },
    { serviceNamespace: task.serviceNamespace, user: attributesOf(task, 'User') },
  );
}
