/**
 * What tenants ask vCloud itself to do with vApps: each is a task that runs, or waits for a word.
 * May import: actions, element, fault, notice, paths, represent, run, model, store, tasks, work.
 */
import { randomUUID } from 'node:crypto';

import { hold, isHeld } from '../blocking/actions.ts';
import { type Element, textOf } from '../documents/element.ts';
import { VcloudFault } from '../documents/fault.ts';
import type { View } from '../documents/represent.ts';
import { EVENT_ROOT, raise, userNamed, vAppNamed } from '../events/notice.ts';
import type { User, VApp, Vdc } from '../model.ts';
import type { Store } from '../store.ts';
import { userReference, vAppReference } from '../tenant/paths.ts';
import { startRun } from './run.ts';
import { createOwnTask } from './tasks.ts';
import { OPERATIONS, type Operation, type Task, hasEnded } from './work.ts';

/** Who asks, and how addresses are to be written. */
export interface Asking {
  readonly user: User;
  readonly view: View;
}

const REQUESTS = {
  vdcInstantiateVapp: 'create_request',
  vdcUpdateVapp: 'modify_request',
  vdcDeleteVapp: 'delete_request',
} as const satisfies Record<Operation['name'], string>;

function begin(store: Store, { user, view }: Asking, vApp: VApp, operation: Operation): Task {
  const named = userNamed(user);
  const task = createOwnTask(store, vApp.org, {
    operates: operation,
    operation: `${OPERATIONS[operation.name]} ${vApp.name}(${vApp.id})`,
    parts: [vAppReference(view, 'vcloud:Owner', vApp), userReference(view, 'vcloud:User', user)],
  });
  raise(store, {
    type: `${EVENT_ROOT}vapp/${REQUESTS[operation.name]}`,
    success: true,
    org: vApp.org,
    user: named,
    entity: vAppNamed(vApp),
  });
  if (isHeld(store, operation.name)) hold(store, task, named);
  else startRun(store, task.id, { user: named });
  return store.tasks.get(task.id) ?? task;
}

function nameIn(node: Element): string {
  const name = node.attributes['name']?.trim() ?? '';
  if (name === '' || name.length > 128)
    throw new VcloudFault(400, `${node.name}: the name must have 1 to 128 characters`);
  return name;
}

/** Begin to make a vApp by validated `InstantiateVAppTemplateParams`, from whatever template they name. */
export function instantiateVApp(store: Store, asking: Asking, vdc: Vdc, node: Element): VApp {
  const description = textOf(node.children, 'Description');
  const vApp: VApp = {
    id: randomUUID(),
    name: nameIn(node),
    org: vdc.org,
    vdc: vdc.id,
    owner: asking.user.id,
    created: new Date(),
    status: 0,
    ...(description === undefined ? {} : { description }),
  };
  store.vApps.set(vApp.id, vApp);
  begin(store, asking, vApp, { name: 'vdcInstantiateVapp', vApp: vApp.id });
  return vApp;
}

/** Whether something is being done to a vApp. */
export const isBusy = ({ tasks }: Store, vApp: VApp): boolean =>
  tasks.values().some(({ operates, status }) => operates?.vApp === vApp.id && !hasEnded(status));

function requireIdle(store: Store, vApp: VApp): void {
  if (isBusy(store, vApp))
    throw new VcloudFault(400, `The vApp '${vApp.name}' is busy with another task`, 'BUSY_ENTITY');
}

/** Begin to delete a vApp; 400 while it is busy. */
export function deleteVApp(store: Store, asking: Asking, vApp: VApp): Task {
  requireIdle(store, vApp);
  return begin(store, asking, vApp, { name: 'vdcDeleteVapp', vApp: vApp.id });
}

/** Begin to give a vApp another name or description by its validated document; 400 while it is busy. */
export function updateVApp(store: Store, asking: Asking, vApp: VApp, node: Element): Task {
  requireIdle(store, vApp);
  const description = textOf(node.children, 'Description');
  const change = { name: nameIn(node), ...(description === undefined ? {} : { description }) };
  return begin(store, asking, vApp, { name: 'vdcUpdateVapp', vApp: vApp.id, change });
}
