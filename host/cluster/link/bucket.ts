/**
 * A KV bucket with coded errors: compare-and-set as a value, keys that are really gone, a watch that does not end.
 * May import: kernel, @nats-io.
 */
import { DeliverPolicy } from '@nats-io/jetstream';
import { Kvm, type KV, type KvEntry } from '@nats-io/kv';
import { headers } from '@nats-io/transport-node';

import { HostError } from '../../kernel/errors.ts';
import { isConflict, isMissing } from './faults.ts';
import type { Link } from './link.ts';
import type { BucketName } from './options.ts';
import { ensureStream, nameOf } from './streams.ts';
import {
  messageEntry,
  openWatch,
  type BucketEntry,
  type Watch,
  type WatchFrom,
  type WatchListener,
} from './watch.ts';

/** Keys are made of letters, digits, `-`, `_`, `=` and `/`, in parts between dots; see `keys.ts`. */
export interface Bucket {
  readonly name: string;
  /** Null when the key is not there. Always the latest, from the leader. */
  get(key: string): Promise<BucketEntry | null>;
  /** As `get`, but the marker of a removed key is shown. */
  peek(key: string): Promise<BucketEntry | null>;
  put(key: string, value: string | Uint8Array): Promise<number>;
  /** Write over this revision, 0 for a key that is not there. The new revision, or null when it was another. */
  replace(key: string, value: string | Uint8Array, revision: number): Promise<number | null>;
  /** Leave a marker that watchers see, over this revision. Its own, or null when the key had another one. */
  mark(key: string, revision: number): Promise<number | null>;
  /** As `mark`, over whatever is there. Null when nothing was. */
  remove(key: string): Promise<number | null>;
  /** Take a marker or value away for good, if it still is of this revision. Watchers do not see it. */
  erase(revision: number): Promise<void>;
  /** Every key that fits (`a.>`, `a.*`), and every change from now on, until disposed. @default all */
  watch(filter: string, listener: WatchListener, from?: WatchFrom): Watch;
  /** Entries that are there now; those are read, and nothing more. */
  entries(filter: string): Promise<BucketEntry[]>;
  /** As `entries`, but a few at a time: for what may not fit into memory. Markers are among them. */
  scan(filter: string): AsyncIterable<BucketEntry>;
  /** Take all keys that fit away, also from those who watch: they are not told. */
  purge(filter: string): Promise<void>;
  size(): Promise<{ entries: number; bytes: number }>;
}

/** Reading all of a bucket takes no longer, in ms. */
const READ_ALL_MS = 30_000;
/** Nor is it waited longer for the next entry, in `requestMs`: a guest that waits for it has a deadline. */
const SILENT_REQUESTS = 2;
/** Entries read at a time, and how long to wait for them. */
const SCAN = 256;
const SCAN_MS = 5_000;
/** To change what others change at the same time. */
const ATTEMPTS = 10;

/** Open or make it. Throws CLUSTER_BUCKET_SHAPE when it is there with other settings. */
export async function openBucket(
  link: Link,
  bucket: BucketName,
  { maxAgeMs = 0 }: { maxAgeMs?: number } = {},
): Promise<Bucket> {
  const name = nameOf(link, bucket);
  const stream = `KV_${name}`;
  const prefix = `$KV.${name}.`;
  const maxBytes = link.settings.bytes[bucket];
  await ensureStream(link, { name: stream, subjects: [`${prefix}>`], maxBytes, maxAgeMs });
  const kv = await new Kvm(link.client).open(name, { allow_direct: false });
  return new NatsBucket(link, kv, { name, stream, prefix });
}

interface Names {
  readonly name: string;
  readonly stream: string;
  readonly prefix: string;
}

class NatsBucket implements Bucket {
  readonly name: string;
  readonly #link: Link;
  readonly #kv: KV;
  readonly #names: Names;

  constructor(link: Link, kv: KV, names: Names) {
    this.name = names.name;
    this.#link = link;
    this.#kv = kv;
    this.#names = names;
  }

  async get(key: string): Promise<BucketEntry | null> {
    const entry = await this.peek(key);
    return entry?.value === null ? null : entry;
  }

  async peek(key: string): Promise<BucketEntry | null> {
    const entry = await this.#run(() => this.#kv.get(key));
    return entry && entryOf(entry);
  }

  async put(key: string, value: string | Uint8Array): Promise<number> {
    return this.#run(() => this.#kv.put(key, value));
  }

  async replace(key: string, value: string | Uint8Array, revision: number): Promise<number | null> {
    const written = await this.#write(key, { value, revision });
    if (written !== null || revision > 0) return written;
    // A removed key counts as none, and its marker has a revision.
    const there = await this.peek(key);
    if (!there || there.value !== null) return null;
    return this.#write(key, { value, revision: there.revision });
  }

  async mark(key: string, revision: number): Promise<number | null> {
    return this.#write(key, { value: null, revision });
  }

  async remove(key: string): Promise<number | null> {
    for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
      const there = await this.get(key);
      if (!there) return null;
      const marker = await this.mark(key, there.revision);
      if (marker !== null) return marker;
    }
    throw new HostError('CLUSTER_UNAVAILABLE', `${key}: other hosts change it all the time`);
  }

  /**
   * nats-server before 2.10 compares a revision other than 0 when a replicated write is proposed, not when it is made:
   * of two under way at once both would be made. But it never makes two messages of one id, so the id says over which
   * revision it is.
   */
  async #write(
    key: string,
    { value, revision }: { value: string | Uint8Array | null; revision: number },
  ): Promise<number | null> {
    const fields = headers();
    if (value === null) fields.set('KV-Operation', 'DEL');
    const options = {
      headers: fields,
      expect: { lastSubjectSequence: revision },
      ...(revision > 0 && { msgID: `${key}@${revision}` }),
    };
    return this.#run(async () => {
      const subject = `${this.#names.prefix}${key}`;
      const ack = this.#link.client.publish(subject, value ?? new Uint8Array(), options);
      return ack.then(({ seq, duplicate }) => (duplicate ? null : seq), nullOnConflict);
    });
  }

  async erase(revision: number): Promise<void> {
    const { streams } = this.#link.manager;
    await this.#run(async () => {
      await streams.deleteMessage(this.#names.stream, revision, false).catch(unlessGone);
    });
  }

  watch(filter: string, listener: WatchListener, from: WatchFrom = 'all'): Watch {
    return openWatch(this.#link, { ...this.#names, filter, listener, from });
  }

  async entries(filter: string): Promise<BucketEntry[]> {
    const found = new Map<string, BucketEntry>();
    using patience = openPatience(READ_ALL_MS, SILENT_REQUESTS * this.#link.settings.requestMs);
    using reading = this.watch(filter, {
      reload: () => found.clear(),
      entry(entry) {
        found.set(entry.key, entry);
        patience.heard();
      },
    });
    await this.#run(async () => Promise.race([reading.loaded, patience.lost]));
    return [...found.values()].filter(({ value }) => value !== null);
  }

  async *scan(filter: string): AsyncIterable<BucketEntry> {
    const { stream, prefix } = this.#names;
    const { consumers } = this.#link.client;
    const options = {
      filter_subjects: `${prefix}${filter}`,
      deliver_policy: DeliverPolicy.LastPerSubject,
    };
    const consumer = await this.#run(() => consumers.get(stream, options));
    let { num_pending: pending } = await this.#run(() => consumer.info());
    while (pending > 0) {
      const batch = await this.#run(() =>
        consumer.fetch({ max_messages: Math.min(SCAN, pending), expires: SCAN_MS }),
      );
      let read = 0;
      for await (const message of batch) {
        read += 1;
        pending = message.info.pending;
        yield messageEntry(message, prefix);
      }
      if (read === 0)
        throw new HostError('CLUSTER_UNAVAILABLE', `${this.name}: reading came to a halt`);
    }
  }

  async purge(filter: string): Promise<void> {
    const { stream, prefix } = this.#names;
    const { streams } = this.#link.manager;
    await this.#run(() => streams.purge(stream, { filter: `${prefix}${filter}` }));
  }

  async size(): Promise<{ entries: number; bytes: number }> {
    const { state } = await this.#run(() => this.#link.manager.streams.info(this.#names.stream));
    return { entries: state.messages, bytes: state.bytes };
  }

  #run<T>(work: () => Promise<T>): Promise<T> {
    return this.#link.run(this.name, work);
  }
}

function entryOf({ key, revision, operation, value, created }: KvEntry): BucketEntry {
  const createdAt = created.getTime();
  return { key, revision, value: operation === 'PUT' ? value : null, createdAt };
}

function nullOnConflict(error: unknown): null {
  if (isConflict(error)) return null;
  throw error;
}

function unlessGone(error: unknown): void {
  if (!isMissing(error)) throw error;
}

interface Patience extends Disposable {
  /** Rejects when all of it took too long, or when nothing was heard for too long. */
  readonly lost: Promise<never>;
  heard(): void;
}

function openPatience(totalMs: number, silentMs: number): Patience {
  const lost = Promise.withResolvers<never>();
  lost.promise.catch(() => undefined);
  const [total, silent] = [totalMs, silentMs].map((ms) =>
    setTimeout(() => lost.reject(new Error(`no answer in ${ms} ms`)), ms).unref(),
  );
  return {
    lost: lost.promise,
    heard: () => void silent?.refresh(),
    [Symbol.dispose]: () => [total, silent].forEach(clearTimeout),
  };
}
