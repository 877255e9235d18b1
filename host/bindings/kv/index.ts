/**
 * `env.kv`: what a plug-in keeps for one org, behind the storage port.
 * May import: kernel, storage.
 */
import { z } from 'zod';

import { HostError } from '../../kernel/errors.ts';
import { systemClock, type Clock } from '../../kernel/time.ts';
import type { KvScope, KvStore } from '../../storage/kv-store.ts';
import type { Binding } from '../binding.ts';

export interface KvLimits {
  /** Longest key in characters. @default 512 */
  readonly keyChars?: number;
  /** Largest value as JSON text in bytes. @default 131072 */
  readonly valueBytes?: number;
  /** Keys of one plug-in in one org. @default 10000 */
  readonly keys?: number;
  /** Bytes of all keys and values of one plug-in in one org. @default 16777216 */
  readonly bytes?: number;
}

export const KV_DEFAULTS = {
  keyChars: 512,
  valueBytes: 131_072,
  keys: 10_000,
  bytes: 16_777_216,
} as const satisfies KvLimits;

/** A hundred years: what lies beyond the numbers of the store could be written and never read. */
const MAX_EXPIRY_MS = 3_155_760_000_000;

const text = z.string().min(1);
const key = z.tuple([text]);
const put = z.tuple([
  text,
  z.unknown(),
  z
    .strictObject({
      expiresInMs: z.number().int().positive().max(MAX_EXPIRY_MS).optional(),
      ifVersion: z.number().int().min(0).optional(),
    })
    .nullish(),
]);
const list = z.tuple([
  z
    .strictObject({
      prefix: z.string().optional(),
      limit: z.number().int().min(1).max(1_000).optional(),
      cursor: z.string().nullish(),
    })
    .nullish(),
]);

export function createKvBinding(
  store: KvStore,
  limits: KvLimits = {},
  clock: Clock = systemClock,
): Binding {
  const caps = { ...KV_DEFAULTS, ...limits };
  const rooms = { store, caps, clock, underWay: new Map<string, Room>() };
  return {
    name: 'kv',
    async call(grant, method, args) {
      const scope = { plugin: grant.plugin, org: grant.org };
      switch (method) {
        case 'get':
        case 'getWithVersion': {
          const entry = await store.get(scope, oneKey(args, caps.keyChars));
          if (method === 'get') return entry ? (JSON.parse(entry.value) as unknown) : null;
          return entry && { value: JSON.parse(entry.value) as unknown, version: entry.version };
        }
        case 'put':
          return putValue(rooms, scope, args);
        case 'delete':
          return store.delete(scope, oneKey(args, caps.keyChars));
        case 'list':
          return listKeys(store, scope, args);
        default:
          throw new HostError('BINDING_ARGUMENT', 'kv: unknown method');
      }
    },
  };
}

interface Rooms {
  readonly store: KvStore;
  readonly caps: Required<KvLimits>;
  readonly clock: Clock;
  /** By scope, what puts that were let in have not written yet: many at once must not all see the same room. */
  readonly underWay: Map<string, Room>;
}

interface Room {
  keys: number;
  bytes: number;
}

async function putValue(
  { store, caps, clock, underWay }: Rooms,
  scope: KvScope,
  args: unknown,
): Promise<number | null> {
  const [name, raw, options] = check(put, args);
  checkKey(name, caps.keyChars);
  const value = JSON.stringify(raw ?? null);
  const size = Buffer.byteLength(value);
  if (size > caps.valueBytes)
    throw new HostError('BINDING_ARGUMENT', `kv: value over ${caps.valueBytes} bytes`);
  using others = enter(underWay, scope, size + Buffer.byteLength(name));
  await checkRoom({ store, caps, others }, scope, { name, size });
  const expiresAt = options?.expiresInMs ? clock.now() + options.expiresInMs : null;
  const ifVersion = options?.ifVersion;
  const condition = ifVersion === undefined ? {} : { ifVersion };
  return await store.put(scope, name, { value, expiresAt, ...condition });
}

/** What others have under way in this scope; disposed when this put is over. */
function enter(underWay: Rooms['underWay'], { plugin, org }: KvScope, bytes: number) {
  const key = JSON.stringify([plugin, org]);
  const room = underWay.get(key) ?? { keys: 0, bytes: 0 };
  const others = { ...room };
  underWay.set(key, room);
  room.keys += 1;
  room.bytes += bytes;
  return {
    ...others,
    [Symbol.dispose]() {
      room.keys -= 1;
      room.bytes -= bytes;
      if (room.keys === 0) underWay.delete(key);
    },
  };
}

/** A key that is there already takes no further place. */
async function checkRoom(
  { store, caps, others }: Pick<Rooms, 'store' | 'caps'> & { readonly others: Room },
  scope: KvScope,
  { name, size }: { name: string; size: number },
): Promise<void> {
  const usage = await store.usage(scope);
  const bytes = usage.bytes + others.bytes;
  const fits = bytes + size + Buffer.byteLength(name) <= caps.bytes;
  if (fits && usage.keys + others.keys < caps.keys) return;
  if (bytes + size <= caps.bytes && (await store.get(scope, name))) return;
  throw new HostError('BINDING_ARGUMENT', 'kv: the store of this org is full');
}

async function listKeys(store: KvStore, scope: KvScope, args: unknown) {
  const [options] = check(list, Array.isArray(args) && args.length === 0 ? [null] : args);
  return store.list(scope, {
    prefix: options?.prefix ?? '',
    limit: options?.limit ?? 100,
    cursor: options?.cursor ?? null,
  });
}

function oneKey(args: unknown, maxChars: number): string {
  const [name] = check(key, args);
  checkKey(name, maxChars);
  return name;
}

function checkKey(name: string, maxChars: number): void {
  // Half a surrogate pair has no UTF-8 of its own: two such keys would be one in the store.
  if (name.length > maxChars || /[\u0000-\u001f]/.test(name) || !name.isWellFormed())
    throw new HostError('BINDING_ARGUMENT', `kv: keys are 1 to ${maxChars} printable characters`);
}

function check<T>(schema: z.ZodType<T>, args: unknown): T {
  const result = schema.safeParse(Array.isArray(args) ? padded(args, schema) : args);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  throw new HostError('BINDING_ARGUMENT', `kv: ${issue ? wrong(issue) : 'wrong arguments'}`);
}

/** What is wrong, by its name; a value is not repeated. */
function wrong({ path, ...issue }: z.core.$ZodIssue): string {
  if (issue.code === 'unrecognized_keys')
    return `there is no option ${issue.keys.join(', ').slice(0, 80)}: put has expiresInMs and ifVersion, list has prefix, limit and cursor`;
  const [place, name] = path;
  if (name !== undefined) return `the option ${String(name).slice(0, 80)} has no such value`;
  if (place === 0 && issue.code !== 'invalid_type') return 'the key is empty';
  return place === 0
    ? 'the key, or what list takes, is of the wrong type'
    : 'the options are of the wrong type';
}

/** JSON drops trailing undefined arguments; a tuple wants them. */
function padded(args: unknown[], schema: z.ZodType): unknown[] {
  const wanted = schema instanceof z.ZodTuple ? schema.def.items.length : args.length;
  return args.length < wanted ? [...args, ...Array(wanted - args.length).fill(undefined)] : args;
}
