/**
 * What is installed, on NATS: records in a bucket, bundles in an object store.
 * May import: kernel, storage, cluster.
 */
import { z } from 'zod';

import { HostError, messageOf } from '../../kernel/errors.ts';
import type { Log } from '../../kernel/log.ts';
import type { InstalledPlugin, InstalledStore } from '../../storage/installed.ts';
import { openBucket, type Bucket } from '../link/bucket.ts';
import { keyPart } from '../link/keys.ts';
import type { Link } from '../link/link.ts';
import type { BucketEntry, Watch } from '../link/watch.ts';
import { openBlobs, type Blobs } from './blobs.ts';

/** Throws a CLUSTER code. */
export async function openNatsInstalled(link: Link): Promise<InstalledStore> {
  const bucket = await openBucket(link, 'installed');
  return new NatsInstalled(bucket, await openBlobs(link), link.settings.log);
}

class NatsInstalled implements InstalledStore {
  readonly #bucket: Bucket;
  readonly #blobs: Blobs;
  readonly #log: Log;
  readonly #watchers = new Set<() => void>();
  readonly #watch: Watch;

  constructor(bucket: Bucket, blobs: Blobs, log: Log) {
    this.#bucket = bucket;
    this.#blobs = blobs;
    this.#log = log;
    const tell = () => {
      for (const watcher of this.#watchers) watcher();
    };
    // Also after all was read again: something may have changed while nobody looked.
    this.#watch = bucket.watch('>', { entry: tell, loaded: tell });
  }

  async list(): Promise<readonly InstalledPlugin[]> {
    const entries = await this.#bucket.entries('>');
    return entries
      .flatMap((entry) => this.#readable(entry))
      .toSorted((a, b) => (a.plugin < b.plugin ? -1 : 1));
  }

  /** One that was altered must not keep the others from being found; whoever asks for it by name is told. */
  #readable({ key, revision, value }: BucketEntry): InstalledPlugin[] {
    if (!value) return [];
    try {
      return [decode(key, revision, value)];
    } catch (error) {
      const bucket = this.#bucket.name;
      this.#log.error('cluster.entry_unreadable', { bucket, key, error: messageOf(error) });
      return [];
    }
  }

  async get(plugin: string): Promise<InstalledPlugin | null> {
    const entry = await this.#bucket.get(keyPart(plugin));
    return entry?.value ? decode(entry.key, entry.revision, entry.value) : null;
  }

  async save(record: InstalledPlugin): Promise<number | null> {
    return this.#bucket.replace(keyPart(record.plugin), JSON.stringify(record), record.revision);
  }

  async remove(plugin: string, revision: number): Promise<boolean> {
    // A key that is not there has no revision that fits, yet a marker over nothing would be written.
    const there = await this.#bucket.get(keyPart(plugin));
    if (there?.revision !== revision) return false;
    return (await this.#bucket.mark(keyPart(plugin), revision)) !== null;
  }

  putBlob(bytes: Uint8Array): Promise<string> {
    return this.#blobs.put(bytes);
  }

  getBlob(hash: string): Promise<Uint8Array | null> {
    return this.#blobs.get(hash);
  }

  dropBlob(hash: string): Promise<void> {
    return this.#blobs.drop(hash);
  }

  watch(changed: () => void): Disposable {
    this.#watchers.add(changed);
    return { [Symbol.dispose]: () => void this.#watchers.delete(changed) };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#watch[Symbol.dispose]();
    this.#watchers.clear();
  }
}

const version = z.object({
  version: z.string(),
  digest: z.string(),
  archive: z.string(),
  sourceMap: z.string().nullable(),
  bytes: z.number().optional(),
  unsigned: z.boolean(),
  installedAt: z.number(),
  by: z.string(),
});

const recordSchema = z.object({
  plugin: z.string(),
  owner: z.string(),
  ownerKind: z.enum(['provider', 'org']),
  enabled: z.boolean(),
  locked: z.boolean().optional(),
  current: z.string().nullable(),
  history: z.array(z.string()),
  waiting: z.string().nullable(),
  allowed: z.array(z.string()),
  halted: z.object({ version: z.string(), host: z.string(), reason: z.string() }).nullable(),
  versions: z.array(version),
});

/** The entry's revision is the true one: the text holds the one before. */
function decode(key: string, revision: number, value: Uint8Array): InstalledPlugin {
  try {
    const record = JSON.parse(Buffer.from(value).toString()) as InstalledPlugin;
    const { plugin } = recordSchema.parse(record);
    if (keyPart(plugin) !== key) throw new Error('it is that of another plug-in');
    return { ...record, revision };
  } catch (cause) {
    throw new HostError('STORE_BLOB_ALTERED', 'a record of a plug-in was altered', { cause });
  }
}
