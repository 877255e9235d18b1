/**
 * The kv port in memory: gone with the process.
 * May import: kernel.
 */
import { systemClock, type Clock } from '../kernel/time.ts';
import type { KvEntry, KvScope, KvStore } from './kv-store.ts';

export function openMemoryKv(clock: Clock = systemClock): KvStore {
  const scopes = new Map<string, Map<string, KvEntry>>();
  let lastVersion = 0;

  function scopeOf(scope: KvScope): Map<string, KvEntry> {
    const name = JSON.stringify([scope.plugin, scope.org]);
    let entries = scopes.get(name);
    if (!entries) scopes.set(name, (entries = new Map()));
    return entries;
  }
  function live(entries: Map<string, KvEntry>, key: string): KvEntry | null {
    const entry = entries.get(key);
    if (!entry) return null;
    if (entry.expiresAt === null || entry.expiresAt > clock.now()) return entry;
    entries.delete(key);
    return null;
  }

  return {
    async get(scope, key) {
      return live(scopeOf(scope), key);
    },
    async put(scope, key, { value, expiresAt, ifVersion }) {
      const entries = scopeOf(scope);
      const known = live(entries, key)?.version ?? 0;
      if (ifVersion !== undefined && ifVersion !== known) return null;
      const version = ++lastVersion;
      entries.set(key, { value, version, expiresAt });
      return version;
    },
    async delete(scope, key) {
      const entries = scopeOf(scope);
      return live(entries, key) !== null && entries.delete(key);
    },
    async list(scope, { prefix, limit, cursor }) {
      const entries = scopeOf(scope);
      const matching = [...entries.keys()]
        .filter((key) => key.startsWith(prefix) && (cursor === null || key > cursor))
        .filter((key) => live(entries, key))
        .sort();
      const keys = matching.slice(0, limit);
      return { keys, cursor: matching.length > limit ? (keys.at(-1) ?? null) : null };
    },
    async usage(scope) {
      const entries = scopeOf(scope);
      let bytes = 0;
      let keys = 0;
      for (const key of entries.keys()) {
        const entry = live(entries, key);
        if (!entry) continue;
        keys += 1;
        bytes += Buffer.byteLength(key) + Buffer.byteLength(entry.value);
      }
      return { keys, bytes };
    },
    async [Symbol.asyncDispose]() {
      scopes.clear();
    },
  };
}
