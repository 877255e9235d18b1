/**
 * Versions that were loaded lately, so that a rollback is a change of pointers and calls under way find their own.
 * May import: nothing.
 */
import type { LivePlugin, PluginSource } from './plugin.ts';

export interface Prepared {
  /** What was loaded from the same content in the name of the same owner, among these too. */
  get(source: PluginSource, live: readonly LivePlugin[]): LivePlugin | null;
  /** The one loaded last under this name and version. */
  find(plugin: string, version: string): LivePlugin | null;
  /** It was loaded from this source. */
  put(plugin: LivePlugin, source: PluginSource): void;
  /** It is in use: others are dropped before it. */
  touch(plugin: LivePlugin): void;
  /** Its name may be anybody's next. */
  forget(plugin: string): void;
}

/** Loaded versions of one plug-in that are remembered; they hold no isolates, only their text. */
const MAX_EACH = 4;

export function createPrepared(): Prepared {
  const byPlugin = new Map<string, Map<string, LivePlugin>>();
  const keys = new WeakMap<LivePlugin, string>();

  function keep(plugin: LivePlugin, key: string): void {
    const { name } = plugin.manifest;
    let known = byPlugin.get(name);
    if (!known) byPlugin.set(name, (known = new Map()));
    // A map keeps the order of insertion: taken out and put in again, it is the newest.
    known.delete(key);
    known.set(key, plugin);
    const [oldest] = known.keys();
    if (known.size > MAX_EACH && oldest !== undefined) known.delete(oldest);
  }

  return {
    get(source, live) {
      const key = keyOf(source);
      const known = byPlugin.get(source.manifest.name)?.get(key);
      return known ?? live.find((plugin) => keys.get(plugin) === key) ?? null;
    },
    find(plugin, version) {
      const all = [...(byPlugin.get(plugin)?.values() ?? [])];
      return all.findLast(({ manifest }) => manifest.version === version) ?? null;
    },
    put(plugin, source) {
      const key = keyOf(source);
      keys.set(plugin, key);
      keep(plugin, key);
    },
    touch(plugin) {
      const key = keys.get(plugin);
      if (key !== undefined) keep(plugin, key);
    },
    forget: (plugin) => void byPlugin.delete(plugin),
  };
}

/** The digest is of the files, whoever signed them: who did decides how they are isolated. */
function keyOf({ digest, owner, trusted }: PluginSource): string {
  return JSON.stringify([digest, owner.kind, owner.id, trusted]);
}
