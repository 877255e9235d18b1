/**
 * The `notification.*` headers of a notification.
 * May import: message.
 */
import type { Told } from './event.ts';
import { bareId, shortType } from './references.ts';

type Headers = Readonly<Record<string, unknown>>;

/** Header by the field that it tells. The last is of newer versions and only there for tasks. */
export const NOTIFICATION_HEADERS = {
  type: 'notification.type',
  entityType: 'notification.entityType',
  entity: 'notification.entityUUID',
  org: 'notification.orgUUID',
  user: 'notification.userUUID',
  operationSuccess: 'notification.operationSuccess',
  task: 'notification.taskUUID',
} as const satisfies Record<keyof Told, string>;

const MAX_VALUE = 512;

/** What the headers say. Names are taken in any case, values as text or boolean; others count as missing. */
export function readNotificationHeaders(headers: Headers): Told {
  const text = (field: keyof Told) => textOf(find(headers, NOTIFICATION_HEADERS[field]));
  const id = (field: keyof Told) => {
    const value = text(field);
    return value === null ? null : bareId(value);
  };
  return {
    type: text('type')?.replaceAll('.', '/') ?? null,
    entityType: shortType(text('entityType')),
    entity: id('entity'),
    org: id('org'),
    user: id('user'),
    operationSuccess: truthOf(text('operationSuccess')),
    task: id('task'),
  };
}

function find(headers: Headers, name: string): unknown {
  if (headers[name] !== undefined) return headers[name];
  const lower = name.toLowerCase();
  const key = Object.keys(headers).find((candidate) => candidate.toLowerCase() === lower);
  return key === undefined ? undefined : headers[key];
}

function textOf(value: unknown): string | null {
  if (typeof value === 'boolean') return String(value);
  if (typeof value !== 'string' || value === '' || value === 'null') return null;
  return value.length <= MAX_VALUE ? value : null;
}

function truthOf(text: string | null): boolean | null {
  const lower = text?.toLowerCase();
  return lower === 'true' ? true : lower === 'false' ? false : null;
}
