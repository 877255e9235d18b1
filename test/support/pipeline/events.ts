/** Notifications as vCloud publishes them, in both forms, for tests. */
import { encodeXml } from '../../../host/message/xml/documents.ts';
import { NOTIFICATION_HEADERS } from '../../../host/message/notification/headers.ts';
import { bareId } from '../../../host/message/notification/references.ts';
import { buildRoutingKey } from '../../../host/message/notification/routing-key.ts';

export const EVENT = {
  eventId: 'a1440dd8-60ae-46c7-b216-44693bc00c90',
  type: 'com/vmware/vcloud/event/vm/create',
  timestamp: '2011-06-18T14:33:27.787+03:00',
  operationSuccess: true,
  user: 'urn:vcloud:user:80000000-0000-4000-8000-000000000001',
  org: 'urn:vcloud:org:70000000-0000-4000-8000-000000000001',
  entity: 'urn:vcloud:vm:90000000-0000-4000-8000-000000000001',
} as const;

export interface TestEvent {
  readonly eventId: string;
  readonly type: string;
  readonly timestamp: string;
  readonly operationSuccess: boolean;
  readonly user: string;
  readonly org: string;
  readonly entity: string;
  readonly task?: string;
  readonly taskOwner?: string;
  readonly taskName?: string;
}

export interface EventMessageParts {
  readonly routingKey: string;
  readonly headers: Record<string, unknown>;
  readonly body: Buffer;
}

const kind = (urn: string) => urn.split(':')[2] ?? '';

export function eventMessage(
  form: 'xml' | 'json',
  changes: Partial<TestEvent> = {},
): EventMessageParts {
  const event: TestEvent = { ...EVENT, ...changes };
  const { type, operationSuccess, entity, org, user, taskName = null, task } = event;
  const headers = {
    [NOTIFICATION_HEADERS.type]: type,
    [NOTIFICATION_HEADERS.entityType]: kind(entity),
    [NOTIFICATION_HEADERS.entity]: bareId(entity),
    [NOTIFICATION_HEADERS.org]: bareId(org),
    [NOTIFICATION_HEADERS.user]: bareId(user),
    [NOTIFICATION_HEADERS.operationSuccess]: operationSuccess,
    ...(task !== undefined && { [NOTIFICATION_HEADERS.task]: bareId(task) }),
  };
  return {
    routingKey: buildRoutingKey({ operationSuccess, entity, org, user, type, taskName }),
    headers,
    body: Buffer.from(form === 'xml' ? xmlForm(event) : jsonForm(event)),
  };
}

function jsonForm(event: TestEvent): string {
  return JSON.stringify({ ...event, taskName: undefined });
}

function xmlForm(event: TestEvent): string {
  const { eventId, type, timestamp, operationSuccess, user, org, entity, task, taskOwner } = event;
  const link = (rel: string, id: string | undefined, name?: string) =>
    id === undefined ? [] : [{ rel, id, type: `vcloud:${kind(id)}`, ...(name && { name }) }];
  return encodeXml('Notification', {
    type,
    eventId,
    Link: [{ rel: 'entityResolver', href: 'https://vcloud.example.com/api/entity/' }],
    EntityLink: [
      ...link('entity', entity, event.taskName ?? 'web-1'),
      ...link('down', user, 'alice'),
      ...link('up', org, 'acme'),
      ...link('task', task, event.taskName),
      ...link('task:owner', taskOwner),
    ],
    Timestamp: timestamp,
    OperationSuccess: operationSuccess,
  });
}
