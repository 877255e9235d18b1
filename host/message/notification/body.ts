/**
 * What the body of a notification says, and the rules that both of its forms share.
 * May import: message.
 */
import type { CloudEvent, EntityRef } from './event.ts';

/** Null where the body says nothing: routing key and headers may know. */
export interface EventBody extends Pick<CloudEvent, 'form' | 'resolver' | 'extra'> {
  readonly eventId: string;
  readonly type: string;
  readonly timestamp: number;
  readonly operationSuccess: boolean | null;
  readonly org: EntityRef | null;
  readonly user: EntityRef | null;
  readonly entity: EntityRef | null;
  readonly task: EntityRef | null;
  readonly taskOwner: EntityRef | null;
}

/** The body, or why it is not one. */
export type ReadBody = EventBody | string;

const EVENT_ID = /^(?:urn:vcloud:event:)?([A-Za-z0-9._:-]{1,128})$/;
/** Extensions name their events as they like: no white space, no control characters, no wildcards of patterns. */
const EVENT_TYPE = /^[^\s\p{C}./#*]+(?:[./][^\s\p{C}./#*]+)*$/u;
const DATE_TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(Z|[+-]\d\d:?\d\d)?$/;

/** The id without the prefix of a URN, so that both forms of an event have the same one; null if it is none. */
export function eventIdOf(text: string): string | null {
  return EVENT_ID.exec(text.trim())?.[1] ?? null;
}

/** The type with slashes, which one without any gets in place of its dots; null for what is no type. */
export function eventTypeOf(text: string): string | null {
  if (text.length > 255 || !EVENT_TYPE.test(text)) return null;
  return text.includes('/') ? text : text.replaceAll('.', '/');
}

/** Epoch ms of an XML dateTime; one without a zone is taken as UTC. Null for anything else. */
export function timestampOf(text: string): number | null {
  const match = DATE_TIME.exec(text.trim());
  if (!match) return null;
  const ms = Date.parse(match[1] === undefined ? `${text.trim()}Z` : text.trim());
  return Number.isFinite(ms) ? ms : null;
}
