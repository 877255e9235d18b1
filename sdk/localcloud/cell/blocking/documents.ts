/**
 * Blocking tasks and lists of them as documents.
 * May import: blocking, element, paths, represent, store, work.
 */
import { type Element, element } from '../documents/element.ts';
import { EXTENSION, type View, link } from '../documents/represent.ts';
import { namedIn } from '../events/notice.ts';
import type { Store } from '../store.ts';
import { MEDIA, adminOrgPath, reference, taskPath, userPath } from '../tenant/paths.ts';
import type { BlockingTask } from './blocking.ts';

const ADMIN = 'application/vnd.vmware.admin.';
export const BLOCKING_MEDIA = {
  task: `${ADMIN}blockingTask`,
  list: `${ADMIN}blockingTaskList`,
  params: `${ADMIN}blockingTaskOperationParams`,
  progress: `${ADMIN}blockingTaskUpdateProgressOperationParams`,
} as const;

export const blockingPath = ({ id }: BlockingTask) => `${EXTENSION}/blockingTask/${id}`;

const dateOf = (ms: number) => new Date(ms).toISOString();

function linksOf(view: View, blocking: BlockingTask): Element[] {
  const path = blockingPath(blocking);
  const { params, progress } = BLOCKING_MEDIA;
  const actions =
    blocking.status === 'active'
      ? [
          ...['resume', 'abort', 'fail'].map((action) =>
            link(view, action, `${path}/action/${action}`, params),
          ),
          link(view, 'updateProgress', `${path}/action/updateProgress`, progress),
        ]
      : [];
  return [
    ...actions,
    link(view, 'task', taskPath({ id: blocking.task }), MEDIA.task),
    link(view, 'up', EXTENSION, `${ADMIN}vmwExtension`),
  ];
}

/** Organization, User and TaskOwner: the last as the task itself shows it. */
function involved(store: Store, view: View, blocking: BlockingTask): Element[] {
  const { org, user } = blocking;
  const owner = store.tasks.get(blocking.task)?.parts.find(({ name }) => name === 'Owner');
  const id = (kind: string, uuid: string) => `urn:vcloud:${kind}:${uuid}`;
  return [
    reference(view, 'vcloud:Organization', {
      path: adminOrgPath(org),
      media: MEDIA.adminOrg,
      name: org.name,
      id: id('org', org.id),
    }),
    reference(view, 'vcloud:User', {
      path: userPath(user),
      media: MEDIA.user,
      name: user.name,
      id: id('user', user.id),
    }),
    ...(owner ? [element('vcloud:TaskOwner', owner.attributes)] : []),
  ];
}

export function blockingElement(store: Store, view: View, blocking: BlockingTask): Element {
  return element(
    'vmext:BlockingTask',
    {
      name: blocking.name,
      id: `urn:vcloud:blockingTask:${blocking.id}`,
      type: `${BLOCKING_MEDIA.task}+${view.format}`,
      href: `${view.base}${blockingPath(blocking)}`,
      createdTime: dateOf(blocking.createdAt),
      timeoutDate: dateOf(blocking.timeoutAt),
      timeoutAction: blocking.timeoutAction,
      status: blocking.status,
    },
    [...linksOf(view, blocking), ...involved(store, view, blocking)],
  );
}

/** References to all that wait for somebody's word. */
export function blockingListElement({ blockingTasks }: Store, view: View): Element {
  const active = [...blockingTasks.values()].filter(({ status }) => status === 'active');
  return element(
    'vmext:BlockingTaskReferences',
    {
      href: `${view.base}${EXTENSION}/blockingTasks`,
      type: `${BLOCKING_MEDIA.list}+${view.format}`,
    },
    [
      link(view, 'up', EXTENSION, `${ADMIN}vmwExtension`),
      ...active.map((blocking) =>
        reference(view, 'vcloud:Reference', {
          path: blockingPath(blocking),
          media: BLOCKING_MEDIA.task,
          name: blocking.name,
          id: `urn:vcloud:blockingTask:${blocking.id}`,
        }),
      ),
    ],
  );
}

/** What a blocking task's task works on. */
export const ownerOf = (store: Store, { task }: BlockingTask) =>
  namedIn(
    store.tasks.get(task)?.parts.find(({ name }) => name === 'Owner')?.attributes ?? {},
    'vapp',
  );
