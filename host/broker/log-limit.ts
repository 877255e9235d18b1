/**
 * Keeps a fault that repeats every second from filling the log: the first is written, then one per period.
 * May import: kernel.
 */
import type { Fields, Log } from '../kernel/log.ts';
import type { Clock } from '../kernel/time.ts';

export interface LimitedLog {
  /** Write, or count as suppressed. Lines are alike when event and `key` are. */
  warn(event: string, key: string, fields: Fields): void;
}

/** `everyMs`: least time between two lines that are alike. Remembers at most 256 kinds. */
export function limitLog(log: Log, clock: Clock, everyMs = 10_000): LimitedLog {
  const kinds = new Map<string, { at: number; suppressed: number }>();
  return {
    warn(event, key, fields) {
      const id = `${event} ${key}`;
      const last = kinds.get(id);
      const now = clock.monotonic();
      if (last && now - last.at < everyMs) {
        last.suppressed += 1;
        return;
      }
      if (kinds.size >= 256) kinds.clear();
      kinds.set(id, { at: now, suppressed: 0 });
      const suppressed = last?.suppressed ?? 0;
      log.warn(event, suppressed > 0 ? { ...fields, suppressed } : fields);
    },
  };
}
