/**
 * What is installed, on NATS: records in a bucket, bundles in an object store.
 * May import: kernel, storage, cluster.
 */
import { HostError } from '../../kernel/errors.ts';
import type { InstalledPlugin, InstalledStore } from '../../storage/installed.ts';
import { openBucket, type Bucket } from '../link/bucket.ts';
import { keyPart } from '../link/keys.ts';
import type { Link } from '../link/link.ts';
import type { Watch } from '../link/watch.ts';
import { openBlobs, type Blobs } from './blobs.ts';

/** Throws a CLUSTER code. */
export async function openNatsInstalled(link: Link): Promise<InstalledStore> {
  const bucket = await openBucket(link, 'installed');
  return new NatsInstalled(bucket, await openBlobs(link));
}

class NatsInstalled implements InstalledStore {
  readonly #bucket: Bucket;
  readonly #blobs: Blobs;
  readonly #watchers = new Set<() => void>();
  readonly #watch: Watch;

  constructor(bucket: Bucket, blobs: Blobs) {
    this.#bucket = bucket;
    this.#blobs = blobs;
    const tell = () => {
      for (const watcher of this.#watchers) watcher();
    };
    // Also after all was read again: something may have changed while nobody looked.
    this.#watch = bucket.watch('>', { entry: tell, loaded: tell });
  }

  async list(): Promise<readonly InstalledPlugin[]> {
    const entries = await this.#bucket.entries('>');
    return entries
      .flatMap(({ revision, value }) => (value ? [decode(revision, value)] : []))
      .toSorted((a, b) => (a.plugin < b.plugin ? -1 : 1));
  }

  async get(plugin: string): Promise<InstalledPlugin | null> {
    const entry = await this.#bucket.get(keyPart(plugin));
    return entry?.value ? decode(entry.revision, entry.value) : null;
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

/** The entry's revision is the true one: the text holds the one before. */
function decode(revision: number, value: Uint8Array): InstalledPlugin {
  try {
    const record = JSON.parse(Buffer.from(value).toString('utf8')) as InstalledPlugin;
    if (typeof record.plugin !== 'string' || !Array.isArray(record.versions))
      throw new Error('not a record of a plug-in');
    return { ...record, revision };
  } catch (cause) {
    throw new HostError('STORE_BLOB_ALTERED', 'a record of a plug-in was altered', { cause });
  }
}
