/**
 * Counts on the hot path in plain numbers and hands them to the metrics now and then.
 * May import: kernel.
 */
import type { Metrics } from '../kernel/metrics.ts';

export interface Tally extends AsyncDisposable {
  /** Count one; `kind` becomes the label `kind` and is left out when empty. */
  add(name: string, kind: string): void;
  flush(): void;
}

const EVERY_MS = 1_000;

export function openTally(metrics: Metrics | null): Tally {
  const names = new Map<string, Map<string, number>>();
  function flush(): void {
    for (const [name, kinds] of names)
      for (const [kind, count] of kinds) {
        if (count > 0) metrics?.count(name, kind === '' ? {} : { kind }, count);
        kinds.set(kind, 0);
      }
  }
  const timer = setInterval(flush, EVERY_MS).unref();
  return {
    add(name, kind) {
      let kinds = names.get(name);
      if (!kinds) names.set(name, (kinds = new Map()));
      kinds.set(kind, (kinds.get(kind) ?? 0) + 1);
    },
    flush,
    async [Symbol.asyncDispose]() {
      clearInterval(timer);
      flush();
    },
  };
}
