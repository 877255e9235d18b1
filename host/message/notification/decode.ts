/**
 * Turns a notification message into an event: the body decides, routing key and headers fill what it leaves open.
 * Described in vCloud's programming guide ("blocking tasks and notifications"). The content type says
 * nothing (`application/octet-stream` is common), so the first byte tells the form.
 * May import: kernel, message.
 */
import type { EventBody, ReadBody } from './body.ts';
import type {
  CloudEvent,
  DecodedEvent,
  Disagreement,
  EntityRef,
  EventFault,
  Told,
} from './event.ts';
import { bodyFromJson } from './from-json.ts';
import { bodyFromXml } from './from-xml.ts';
import { NOTIFICATION_HEADERS, readNotificationHeaders } from './headers.ts';
import { bareId, refOf } from './references.ts';
import { type RoutingKey, parseRoutingKey } from './routing-key.ts';

export interface EventMessage {
  readonly routingKey: string;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly body: Uint8Array;
}

export interface EventDecodeOptions {
  /** Largest body that is parsed, in bytes. @default 1048576 */
  readonly maxBytes?: number;
}

export const EVENT_DECODE_DEFAULTS = {
  maxBytes: 1024 * 1024,
} as const satisfies EventDecodeOptions;

const FIELDS = Object.keys(NOTIFICATION_HEADERS) as (keyof Told)[];
const MAX_SHOWN = 200;
const ORG = /^urn:vcloud:org:[A-Za-z0-9._-]{1,128}$/;

/** Never throws: bad input is an outcome with a code. */
export function decodeEvent(
  message: EventMessage,
  { maxBytes = EVENT_DECODE_DEFAULTS.maxBytes }: EventDecodeOptions = {},
): DecodedEvent {
  if (message.body.byteLength > maxBytes)
    return refuse('EVENT_TOO_LARGE', `${message.body.byteLength} bytes, at most ${maxBytes}`);
  const body = readBody(message.body, maxBytes);
  if (typeof body === 'string') return refuse('EVENT_INVALID', body);
  const key = parseRoutingKey(message.routingKey, body.type);
  const headers = readNotificationHeaders(message.headers);
  const event = complete(body, headers, key);
  if (typeof event === 'string') return refuse('EVENT_INVALID', event);
  const taken = saidBy(event);
  const said = saidBy(body);
  return {
    ok: true,
    event,
    disagreements: disagreementsOf(taken, headers, key),
    missing: [...(key ? [] : ['routing key']), ...missingIn(said, headers)],
  };
}

const utf8 = new TextDecoder('utf-8', { fatal: true });

function readBody(bytes: Uint8Array, maxBytes: number): ReadBody {
  const first = firstByte(bytes);
  if (first === 0x3c) return bodyFromXml(bytes, maxBytes);
  if (first !== 0x7b) return bytes.byteLength === 0 ? 'the body is empty' : 'neither XML nor JSON';
  try {
    return bodyFromJson(utf8.decode(bytes));
  } catch {
    return 'not UTF-8';
  }
}

/** Behind a byte order mark and white space; -1 for none. */
function firstByte(bytes: Uint8Array): number {
  let at = bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf ? 3 : 0;
  while (at < bytes.length && isSpace(bytes[at] ?? 0)) at += 1;
  return bytes[at] ?? -1;
}

function isSpace(byte: number): boolean {
  return byte === 0x20 || (byte >= 0x09 && byte <= 0x0d);
}

/** The body, with what it leaves open taken from headers, then key; or what is known from nowhere. */
function complete(body: EventBody, headers: Told, key: RoutingKey | null): CloudEvent | string {
  const told = (field: 'org' | 'user' | 'entity', type: string | null): EntityRef | null => {
    const id = headers[field] ?? key?.[field] ?? null;
    return id === null ? null : refOf({ id, type });
  };
  const operationSuccess =
    body.operationSuccess ?? headers.operationSuccess ?? key?.operationSuccess ?? null;
  if (operationSuccess === null) return 'nothing says whether the operation succeeded';
  const org = body.org ?? told('org', 'org');
  // The org decides who may see the event: it is never guessed from anything else.
  if (!org || !ORG.test(org.id)) return 'no org in body, headers or routing key';
  const entity = body.entity ?? told('entity', headers.entityType);
  if (!entity) return 'no entity in body, headers or routing key';
  return {
    ...body,
    operationSuccess,
    // Everything of an org is kept under its URN, which vCloud writes in small letters.
    org: { ...org, id: org.id.toLowerCase() },
    entity,
    user: body.user ?? told('user', 'user'),
    task: body.task ?? (headers.task === null ? null : refOf({ id: headers.task, type: 'task' })),
    taskName: key?.taskName ?? (isTask(entity) ? entity.name : null),
  };
}

function isTask({ type }: EntityRef): boolean {
  return ['task', 'blockingtask'].includes(type.toLowerCase());
}

function saidBy(body: EventBody | CloudEvent): Told {
  const id = (ref: EntityRef | null) => (ref === null ? null : bareId(ref.id));
  return {
    type: body.type.replaceAll('.', '/'),
    operationSuccess: body.operationSuccess,
    entity: id(body.entity),
    entityType: body.entity?.type ?? null,
    org: id(body.org),
    user: id(body.user),
    task: id(body.task),
  };
}

function disagreementsOf(event: Told, headers: Told, key: RoutingKey | null): Disagreement[] {
  const found: Disagreement[] = [];
  for (const field of FIELDS) {
    // The key tells of neither.
    if (!key || field === 'entityType' || field === 'task') continue;
    compare(field, event[field], { where: 'key', says: key[field] }, found);
  }
  for (const field of FIELDS)
    compare(field, event[field], { where: 'headers', says: headers[field] }, found);
  return found;
}

type Value = string | boolean | null;

function compare(
  field: keyof Told,
  taken: Value,
  { where, says }: { readonly where: Disagreement['in']; readonly says: Value },
  found: Disagreement[],
): void {
  if (taken === null || says === null || same(taken, says)) return;
  found.push({ in: where, field, says: shown(says), taken: shown(taken) });
}

function missingIn(body: Told, headers: Told): string[] {
  const missing: string[] = [];
  for (const field of FIELDS)
    if (body[field] !== null && headers[field] === null) missing.push(NOTIFICATION_HEADERS[field]);
  return missing;
}

/** UUIDs and types are written in either case. */
function same(a: string | boolean, b: string | boolean): boolean {
  return a === b || String(a).toLowerCase() === String(b).toLowerCase();
}

function shown(value: string | boolean): string {
  return String(value).slice(0, MAX_SHOWN);
}

function refuse(code: EventFault, why: string): DecodedEvent {
  return { ok: false, code, why: why.slice(0, MAX_SHOWN) };
}
