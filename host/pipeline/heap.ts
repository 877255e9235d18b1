/**
 * The heap of isolates as it was seen last, for the lines of calls: it is looked at after the answer, and not every time.
 * May import: bundles.
 */
import type { LivePlugin } from '../bundles/live/plugin.ts';

/** Of one call. */
export interface HeapWatch {
  /** For `Invocation.settled`. */
  readonly settled: (heapKb: number | null) => void;
  /**
   * Calls back once, with KiB or null where nobody has looked yet: at once when the call has ended or `wait` is false,
   * else when it ends, after `WAIT_MS` at the latest.
   */
  whenKnown(wait: boolean, tell: (heapKb: number | null) => void): void;
}

/** Work that goes on after the answer must not keep a line back for long. */
const WAIT_MS = 100;

/** By version, then by org; goes with the version. */
const seen = new WeakMap<LivePlugin, Map<string, number>>();

export function watchHeap(plugin: LivePlugin, org: string): HeapWatch {
  let over = false;
  let onEnd: () => void = () => undefined;
  return {
    settled(heapKb) {
      if (heapKb) remember(plugin, org, heapKb);
      over = true;
      onEnd();
    },
    whenKnown(wait, tell) {
      const tellNow = () => tell(seen.get(plugin)?.get(org) ?? null);
      if (over || !wait) return tellNow();
      const timer = setTimeout(() => {
        onEnd = () => undefined;
        tellNow();
      }, WAIT_MS).unref();
      onEnd = () => {
        clearTimeout(timer);
        tellNow();
      };
    },
  };
}

function remember(plugin: LivePlugin, org: string, heapKb: number): void {
  let orgs = seen.get(plugin);
  if (!orgs) seen.set(plugin, (orgs = new Map()));
  orgs.set(org, heapKb);
}
