/**
 * Tasks and lists of tasks as documents.
 * May import: caller, element, paths, represent, model, store, work.
 */
import type { Caller } from '../sessions/caller.ts';
import { type Element, element, leaf } from '../documents/element.ts';
import { type View, link } from '../documents/represent.ts';
import type { Org } from '../model.ts';
import { type Store, orgById } from '../store.ts';
import { MEDIA, orgReference, taskPath, tasksPath } from '../tenant/paths.ts';
import { type Task, hasEnded } from './work.ts';

interface Scene {
  readonly store: Store;
  readonly view: View;
  readonly caller: Caller;
}

function linksOf({ view, caller }: Scene, task: Task): Element[] {
  if (hasEnded(task.status)) return [];
  const edit =
    caller.isProvider && !task.operates ? [link(view, 'edit', taskPath(task), MEDIA.task)] : [];
  return [...edit, link(view, 'task:cancel', `${taskPath(task)}/action/cancel`)];
}

/** Parts in the order of the schema: Owner, Error, User, Organization, Progress, and the rest. */
const ORDER = ['Owner', 'Error', 'User', 'Organization', 'Progress', 'Params', 'Details', 'Result'];

export function taskElement(scene: Scene, task: Task): Element {
  const { store, view } = scene;
  const org = orgById(store, task.org);
  const organization = org ? [orgReference(view, 'vcloud:Organization', org)] : [];
  const parts = [...task.parts, ...organization].toSorted(
    (a, b) => ORDER.indexOf(a.name) - ORDER.indexOf(b.name),
  );
  return element(
    'vcloud:Task',
    {
      name: task.name,
      id: `urn:vcloud:task:${task.id}`,
      operationKey: task.operationKey,
      type: `${MEDIA.task}+${view.format}`,
      href: `${view.base}${taskPath(task)}`,
      status: task.status,
      operation: task.operation,
      operationName: task.operationName,
      serviceNamespace: task.serviceNamespace,
      startTime: task.startTime,
      endTime: task.endTime,
      expiryTime: task.expiryTime,
      cancelRequested: task.cancelRequested,
    },
    [
      ...linksOf(scene, task),
      ...(task.description === undefined ? [] : [leaf('vcloud:Description', task.description)]),
      ...parts,
    ],
  );
}

export function tasksListElement(scene: Scene, org: Org): Element {
  const { store, view, caller } = scene;
  const add = caller.isProvider ? [link(view, 'add', tasksPath(org), MEDIA.task)] : [];
  const tasks = [...store.tasks.values()].filter((task) => task.org === org.id);
  return element(
    'vcloud:TasksList',
    {
      name: 'Tasks Lists',
      type: `${MEDIA.tasksList}+${view.format}`,
      href: `${view.base}${tasksPath(org)}`,
    },
    [...add, ...tasks.map((task) => taskElement(scene, task))],
  );
}
