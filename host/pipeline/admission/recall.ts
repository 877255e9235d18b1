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
  /** Characters of remembered replies, their digests included. @default 67108864 */
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

interface Running {
  readonly digest: string;
  readonly reply: Promise<ReplyMessage | null>;
}

/** So many forgotten places of the line are cleared at once. */
const CLEAR_AT = 4_096;

export function createRecall(options: RecallOptions = {}): Recall {
  return new Memory({ ...RECALL_DEFAULTS, ...options }, options.clock ?? systemClock);
}

class Memory implements Recall {
  readonly #bounds: Required<Omit<RecallOptions, 'clock'>>;
  readonly #clock: Clock;
  readonly #running = new Map<string, Running>();
  // Digest and JSON of the reply: one flat text is all that a call leaves behind, and the collector has nothing to follow.
  readonly #answered = new Map<string, string>();
  // Keys in the order of their answers, with a moving start: a Map would be searched from its first deleted entry.
  #line: string[] = [];
  #ends: number[] = [];
  #start = 0;
  #bytes = 0;

  constructor(bounds: Required<Omit<RecallOptions, 'clock'>>, clock: Clock) {
    this.#bounds = bounds;
    this.#clock = clock;
  }

  enter({ key, digest }: CallIdentity): Recalled {
    this.#forgetOld();
    const running = this.#running.get(key);
    if (running)
      return running.digest === digest
        ? { kind: 'again', reply: running.reply }
        : { kind: 'conflict' };
    const text = this.#answered.get(key);
    if (text === undefined) return this.#first(key, digest);
    if (!text.startsWith(digest)) return { kind: 'conflict' };
    const reply = JSON.parse(text.slice(digest.length)) as ReplyMessage;
    return { kind: 'again', reply: Promise.resolve(reply) };
  }

  status(): { entries: number; bytes: number } {
    return { entries: this.#running.size + this.#answered.size, bytes: this.#bytes };
  }

  #first(key: string, digest: string): Recalled {
    const { promise, resolve } = Promise.withResolvers<ReplyMessage | null>();
    this.#running.set(key, { digest, reply: promise });
    return {
      kind: 'first',
      settle: (reply) => {
        this.#running.delete(key);
        if (reply) this.#keep(key, digest + JSON.stringify(reply));
        resolve(reply);
      },
    };
  }

  #keep(key: string, text: string): void {
    this.#answered.set(key, text);
    this.#bytes += text.length;
    this.#line.push(key);
    this.#ends.push(this.#clock.monotonic() + this.#bounds.keepMs);
  }

  #forgetOld(): void {
    const now = this.#clock.monotonic();
    for (; this.#start < this.#line.length; this.#start += 1) {
      if (!this.#isOver() && (this.#ends[this.#start] ?? 0) > now) break;
      const key = this.#line[this.#start] ?? '';
      this.#bytes -= this.#answered.get(key)?.length ?? 0;
      this.#answered.delete(key);
    }
    if (this.#start < CLEAR_AT) return;
    this.#line = this.#line.slice(this.#start);
    this.#ends = this.#ends.slice(this.#start);
    this.#start = 0;
  }

  #isOver(): boolean {
    const { maxEntries, maxBytes } = this.#bounds;
    return this.#running.size + this.#answered.size > maxEntries || this.#bytes > maxBytes;
  }
}
