/**
 * The port of handled events: what was handled, so that an event that comes again is not handled again.
 * May import: kernel.
 */

/** Keys name plug-in and event. Any number of processes may share one. */
export interface HandledEvents {
  has(key: string): Promise<boolean>;
  /** Resolves when all are kept; they survive the death of the process from then on. A key that is there is fine. */
  add(keys: readonly string[]): Promise<void>;
}

export interface HandledEventsOptions {
  /** How long a key is kept in ms: the pauses of all tries, and what an outage may take. @default 86400000 */
  readonly keepMs?: number;
  /** Keys kept; the oldest go first. @default 500000 */
  readonly maxEntries?: number;
}

export const HANDLED_DEFAULTS = {
  keepMs: 86_400_000,
  maxEntries: 500_000,
} as const satisfies HandledEventsOptions;
