/**
 * The messages of an event: routing key, headers, and its XML and JSON forms.
 * May import: element, notice, xml.
 */
import { type Element, element, leaf } from '../documents/element.ts';
import { writeXml } from '../documents/xml.ts';
import type { Named, Notice } from './happening.ts';
import { urnOf } from './notice.ts';

/** AMQP's limit for routing keys, in bytes. */
const MAX_KEY_BYTES = 255;

/** Guessed: the documents name no type for the XML form. */
export const XML_TYPE = 'application/vnd.vmware.admin.notification+xml';
export const JSON_TYPE = 'application/json';

const isTask = ({ kind }: Named) => kind === 'task' || kind === 'blockingTask';

/** `operationSuccess.entity.org.user.subType1.subType2…[.taskName]` */
export function routingKeyOf(notice: Notice): string {
  if (notice.routingKey !== undefined) return notice.routingKey;
  const { type, success, entity, org, user } = notice;
  const taskName = isTask(entity) && entity.name ? [entity.name] : [];
  const key = [success, entity.id, org.id, user.id, ...type.split('/'), ...taskName].join('.');
  return Buffer.from(key, 'utf8').subarray(0, MAX_KEY_BYTES).toString('utf8');
}

/** All headers `notification.*` that are documented. */
export function headersOf(notice: Notice): Record<string, string | number | boolean> {
  const { type, success, entity, org, user, task } = notice;
  const all = {
    'notification.type': type,
    'notification.entityType': entity.kind,
    'notification.entityUUID': entity.id,
    'notification.orgUUID': org.id,
    'notification.userUUID': user.id,
    'notification.operationSuccess': success,
    ...(task ? { 'notification.taskUUID': task.id } : {}),
    ...notice.headers,
  };
  return Object.fromEntries(
    Object.entries(all).flatMap(([name, value]) => (value === null ? [] : [[name, value]])),
  );
}

const entityLink = (rel: string, named: Named | undefined): Element[] =>
  named
    ? [
        element('vmext:EntityLink', {
          rel,
          type: `vcloud:${named.kind}`,
          name: named.name,
          id: urnOf(named),
        }),
      ]
    : [];

/** The element `Notification`; `base` is the address of a cell, for the entity resolver. */
export function xmlForm(notice: Notice, base: string): string {
  const { type, eventId, timestamp, success, entity, org, user, task, taskOwner } = notice;
  return writeXml(
    element('vmext:Notification', { type, eventId }, [
      element('vmext:Link', { rel: 'entityResolver', href: `${base}/api/entity/` }),
      ...entityLink('entity', entity),
      ...entityLink('down', user),
      ...entityLink('up', { kind: 'org', id: org.id, name: org.name }),
      ...entityLink('task', task),
      ...entityLink('task:owner', taskOwner),
      leaf('vmext:Timestamp', timestamp),
      leaf('vmext:OperationSuccess', success),
    ]),
  );
}

export function jsonForm(notice: Notice): string {
  const { type, eventId, timestamp, success, entity, org, user, task, taskOwner, extra } = notice;
  return JSON.stringify({
    eventId,
    type,
    timestamp,
    operationSuccess: success,
    user: urnOf(user),
    org: `urn:vcloud:org:${org.id}`,
    entity: urnOf(entity),
    ...(task ? { task: urnOf(task) } : {}),
    ...(taskOwner ? { taskOwner: urnOf(taskOwner) } : {}),
    ...extra,
  });
}
