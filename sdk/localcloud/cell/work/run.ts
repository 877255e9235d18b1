/**
 * vCloud's own operations: started under their task, ended when their time has come or by a blocking task's word.
 * May import: element, notice, model, store, tasks, work.
 */
import { element, leaf } from '../documents/element.ts';
import type { Named } from '../events/happening.ts';
import { EVENT_ROOT, raise, userNamed, vAppNamed } from '../events/notice.ts';
import type { VApp } from '../model.ts';
import type { Store } from '../store.ts';
import { endTask, recordTaskEvent, taskNamed } from './tasks.ts';
import type { Operation, Task } from './work.ts';

const detailed = (task: Task, message: string): Task => ({
  ...task,
  parts: [...task.parts.filter(({ name }) => name !== 'Details'), leaf('vcloud:Details', message)],
});

/** Let the operation of a task begin; it ends by itself. */
export function startRun(
  store: Store,
  id: string,
  { user, message }: { readonly user: Named; readonly message?: string },
): void {
  const task = store.tasks.get(id);
  if (!task?.operates) return;
  const started: Task = { ...task, status: 'running' };
  store.tasks.set(id, message === undefined ? started : detailed(started, message));
  store.runs.set(id, { endsAt: Date.now() + store.operationMs, user: user.id });
  recordTaskEvent(store, started, 'start');
}

/** What the operation does to its vApp when it succeeds. */
function apply(store: Store, operation: Operation, vApp: VApp): void {
  if (operation.name === 'vdcDeleteVapp') store.vApps.delete(vApp.id);
  else if (operation.name === 'vdcInstantiateVapp')
    store.vApps.set(vApp.id, { ...vApp, status: 8 });
  else store.vApps.set(vApp.id, { ...vApp, ...operation.change });
}

const VERBS = {
  vdcInstantiateVapp: 'create',
  vdcUpdateVapp: 'modify',
  vdcDeleteVapp: 'delete',
} as const satisfies Record<Operation['name'], string>;

function succeed(store: Store, task: Task, operation: Operation, user: Named): void {
  const vApp = store.vApps.get(operation.vApp);
  if (vApp) {
    apply(store, operation, vApp);
    const entity = vAppNamed(store.vApps.get(vApp.id) ?? vApp);
    raise(store, {
      type: `${EVENT_ROOT}vapp/${VERBS[operation.name]}`,
      success: true,
      org: vApp.org,
      user,
      entity,
      task: taskNamed(task),
      taskOwner: entity,
    });
  }
  endTask(store, task, 'success');
}

/** End what will not go on: a vApp that was being made is taken away when aborted, and left broken by an error. */
export function endRun(
  store: Store,
  id: string,
  { status, message }: { readonly status: 'aborted' | 'error'; readonly message: string },
): void {
  const task = store.tasks.get(id);
  if (!task?.operates) return;
  const { name, vApp: vAppId } = task.operates;
  const vApp = store.vApps.get(vAppId);
  if (vApp && name === 'vdcInstantiateVapp') {
    if (status === 'aborted') store.vApps.delete(vAppId);
    else store.vApps.set(vAppId, { ...vApp, status: -1 });
  }
  const error = element('vcloud:Error', {
    message,
    majorErrorCode: 500,
    minorErrorCode: 'INTERNAL_SERVER_ERROR',
  });
  const told = detailed(task, message);
  const parts = status === 'error' ? [...told.parts, error] : told.parts;
  endTask(store, { ...told, parts }, status);
}

/** End the operations whose time has come. */
export function finishDue(store: Store, now: number): void {
  for (const [id, { endsAt, user }] of store.runs) {
    if (endsAt > now) continue;
    store.runs.delete(id);
    const task = store.tasks.get(id);
    const asked = store.users.get(user) ?? store.administrator;
    if (task?.operates) succeed(store, task, task.operates, userNamed(asked));
  }
}
