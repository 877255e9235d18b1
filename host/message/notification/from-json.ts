/**
 * The JSON form of a notification: one flat object with URNs.
 * May import: message.
 */
import { type ReadBody, eventIdOf, eventTypeOf, timestampOf } from './body.ts';
import type { EntityRef } from './event.ts';
import { refOf } from './references.ts';

type Json = Readonly<Record<string, unknown>>;

const REFS = ['org', 'user', 'entity', 'task', 'taskOwner'] as const;
type Refs = Record<(typeof REFS)[number], EntityRef | null>;
const SCALARS = ['eventId', 'type', 'timestamp', 'operationSuccess'];
const KNOWN = new Set<string>([...SCALARS, ...REFS]);
/** Deeper values can be parsed, but not written again. */
const MAX_DEPTH = 16;

/** Read the text of a body. */
export function bodyFromJson(text: string): ReadBody {
  const json = parse(text);
  if (typeof json === 'string') return json;
  const eventId = typeof json['eventId'] === 'string' ? eventIdOf(json['eventId']) : null;
  if (eventId === null) return '`eventId` is missing or not an id';
  const type = typeof json['type'] === 'string' ? eventTypeOf(json['type']) : null;
  if (type === null) return '`type` is missing or not an event type';
  const timestamp = readTime(json['timestamp']);
  if (timestamp === null) return '`timestamp` is missing or not a time';
  const operationSuccess = readTruth(json['operationSuccess']);
  if (operationSuccess === undefined) return '`operationSuccess` is not a boolean';
  const refs = readRefs(json);
  if (typeof refs === 'string') return refs;
  const extra = Object.fromEntries(Object.entries(json).filter(([name]) => !KNOWN.has(name)));
  if (!isShallow(extra, MAX_DEPTH)) return 'nested too deeply';
  return {
    form: 'json',
    eventId,
    type,
    timestamp,
    operationSuccess,
    ...refs,
    resolver: null,
    extra,
  };
}

function parse(text: string): Json | string {
  try {
    const value: unknown = JSON.parse(text);
    return isObject(value) ? value : 'not a JSON object';
  } catch {
    return 'not JSON';
  }
}

function readRefs(json: Json): Refs | string {
  const refs: Partial<Refs> = {};
  for (const field of REFS) {
    const ref = readRef(json[field]);
    if (ref === undefined) return `\`${field}\` is not a URN`;
    refs[field] = ref;
  }
  return refs as Refs;
}

/** Documented as the URN itself; an object with `id` and `name` is understood as well. Undefined for neither. */
function readRef(value: unknown): EntityRef | null | undefined {
  if (value === undefined || value === null || value === '') return null;
  if (typeof value === 'string') return refOf({ id: value }) ?? undefined;
  if (!isObject(value) || typeof value['id'] !== 'string') return undefined;
  const { id, name } = value;
  return refOf({ id: id, name: typeof name === 'string' ? name : null }) ?? undefined;
}

function readTime(value: unknown): number | null {
  if (typeof value === 'string') return timestampOf(value);
  return typeof value === 'number' && Number.isSafeInteger(value) && value > 0 ? value : null;
}

function readTruth(value: unknown): boolean | null | undefined {
  if (value === undefined || value === null) return null;
  if (typeof value === 'boolean') return value;
  return value === 'true' ? true : value === 'false' ? false : undefined;
}

function isShallow(value: unknown, depth: number): boolean {
  if (typeof value !== 'object' || value === null) return true;
  return depth > 0 && Object.values(value).every((item) => isShallow(item, depth - 1));
}

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
