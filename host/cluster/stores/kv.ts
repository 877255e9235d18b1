/**
 * The kv port on NATS: a bucket for all scopes, compare-and-set by revision, ends by the clock of the server.
 * May import: kernel, storage, cluster.
 */
import { z } from 'zod';

import { HostError, messageOf } from '../../kernel/errors.ts';
import type { KvEntry, KvPage, KvPut, KvScope, KvStore } from '../../storage/kv-store.ts';
import { openBucket, type Bucket } from '../link/bucket.ts';
import { keyOf, keyPart } from '../link/keys.ts';
import type { Link } from '../link/link.ts';
import type { Pulse } from '../pulse.ts';
import { createKvMarkers, type KvMarkers, type KvMarkersOptions } from './kv-markers.ts';
import { compareCodePoints, openKvScopes, type Held, type KvScopes } from './kv-scopes.ts';

export interface NatsKvParts {
  readonly link: Link;
  /** Not owned. For the time of the server: a host whose clock is wrong must not end what others wrote. */
  readonly pulse: Pick<Pulse, 'now'>;
  /** Of several hosts one sweeps. @default always */
  readonly maySweep?: () => boolean;
  /** Ms between two sweeps, which read the whole bucket. @default 3600000 */
  readonly sweepMs?: number;
  readonly markers?: Pick<KvMarkersOptions, 'most' | 'keepMs'>;
}

/** To change a key that others keep writing to. */
const ATTEMPTS = 10;
/** Keys that are removed at one look at a scope, since their time is over. */
const ENDED_AT_ONCE = 32;
/** Markers of removed keys stay for those that follow the bucket. */
const MARKER_MS = 60_000;

/** Throws a CLUSTER code. */
export async function openNatsKv(parts: NatsKvParts): Promise<KvStore> {
  const { link, maySweep = () => true, sweepMs = 3_600_000 } = parts;
  const bucket = await openBucket(link, 'kv');
  const scopes = await openKvScopes({ bucket, held: heldOf });
  const markers = createKvMarkers({ ...parts.markers, link, bucket });
  const store = new NatsKv({ bucket, scopes, markers }, parts);
  const timer = setInterval(() => {
    if (maySweep())
      void store.sweep().catch((error: unknown) => {
        link.settings.log.warn('cluster.sweep_failed', { reason: messageOf(error) });
      });
  }, sweepMs).unref();
  return Object.assign(store, {
    async [Symbol.asyncDispose]() {
      clearInterval(timer);
      scopes[Symbol.dispose]();
      await markers[Symbol.asyncDispose]();
    },
  });
}

interface Rooms {
  readonly bucket: Bucket;
  readonly scopes: KvScopes;
  readonly markers: KvMarkers;
}

class NatsKv implements Omit<KvStore, typeof Symbol.asyncDispose> {
  readonly #bucket: Bucket;
  readonly #scopes: KvScopes;
  readonly #markers: KvMarkers;
  readonly #clock: Link['settings']['clock'];
  readonly #pulse: NatsKvParts['pulse'];
  readonly #replicated: boolean;

  constructor({ bucket, scopes, markers }: Rooms, { link, pulse }: NatsKvParts) {
    this.#bucket = bucket;
    this.#scopes = scopes;
    this.#markers = markers;
    this.#clock = link.settings.clock;
    this.#pulse = pulse;
    this.#replicated = link.settings.replicas > 1;
  }

  async get(scope: KvScope, key: string): Promise<KvEntry | null> {
    const found = await this.#live(scope, key);
    if (!found) return null;
    const { value, revision, endsAt } = found;
    return { value, version: revision, expiresAt: endsAt === null ? null : this.#ours(endsAt) };
  }

  async put(scope: KvScope, key: string, put: KvPut): Promise<number | null> {
    const { value, expiresAt, ifVersion } = put;
    const endsAt = expiresAt === null ? null : expiresAt + this.#pulse.now() - this.#clock.now();
    const bytes = encode({ ...scope, key, endsAt, value });
    const revision = await this.#write(scope, key, { bytes, ifVersion });
    if (revision === null) return null;
    const size = Buffer.byteLength(key) + Buffer.byteLength(value);
    const held = { key, revision, bytes: size, endsAt };
    this.#scopes.wrote(scopeName(scope), keyPart(key), held);
    return revision;
  }

  async delete(scope: KvScope, key: string): Promise<boolean> {
    const name = scopeName(scope);
    this.#markers.checkRoom(name);
    for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
      const found = await this.#live(scope, key);
      if (!found) return false;
      const revision = await this.#bucket.mark(nameOfKey(scope, key), found.revision);
      if (revision === null) continue;
      this.#markers.left(name, revision);
      this.#scopes.wrote(name, keyPart(key), { revision, removed: true });
      return true;
    }
    // Others write it all the time: removed before their next write is as good as any other order.
    return true;
  }

  async list(
    scope: KvScope,
    { prefix, limit, cursor }: { prefix: string; limit: number; cursor: string | null },
  ): Promise<KvPage> {
    const now = this.#pulse.now();
    const matching = (await this.#scopes.sorted(scopeName(scope))).filter(
      ({ key, endsAt }) =>
        key.startsWith(prefix) &&
        (endsAt === null || endsAt > now) &&
        (cursor === null || compareCodePoints(key, cursor) > 0),
    );
    const keys = matching.slice(0, limit).map(({ key }) => key);
    return { keys, cursor: matching.length > limit ? (keys.at(-1) ?? null) : null };
  }

  async forget(plugin: string): Promise<void> {
    const part = keyPart(plugin);
    await this.#bucket.purge(`d.${part}.>`);
    // A purge is not seen by those that follow the bucket.
    await this.#bucket.put(`f.${part}`, '');
    this.#scopes.dropped(`${part}.`);
  }

  async usage(scope: KvScope): Promise<{ keys: number; bytes: number }> {
    const { keys, bytes, ended } = await this.#scopes.usage(scopeName(scope), this.#pulse.now());
    await Promise.all(ended.slice(0, ENDED_AT_ONCE).map((held) => this.#end(scope, held)));
    return { keys, bytes };
  }

  /** Between two sweeps, too, what has ended must not fill the bucket, which all share. */
  async #end(scope: KvScope, { key, revision: ended }: Held): Promise<void> {
    const revision = await this.#bucket.mark(nameOfKey(scope, key), ended);
    if (revision === null) return;
    this.#markers.left(scopeName(scope), revision);
    this.#scopes.wrote(scopeName(scope), keyPart(key), { revision, removed: true });
  }

  /** Remove what has ended, and markers that everybody has seen. */
  async sweep(): Promise<void> {
    const now = this.#pulse.now();
    const ended: { key: string; revision: number }[] = [];
    const markers: number[] = [];
    for await (const { key, revision, value, createdAt } of this.#bucket.scan('d.>')) {
      if (value === null) {
        if (createdAt < now - MARKER_MS) markers.push(revision);
      } else if ((decodeValue(revision, value)?.endsAt ?? Infinity) <= now)
        ended.push({ key, revision });
    }
    for (const { key, revision } of ended) await this.#bucket.mark(key, revision);
    for (const revision of markers) await this.#bucket.erase(revision);
  }

  async #live(scope: KvScope, key: string): Promise<(Value & { revision: number }) | null> {
    const entry = await this.#bucket.get(nameOfKey(scope, key));
    const found = entry?.value ? decodeValue(entry.revision, entry.value) : null;
    if (!found || (found.endsAt !== null && found.endsAt <= this.#pulse.now())) return null;
    return found;
  }

  async #write(
    scope: KvScope,
    key: string,
    { bytes, ifVersion }: { bytes: Uint8Array; ifVersion: number | undefined },
  ): Promise<number | null> {
    const name = nameOfKey(scope, key);
    if (ifVersion === undefined) return this.#over(name, bytes);
    const known = (await this.#live(scope, key))?.revision ?? 0;
    if (known !== ifVersion) return null;
    if (known > 0) return this.#bucket.replace(name, bytes, known);
    // What has ended is written over, and nothing else.
    const there = await this.#bucket.get(name);
    return this.#bucket.replace(name, bytes, there?.revision ?? 0);
  }

  /** With copies, also over what is there whatever it is: a compare-and-set under way must not miss it. */
  async #over(name: string, bytes: Uint8Array): Promise<number> {
    if (!this.#replicated) return this.#bucket.put(name, bytes);
    for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
      const there = await this.#bucket.peek(name);
      const written = await this.#bucket.replace(name, bytes, there?.revision ?? 0);
      if (written !== null) return written;
    }
    throw new HostError('CLUSTER_UNAVAILABLE', `${name}: others write it all the time`);
  }

  #ours(serverTime: number): number {
    return Math.round(serverTime - this.#pulse.now() + this.#clock.now());
  }
}

interface Value extends KvScope {
  readonly key: string;
  readonly endsAt: number | null;
  readonly value: string;
}

const scopeName = ({ plugin, org }: KvScope) => keyOf(plugin, org);
const nameOfKey = ({ plugin, org }: KvScope, key: string) => `d.${keyOf(plugin, org, key)}`;

const headSchema = z.tuple([z.string(), z.string(), z.string(), z.number().nullable()]);

/** One line of JSON, then the value as it is. */
function encode({ plugin, org, key, endsAt, value }: Value): Uint8Array {
  return Buffer.from(`${JSON.stringify([plugin, org, key, endsAt])}\n${value}`);
}

/** Null for what nobody of us wrote. */
export function decodeValue(
  revision: number,
  bytes: Uint8Array,
): (Value & { revision: number }) | null {
  const text = Buffer.from(bytes).toString('utf8');
  const end = text.indexOf('\n');
  try {
    const head = headSchema.parse(JSON.parse(text.slice(0, end)));
    const [plugin, org, key, endsAt] = head;
    return { plugin, org, key, endsAt, value: text.slice(end + 1), revision };
  } catch {
    return null;
  }
}

function heldOf(revision: number, value: Uint8Array): Held | null {
  const found = decodeValue(revision, value);
  if (!found) return null;
  const bytes = Buffer.byteLength(found.key) + Buffer.byteLength(found.value);
  return { key: found.key, revision, bytes, endsAt: found.endsAt };
}
