/**
 * A bucket, or a part of it, held in memory and kept up to date.
 * May import: kernel, cluster.
 */
import { messageOf } from '../../kernel/errors.ts';
import type { Log } from '../../kernel/log.ts';
import type { Bucket } from '../link/bucket.ts';
import type { BucketEntry } from '../link/watch.ts';

export interface Mirrored<T> {
  readonly revision: number;
  /** Null for a removed key that others may still be told of. */
  readonly value: T | null;
}

export interface Mirror<T> extends Disposable {
  get(key: string): T | null;
  revisionOf(key: string): number;
  keys(): Iterable<string>;
  /** What this process wrote is seen at once; what others wrote later wins. */
  wrote(key: string, entry: Mirrored<T>): void;
  /** Take away markers that have been here for a minute: everybody who follows the bucket has seen them. */
  eraseMarkers(): Promise<void>;
}

export interface MirrorOptions<T> {
  readonly bucket: Bucket;
  readonly filter: string;
  /** Throws for what nobody of us wrote: such an entry is told to the log and left out. */
  readonly decode: (value: Uint8Array) => T;
  /** After every change, also of keys that turned out to be gone. */
  readonly changed?: (key: string) => void;
  readonly log: Log;
}

const MARKER_MS = 60_000;

/** Resolves when all of it is in memory. Throws when that does not come about. */
export async function openMirror<T>(options: MirrorOptions<T>): Promise<Mirror<T>> {
  const { bucket, filter } = options;
  const copy = createCopy(options);
  const watch = bucket.watch(filter, copy);
  await watch.loaded;
  return {
    get: (key) => copy.current().get(key)?.value ?? null,
    revisionOf: (key) => copy.current().get(key)?.revision ?? 0,
    keys: () => copy.current().keys(),
    wrote: (key, entry) => copy.take(key, entry),
    async eraseMarkers() {
      for (const [key, { revision, value, since }] of copy.current()) {
        if (value !== null || performance.now() - since < MARKER_MS) continue;
        await bucket.erase(revision);
        copy.drop(key, revision);
      }
    },
    [Symbol.dispose]: () => watch[Symbol.dispose](),
  };
}

type Content<T> = Map<string, Mirrored<T> & { readonly since: number }>;

function createCopy<T>({ bucket, decode, changed, log }: MirrorOptions<T>) {
  let current: Content<T> = new Map();
  /** While all is read again: it takes the place of `current` when it is complete. */
  let next: Content<T> | null = null;

  function take(key: string, entry: Mirrored<T>): void {
    if (next) keep(next, key, entry);
    if (keep(current, key, entry)) changed?.(key);
  }

  return {
    current: () => current,
    take,
    drop(key: string, revision: number) {
      if (current.get(key)?.revision === revision) current.delete(key);
    },
    reload() {
      next = new Map();
    },
    entry({ key, revision, value }: BucketEntry) {
      try {
        take(key, { revision, value: value === null ? null : decode(value) });
      } catch (error) {
        log.error('cluster.entry_unreadable', {
          bucket: bucket.name,
          key,
          error: messageOf(error),
        });
      }
    },
    loaded() {
      const before = current;
      current = next ?? current;
      next = null;
      const gone = [...before.keys()].filter((key) => !current.has(key));
      // A bucket that was made anew begins with small revisions again.
      const older = [...current].filter(([key, { revision }]) => {
        const known = before.get(key)?.revision;
        return known !== undefined && known !== revision;
      });
      for (const key of [...gone, ...older.map(([name]) => name)]) changed?.(key);
    },
  };
}

/** False when it is known already, or older than what is known. */
function keep<T>(content: Content<T>, key: string, entry: Mirrored<T>): boolean {
  if ((content.get(key)?.revision ?? 0) >= entry.revision) return false;
  content.set(key, { ...entry, since: performance.now() });
  return true;
}
