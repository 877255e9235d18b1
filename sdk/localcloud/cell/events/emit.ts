/**
 * The helper of tests: makes notices of events that have not happened, from JSON.
 * May import: fault, notice, model, store.
 */
import { randomUUID } from 'node:crypto';

import { VcloudFault } from '../documents/fault.ts';
import type { Org } from '../model.ts';
import { type Store, SYSTEM_ORG, orgById } from '../store.ts';
import type { Named, Notice } from './happening.ts';
import { EVENT_ROOT, tell, userNamed } from './notice.ts';

/** So many events at most in one request. */
export const MAX_COUNT = 100_000;
const MAX_TYPE = 512;

const refuse = (message: string) => new VcloudFault(400, `Event: ${message}`);

type Fields = Readonly<Record<string, unknown>>;

const isObject = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const KNOWN = new Set(
  'type success count entities entity org user task taskOwner eventId timestamp extra routingKey headers'.split(
    ' ',
  ),
);

function textIn(fields: Fields, name: string): string | undefined {
  const value = fields[name];
  if (value === undefined) return undefined;
  if (typeof value !== 'string' || value === '') throw refuse(`'${name}' must be a text`);
  return value;
}

function numberIn(fields: Fields, name: string, most: number): number {
  const value = fields[name] ?? 1;
  if (typeof value !== 'number' || !Number.isInteger(value) || value < 1 || value > most)
    throw refuse(`'${name}' must be a whole number from 1 to ${most}`);
  return value;
}

/** A URN of vCloud, alone or with a name beside it. */
function namedOf(fields: Fields, name: string): Named | undefined {
  const value = fields[name];
  if (value === undefined) return undefined;
  const { urn, name: given } = isObject(value) ? value : { urn: value, name: undefined };
  const [, kind, id] = /^urn:vcloud:(\w+):(\S+)$/.exec(typeof urn === 'string' ? urn : '') ?? [];
  if (kind === undefined || id === undefined)
    throw refuse(`'${name}' must be a URN such as urn:vcloud:vapp:…, or {urn, name}`);
  return { kind, id, ...(typeof given === 'string' ? { name: given } : {}) };
}

function orgOf(store: Store, text: string | undefined): Org {
  if (text === undefined) return SYSTEM_ORG;
  const id = text.replace(/^urn:vcloud:org:/i, '');
  const found =
    [SYSTEM_ORG, ...store.orgs].find(({ name }) => name.toLowerCase() === id.toLowerCase()) ??
    orgById(store, id);
  // An org that is not there is for those who test what comes of it.
  if (!found && id === text) throw refuse(`there is no organization '${text}'`);
  return found ?? { id, name: 'unknown' };
}

function userOf(store: Store, org: Org, fields: Fields): Named {
  const text = textIn(fields, 'user');
  if (text === undefined) {
    const first = store.users.values().find((user) => user.org.id === org.id);
    return userNamed(first ?? store.administrator);
  }
  if (text.startsWith('urn:')) return namedOf(fields, 'user') ?? userNamed(store.administrator);
  const found = store.users
    .values()
    .find((user) => user.id === text || (user.name === text && user.org.id === org.id));
  if (!found) throw refuse(`there is no user '${text}' in '${org.name}'`);
  return userNamed(found);
}

/** `…/event/vapp/create` is about a `vapp`; `blockingtask` is the only one that is spelled differently in URNs. */
function kindIn(type: string): string {
  const kind = type.startsWith(EVENT_ROOT)
    ? type.slice(EVENT_ROOT.length).split('/')[0]
    : undefined;
  return kind === 'blockingtask' ? 'blockingTask' : kind || 'entity';
}

/** The entities in turn: the one that was named, or so many made up. */
function entitiesOf(fields: Fields, type: string): Named[] {
  const named = namedOf(fields, 'entity');
  const number = numberIn(fields, 'entities', MAX_COUNT);
  if (named) return [named];
  return Array.from({ length: number }, () => ({ kind: kindIn(type), id: randomUUID() }));
}

function headersIn(value: unknown): NonNullable<Notice['headers']> {
  const plain = new Set(['string', 'number', 'boolean']);
  if (!isObject(value) || Object.values(value).some((v) => v !== null && !plain.has(typeof v)))
    throw refuse("'headers' must be an object of texts, numbers, booleans and null");
  return value as NonNullable<Notice['headers']>;
}

function common(store: Store, fields: Fields, type: string): Omit<Notice, 'entity' | 'eventId'> {
  const { success = true, extra, headers } = fields;
  if (typeof success !== 'boolean') throw refuse("'success' must be true or false");
  if (extra !== undefined && !isObject(extra)) throw refuse("'extra' must be an object");
  const org = orgOf(store, textIn(fields, 'org'));
  const task = namedOf(fields, 'task');
  const taskOwner = namedOf(fields, 'taskOwner');
  const routingKey = textIn(fields, 'routingKey');
  if (routingKey && Buffer.byteLength(routingKey) > 255)
    throw refuse("'routingKey' must not have more than 255 bytes");
  return {
    type,
    success,
    org,
    user: userOf(store, org, fields),
    timestamp: textIn(fields, 'timestamp') ?? new Date().toISOString(),
    ...(task ? { task } : {}),
    ...(taskOwner ? { taskOwner } : {}),
    ...(extra ? { extra } : {}),
    ...(routingKey ? { routingKey } : {}),
    ...(headers === undefined ? {} : { headers: headersIn(headers) }),
  };
}

/** Tell of events as if they had happened; returns their ids in order. 400 says what is wrong with the request. */
export function emit(store: Store, body: unknown): string[] {
  if (!isObject(body)) throw refuse('the body must be a JSON object');
  const unknown = Object.keys(body).find((name) => !KNOWN.has(name));
  if (unknown !== undefined) throw refuse(`'${unknown}' is not known`);
  const type = textIn(body, 'type') ?? '';
  if (type === '' || type.length > MAX_TYPE) throw refuse("'type' is required");
  const count = numberIn(body, 'count', MAX_COUNT);
  const entities = entitiesOf(body, type);
  const shared = common(store, body, type);
  const given = textIn(body, 'eventId');
  const ids: string[] = [];
  for (let index = 0; index < count; index += 1) {
    const eventId = given ?? randomUUID();
    const entity = entities[index % entities.length];
    if (entity) tell(store, { ...shared, eventId, entity });
    ids.push(eventId);
  }
  return ids;
}
