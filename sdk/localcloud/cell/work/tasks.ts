/**
 * What may be done with tasks: creating, updating until they end, asking for their cancellation.
 * May import: element, fault, store, work.
 */
import { randomUUID } from 'node:crypto';

import { type Element, textOf } from '../element.ts';
import { VcloudFault } from '../fault.ts';
import type { Org, Store } from '../store.ts';
import { recordEvent } from './events.ts';
import { TASK_STATES, type Task, type TaskStatus, hasEnded } from './work.ts';

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
  return task;
}

/** Forward only: what runs is not queued again, and what has ended stays as it is. */
function checkStep(from: TaskStatus, to: TaskStatus): void {
  if (hasEnded(from)) throw refuse(`it has ended as '${from}' and cannot be changed`);
  if (TASK_STATES.indexOf(to) < TASK_STATES.indexOf(from))
    throw refuse(`the status cannot go from '${from}' to '${to}'`);
}

/** Change a task by its validated document: 400 when it has ended, or for a step back. */
export function updateTask(store: Store, task: Task, node: Element): Task {
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
  if (hasEnded(status)) recordTaskEvent(store, updated, END_EVENTS[status] ?? 'complete');
  return updated;
}

/** Ask for the end: the service that runs the task sees `cancelRequested` and ends it. 400 when it has ended. */
export function requestCancel(store: Store, task: Task): void {
  if (hasEnded(task.status)) throw refuse(`it has ended as '${task.status}'`);
  store.tasks.set(task.id, { ...task, cancelRequested: true });
}

const END_EVENTS: Partial<Record<TaskStatus, string>> = {
  success: 'complete',
  error: 'fail',
  canceled: 'abort',
  aborted: 'abort',
};

function recordTaskEvent(store: Store, task: Task, verb: string): void {
  const attributesOf = (name: string) =>
    task.parts.find((part) => part.name === name)?.attributes ?? {};
  recordEvent(store, {
    org: task.org,
    type: `com/vmware/vcloud/event/task/${verb}`,
    serviceNamespace: task.serviceNamespace,
    success: verb === 'create' || verb === 'complete',
    owner: { id: `urn:vcloud:task:${task.id}`, name: task.name, type: 'vcloud:task' },
    user: attributesOf('User'),
    properties: {},
  });
}
