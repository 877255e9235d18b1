/**
 * Query types of tasks, blocking tasks, events and uploaded texts.
 * May import: blocking, bundles, caller, element, paths, model, store, table, work.
 */
import { sees } from '../../sessions/caller.ts';
import { textOf } from '../../documents/element.ts';
import { localizations } from '../../extension/bundles/bundles.ts';
import type { Org } from '../../model.ts';
import { orgById } from '../../store.ts';
import type { BlockingTask } from '../../blocking/blocking.ts';
import { BLOCKING_MEDIA, blockingPath, ownerOf } from '../../blocking/documents.ts';
import { MEDIA, orgPath, taskPath, userPath } from '../../tenant/paths.ts';
import type { CloudEvent, Task } from '../../work/work.ts';
import { type Asked, type QueryTable, type Row, everybody, provider, written } from './table.ts';

/** What is in an org that the caller sees, with that org. */
function visible<T extends { readonly org: string }>(
  { store, caller }: Asked,
  items: Iterable<T>,
): (readonly [T, Org])[] {
  return [...items].flatMap((item) => {
    const org = orgById(store, item.org);
    return org && sees(caller, org) ? [[item, org] as const] : [];
  });
}

/** `application/vnd.vmware.vcloud.vApp+xml` is of the type `vapp`, and so is `vcloud:vapp`. */
const typeIn = (media: string | undefined) =>
  media && /([A-Za-z]+)(?:\+(?:xml|json))?$/.exec(media)?.[1]?.toLowerCase();

function taskRow({ view }: Asked, task: Task, org: Org): Row {
  const part = (name: string) => task.parts.find((item) => item.name === name)?.attributes ?? {};
  const owner = part('Owner');
  const user = part('User');
  return {
    path: taskPath(task),
    urn: `urn:vcloud:task:${task.id}`,
    media: MEDIA.task,
    attributes: written({
      org: `${view.base}${orgPath(org)}`,
      orgName: org.name,
      name: task.operationName || task.name,
      startDate: task.startTime,
      endDate: task.endTime,
      status: task.status,
      progress: textOf(task.parts, 'Progress'),
      ownerName: user['name'],
      object: owner['href'],
      objectType: typeIn(owner['type']),
      objectName: owner['name'],
      serviceNamespace: task.serviceNamespace,
    }),
  };
}

function adminTaskRow(asked: Asked, task: Task, org: Org): Row {
  const row = taskRow(asked, task, org);
  const user = task.parts.find((item) => item.name === 'User')?.attributes['href'];
  const hasOwner = row.attributes['object'] !== undefined;
  return { ...row, attributes: { ...row.attributes, ...written({ owner: user, hasOwner }) } };
}

function eventRow(event: CloudEvent, org: Org): Row {
  return {
    urn: `urn:vcloud:event:${event.id}`,
    attributes: written({
      eventType: event.type,
      timeStamp: event.timeStamp,
      eventStatus: event.success ? 1 : 0,
      userName: event.user['name'],
      orgName: org.name,
      entityType: typeIn(event.owner['type']),
      entityName: event.owner['name'],
      serviceNamespace: event.serviceNamespace,
      entity: event.owner['href'] ?? event.owner['id'],
    }),
  };
}

function adminEventRow({ view }: Asked, event: CloudEvent, org: Org): Row {
  const row = eventRow(event, org);
  const more = { eventId: row.urn, org: `${view.base}${orgPath(org)}` };
  return { ...row, attributes: { ...row.attributes, ...more } };
}

function blockingRow({ store, view }: Asked, blocking: BlockingTask): Row {
  const { org } = blocking;
  const owner = ownerOf(store, blocking);
  return {
    path: blockingPath(blocking),
    urn: `urn:vcloud:blockingTask:${blocking.id}`,
    media: BLOCKING_MEDIA.task,
    attributes: written({
      status: blocking.status,
      operationName: blocking.name,
      owner: `${view.base}${userPath(blocking.user)}`,
      ownerName: blocking.user.name,
      originatingOrg: `${view.base}${orgPath(org)}`,
      originatingOrgName: org.name,
      creationDate: new Date(blocking.createdAt).toISOString(),
      expirationTime: new Date(blocking.timeoutAt).toISOString(),
      timeoutAction: blocking.timeoutAction,
      task: `${view.base}${taskPath({ id: blocking.task })}`,
      hasOwner: owner !== undefined,
    }),
  };
}

/** Uploaded texts; they have neither address nor id. */
const externalLocalization: QueryTable = {
  record: 'ExternalLocalization',
  attributes: ['serviceNamespace', 'locale', 'key', 'value'],
  mayAsk: provider,
  rows: ({ store }) =>
    localizations(store.bundles).map((text) => ({ urn: '', attributes: { ...text } })),
};

const TASK =
  'org orgName name startDate endDate status progress ownerName object objectType objectName serviceNamespace'.split(
    ' ',
  );
const BLOCKING =
  'status operationName owner ownerName originatingOrg originatingOrgName creationDate expirationTime timeoutAction task hasOwner'.split(
    ' ',
  );
const EVENT =
  'eventType timeStamp eventStatus userName orgName entityType entityName serviceNamespace entity'.split(
    ' ',
  );

export const WORK_TABLES: Readonly<Record<string, QueryTable>> = {
  externalLocalization,
  task: {
    record: 'Task',
    attributes: TASK,
    mayAsk: everybody,
    rows: (asked) =>
      visible(asked, asked.store.tasks.values()).map(([task, org]) => taskRow(asked, task, org)),
  },
  adminTask: {
    record: 'AdminTask',
    attributes: [...TASK, 'owner', 'hasOwner'],
    mayAsk: provider,
    rows: (asked) =>
      visible(asked, asked.store.tasks.values()).map(([task, org]) =>
        adminTaskRow(asked, task, org),
      ),
  },
  blockingTask: {
    record: 'BlockingTask',
    attributes: BLOCKING,
    mayAsk: provider,
    rows: (asked) =>
      [...asked.store.blockingTasks.values()]
        .filter(({ org }) => sees(asked.caller, org))
        .map((blocking) => blockingRow(asked, blocking)),
  },
  event: {
    record: 'Event',
    attributes: EVENT,
    mayAsk: everybody,
    rows: (asked) => visible(asked, asked.store.events).map(([event, org]) => eventRow(event, org)),
  },
  adminEvent: {
    record: 'AdminEvent',
    attributes: [...EVENT, 'eventId', 'org'],
    mayAsk: provider,
    rows: (asked) =>
      visible(asked, asked.store.events).map(([event, org]) => adminEventRow(asked, event, org)),
  },
};
