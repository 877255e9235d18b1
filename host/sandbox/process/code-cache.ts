/**
 * V8 code caches of scripts, made by a compile-only process with the runners' own flags.
 * May import: kernel, runner's frame protocol.
 *
 * A cache is code: it is never taken from a bundle and is kept in memory only. The key holds all it depends on.
 */
import type { Log } from '../../kernel/log.ts';
import { openChild, type ChildLink } from './child-link.ts';
import type { Enclosure } from './barriers.ts';
import type { Spawner } from './spawn.ts';

export interface CodeCache extends AsyncDisposable {
  /** The cache when it is there already; else null, and it is being made. */
  peek(kind: ScriptKind, digest: string, source: string): Uint8Array | null;
  /** The cache once it is made; null when the script can not be compiled or the compiler failed. Never rejects. */
  get(kind: ScriptKind, digest: string, source: string): Promise<Uint8Array | null>;
}

export type ScriptKind = 'prelude' | 'main';

interface Entry {
  readonly made: Promise<Uint8Array | null>;
  bytes: Uint8Array | null;
}

/** Caches that are kept, those longest unused dropped first; a cache is about twice its source. */
const MAX_ENTRIES = 256;
const MAX_TOTAL_BYTES = 16_777_216;
/** However large they are: those of the versions that are live, more or less, and the prelude's. */
const MIN_ENTRIES = 8;
const MAX_CACHE_BYTES = 134_217_728;
/** A script that takes longer to compile goes without a cache, ms. */
const COMPILE_MS = 30_000;

export function openCodeCache(enclosure: Enclosure, spawner: Spawner, log: Log): CodeCache {
  const entries = new Map<string, Entry>();
  const children = new Set<ChildLink>();
  const flags = enclosure.flags.filter((flag) => !flag.startsWith('--allow-fs-read')).join(' ');
  let chain: Promise<unknown> = Promise.resolve();
  let closed = false;

  function compile(kind: ScriptKind, digest: string, source: string) {
    if (closed) return Promise.resolve(null);
    return compileOnce({ spawner, program: enclosure.compilerPath, kind, source, children }).catch(
      (error: unknown) => {
        if (!closed) log.warn('sandbox.codeCache.failed', { kind, digest, reason: String(error) });
        return null;
      },
    );
  }

  function entryOf(kind: ScriptKind, digest: string, source: string): Entry {
    const key = `${kind} ${digest} ${process.versions.v8} ${flags}`;
    const found = entries.get(key);
    if (found) {
      // A map keeps the order of insertion: taken out and put in again, it is the one used last.
      entries.delete(key);
      entries.set(key, found);
      return found;
    }
    // One compiler at a time: a host that starts with many plug-ins must not start as many processes.
    const made = chain.then(() => compile(kind, digest, source));
    chain = made;
    const entry: Entry = { made, bytes: null };
    entries.set(key, entry);
    // compile never rejects
    void made.then((bytes) => {
      entry.bytes = bytes;
      dropUnused(entries);
    });
    return entry;
  }

  return {
    peek: (kind, digest, source) => entryOf(kind, digest, source).bytes,
    get: (kind, digest, source) => entryOf(kind, digest, source).made,
    async [Symbol.asyncDispose]() {
      closed = true;
      for (const child of children) child.kill('the sandbox is closing');
      await chain;
    },
  };
}

function dropUnused(entries: Map<string, Entry>): void {
  let total = 0;
  for (const { bytes } of entries.values()) total += bytes?.byteLength ?? 0;
  for (const [key, { bytes }] of entries) {
    const tooMany = entries.size > MAX_ENTRIES || total > MAX_TOTAL_BYTES;
    if (!tooMany || entries.size <= MIN_ENTRIES) return;
    entries.delete(key);
    total -= bytes?.byteLength ?? 0;
  }
}

interface Job {
  readonly spawner: Spawner;
  readonly program: string;
  readonly kind: ScriptKind;
  readonly source: string;
  readonly children: Set<ChildLink>;
}

/** One process for one script: a parser bug met on one bundle can not touch the cache of another. */
async function compileOnce({ spawner, program, kind, source, children }: Job): Promise<Uint8Array> {
  const result = Promise.withResolvers<Uint8Array>();
  const wanted = kind === 'prelude' ? 'preludeCache' : 'mainCache';
  const child = openChild(spawner, program, {
    onLost: (reason) => result.reject(new Error(reason)),
    onFrame(frame) {
      if (frame.type === wanted && frame.bytes) result.resolve(frame.bytes);
      else if (frame.type !== 'ready') child.kill('it sent a frame that nobody asked for');
    },
  });
  child.limit(MAX_CACHE_BYTES);
  children.add(child);
  const timer = setTimeout(() => child.kill('it took too long'), COMPILE_MS).unref();
  child.send({ type: kind, body: source });
  try {
    return await result.promise;
  } finally {
    clearTimeout(timer);
    child.kill('it has done its work');
    await child.gone;
    children.delete(child);
  }
}
