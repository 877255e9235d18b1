/**
 * The kv port in memory: gone with the process.
 * May import: kernel.
 */
import { systemClock, type Clock } from '../kernel/time.ts';
import type { KvEntry, KvPage, KvPut, KvScope, KvStore } from './kv-store.ts';

export function openMemoryKv(clock: Clock = systemClock): KvStore {
  return new MemoryKv(clock);
}

class MemoryKv implements KvStore {
  readonly #clock: Clock;
  readonly #scopes = new Map<string, Map<string, KvEntry>>();
  #lastVersion = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  async get(scope: KvScope, key: string): Promise<KvEntry | null> {
    return this.#live(this.#entries(scope), key);
  }

  async put(scope: KvScope, key: string, put: KvPut): Promise<number | null> {
    const { value, expiresAt, ifVersion } = put;
    const entries = this.#entries(scope);
    const known = this.#live(entries, key)?.version ?? 0;
    if (ifVersion !== undefined && ifVersion !== known) return null;
    const version = ++this.#lastVersion;
    entries.set(key, { value, version, expiresAt });
    return version;
  }

  async delete(scope: KvScope, key: string): Promise<boolean> {
    const entries = this.#entries(scope);
    return this.#live(entries, key) !== null && entries.delete(key);
  }

  async list(
    scope: KvScope,
    { prefix, limit, cursor }: { prefix: string; limit: number; cursor: string | null },
  ): Promise<KvPage> {
    const entries = this.#entries(scope);
    const matching = [...entries.keys()]
      .filter((key) => key.startsWith(prefix) && (cursor === null || byCodePoint(key, cursor) > 0))
      .filter((key) => this.#live(entries, key))
      .sort(byCodePoint);
    const keys = matching.slice(0, limit);
    return { keys, cursor: matching.length > limit ? (keys.at(-1) ?? null) : null };
  }

  async usage(scope: KvScope): Promise<{ keys: number; bytes: number }> {
    const entries = this.#entries(scope);
    const live = [...entries.keys()].filter((key) => this.#live(entries, key));
    const sizes = live.map(
      (key) => Buffer.byteLength(key) + Buffer.byteLength(entries.get(key)?.value ?? ''),
    );
    return { keys: live.length, bytes: sizes.reduce((sum, size) => sum + size, 0) };
  }

  async forget(plugin: string): Promise<void> {
    for (const name of this.#scopes.keys())
      if ((JSON.parse(name) as string[])[0] === plugin) this.#scopes.delete(name);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#scopes.clear();
  }

  #entries({ plugin, org }: KvScope): Map<string, KvEntry> {
    const name = JSON.stringify([plugin, org]);
    let entries = this.#scopes.get(name);
    if (!entries) this.#scopes.set(name, (entries = new Map()));
    return entries;
  }

  #live(entries: Map<string, KvEntry>, key: string): KvEntry | null {
    const entry = entries.get(key);
    if (!entry) return null;
    if (entry.expiresAt === null || entry.expiresAt > this.#clock.now()) return entry;
    entries.delete(key);
    return null;
  }
}

/** That of UTF-8, as the other stores have it; texts compare by UTF-16, which is another one. */
function byCodePoint(a: string, b: string): number {
  return Buffer.from(a).compare(Buffer.from(b));
}
