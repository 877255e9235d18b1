/**
 * The port of handled events: what was handled, so that an event that comes again is not handled again.
 * May import: kernel.
 */

export interface HandledEvent {
  /** Names plug-in and event. */
  readonly key: string;
  /** The event's own time, epoch ms. Events that are near in time are kept near to each other, which makes them cheap. */
  readonly at: number;
}

/** Any number of processes may share one. */
export interface HandledEvents {
  /** Whether this very message was handled: same key, same time. */
  has(event: HandledEvent): Promise<boolean>;
  /** Resolves when all are kept; they survive the death of the process from then on. One that is there is fine. */
  add(events: readonly HandledEvent[]): Promise<void>;
}

export interface HandledEventsOptions {
  /** How old an event may be, in ms, before it is forgotten: what the longest outage may take. @default 604800000 */
  readonly keepMs?: number;
  /** Events kept; the oldest go first. @default 500000 */
  readonly maxEntries?: number;
}

export const HANDLED_DEFAULTS = {
  keepMs: 604_800_000,
  maxEntries: 500_000,
} as const satisfies HandledEventsOptions;
