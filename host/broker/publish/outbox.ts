/**
 * What is on its way to the broker and not confirmed: bounded, and each entry ends exactly once.
 * May import: message.
 */
import type { ReplyOutcome } from '../../message/delivery.ts';

/** One message to publish, whatever it is for. */
export interface Outgoing {
  readonly exchange: string;
  readonly routingKey: string;
  readonly correlationId: string | null;
  readonly body: Buffer;
  readonly persistent: boolean;
  readonly headers: Readonly<Record<string, unknown>> | null;
  /** Null for none. @default 'application/json' */
  readonly contentType?: string | null;
  /** Set on a message that wants an answer: the routing key for it, and how long the message is worth anything. */
  readonly asks?: { readonly replyTo: string; readonly expirationMs: number };
}

export interface Entry {
  readonly message: Outgoing;
  /** Ours, to match what the broker returns with what was published. */
  readonly id: string;
  /** Times that a channel died with this entry on it. */
  deaths: number;
  done: boolean;
  /** Give the outcome; only the first counts. */
  finish(outcome: ReplyOutcome): void;
}

export interface Outbox {
  readonly count: number;
  readonly bytes: number;
  /** True above half of a bound, until below a quarter: no work should be taken on. */
  readonly full: boolean;
  /** Room for another message. */
  hasRoom(bytes: number): boolean;
  /** Enter a message; `onAbort` gives the outcome when the signal fires first. */
  enter(message: Outgoing, signal: AbortSignal, on: EntryEvents): Entry;
}

export interface EntryEvents {
  readonly aborted: (entry: Entry) => ReplyOutcome;
  readonly ended: (entry: Entry, outcome: ReplyOutcome) => void;
}

export interface OutboxBounds {
  readonly maxCount: number;
  readonly maxBytes: number;
}

/** `changed` is called when `full` changes. */
export function createOutbox(bounds: OutboxBounds, changed: () => void): Outbox {
  const { maxCount, maxBytes } = bounds;
  let count = 0;
  let bytes = 0;
  let full = false;
  let serial = 0;

  function account(sign: 1 | -1, size: number): void {
    count += sign;
    bytes += sign * size;
    const part = Math.max(count / maxCount, bytes / maxBytes);
    if (full ? part >= 0.25 : part <= 0.5) return;
    full = !full;
    changed();
  }

  return {
    get count() {
      return count;
    },
    get bytes() {
      return bytes;
    },
    get full() {
      return full;
    },
    hasRoom: (size) => count < maxCount && bytes + size <= maxBytes,
    enter(message, signal, on) {
      const size = message.body.length;
      const abort = () => entry.finish(on.aborted(entry));
      const entry: Entry = {
        message,
        id: (serial += 1).toString(36),
        deaths: 0,
        done: false,
        finish(outcome) {
          if (entry.done) return;
          entry.done = true;
          signal.removeEventListener('abort', abort);
          account(-1, size);
          on.ended(entry, outcome);
        },
      };
      account(1, size);
      signal.addEventListener('abort', abort);
      return entry;
    },
  };
}
