/**
 * Remembers calls by id while they run and for a while after: a duplicate gets the same reply, never a second run.
 * May import: kernel, message.
 */
import { hash } from 'node:crypto';

import { systemClock, type Clock } from '../../kernel/time.ts';
import type { Call } from '../../message/call.ts';
import type { ReplyMessage } from '../../message/encode.ts';

export interface RecallOptions {
  /** How long a reply is remembered in ms. @default 60000 */
  readonly keepMs?: number;
  /** @default 50000 */
  readonly maxEntries?: number;
  /** Bytes of remembered replies. @default 67108864 */
  readonly maxBytes?: number;
  readonly clock?: Clock;
}

export const RECALL_DEFAULTS = {
  keepMs: 60_000,
  maxEntries: 50_000,
  maxBytes: 67_108_864,
} as const satisfies RecallOptions;

/** What names a call, and what it says: see `JournalEntry`. */
export interface CallIdentity {
  /** Digest of service and message id. */
  readonly key: string;
  /** Digest of org, user and request. */
  readonly digest: string;
}

export type Recalled =
  /** Nobody knows it: run it, then `settle`; null says that it was not begun. */
  | { readonly kind: 'first'; readonly settle: (reply: ReplyMessage | null) => void }
  /** In flight or answered: here is its reply; null when it was not begun after all. */
  | { readonly kind: 'again'; readonly reply: Promise<ReplyMessage | null> }
  /** The same id with another caller or request. */
  | { readonly kind: 'conflict' };

export interface Recall {
  enter(identity: CallIdentity): Recalled;
  status(): { readonly entries: number; readonly bytes: number };
}

export function identityOf(call: Call): CallIdentity {
  const { org, user } = call.identity;
  const request = [call.kind, call.method, call.rawPath, call.query, org, user, call.body];
  // vCloud may give its own answer, which a filter of the service is to see, the id of the request.
  const id = call.kind === 'response' ? `${call.id}\nresponse` : call.id;
  return {
    key: hash('sha256', `${call.exchange}\n${call.routingKey}\n${id}`),
    digest: hash('sha256', JSON.stringify(request)),
  };
}

interface Entry {
  readonly digest: string;
  readonly reply: Promise<ReplyMessage | null>;
  bytes: number;
  /** Monotonic ms; null while it runs: such an entry is never forgotten. */
  endsAt: number | null;
}

export function createRecall(options: RecallOptions = {}): Recall {
  const { keepMs, maxEntries, maxBytes } = { ...RECALL_DEFAULTS, ...options };
  const clock = options.clock ?? systemClock;
  const entries = new Map<string, Entry>();
  // Answered ones in the order of their end: a Map keeps insertion order.
  const ended = new Map<string, Entry>();
  let bytes = 0;
  // No earlier than this is one of them to be forgotten: most calls need not look.
  let nextEnd = Infinity;

  function forgetOld(): void {
    const now = clock.monotonic();
    const over = (): boolean => entries.size > maxEntries || bytes > maxBytes;
    if (now < nextEnd && !over()) return;
    nextEnd = Infinity;
    for (const [key, entry] of ended) {
      nextEnd = entry.endsAt ?? 0;
      if (nextEnd > now && !over()) return;
      ended.delete(key);
      entries.delete(key);
      bytes -= entry.bytes;
    }
  }

  function first({ key, digest }: CallIdentity): Recalled {
    const { promise, resolve } = Promise.withResolvers<ReplyMessage | null>();
    const entry: Entry = { digest, reply: promise, bytes: 0, endsAt: null };
    entries.set(key, entry);
    return {
      kind: 'first',
      settle(reply) {
        if (reply) {
          entry.endsAt = clock.monotonic() + keepMs;
          nextEnd = Math.min(nextEnd, entry.endsAt);
          entry.bytes = reply.body.length;
          bytes += entry.bytes;
          ended.set(key, entry);
        } else entries.delete(key);
        resolve(reply);
      },
    };
  }

  return {
    enter(identity) {
      forgetOld();
      const known = entries.get(identity.key);
      if (!known) return first(identity);
      return known.digest === identity.digest
        ? { kind: 'again', reply: known.reply }
        : { kind: 'conflict' };
    },
    status: () => ({ entries: entries.size, bytes }),
  };
}
