/**
 * Which events were handled: vCloud sends each in two forms, and a broker that died sends acknowledged ones again.
 * May import: kernel, message, storage.
 */
import { messageOf } from '../../kernel/errors.ts';
import type { Log } from '../../kernel/log.ts';
import type { CloudEvent } from '../../message/notification/event.ts';
import type { HandledEvent, HandledEvents } from '../../storage/handled-events.ts';
import { createBatches } from './batches.ts';

export type Claim =
  /** To be handled; nobody else has it until `leave`. */
  | ({ readonly kind: 'mine' } & Claimed)
  /** This plug-in has handled it. */
  | { readonly kind: 'handled' }
  /** Another copy of it has failed and waits at the broker for its next try: this one is not needed. */
  | { readonly kind: 'waiting' };

export interface Claimed {
  /** It was handled. Resolves when that is kept, so that it may be acknowledged. Never throws. */
  done(): Promise<void>;
  /** Out of hand, once. `attempt`: the one with which it comes again after a failure; null when it does not. */
  leave(attempt: number | null): void;
}

type OneEvent = Pick<CloudEvent, 'eventId' | 'timestamp'>;

export interface KnownEvents {
  /** Of copies that come at the same time, one at a time is `mine`. Never throws. */
  claim(plugin: string, event: OneEvent, attempt: number): Promise<Claim>;
}

/** At least so many are answered from memory; older ones are asked of the store. */
const REMEMBERED = 20_000;
/** Events in hand from which writing them down may wait a moment for others. */
const BUSY = 8;

/** The store remembers over restarts. */
export function createKnownEvents(store: HandledEvents, log: Log): KnownEvents {
  return new Known(store, log);
}

class Known implements KnownEvents {
  readonly #store: HandledEvents;
  readonly #log: Log;
  readonly #keep: (event: HandledEvent) => Promise<void>;
  readonly #done = new Recent();
  /** Events that wait at the broker, with their next attempt. */
  readonly #again = new Map<string, number>();
  readonly #inHand = new Map<string, Promise<void>>();

  constructor(store: HandledEvents, log: Log) {
    this.#store = store;
    this.#log = log;
    this.#keep = createBatches(
      (events) => this.#write(events),
      () => this.#inHand.size >= BUSY,
    );
  }

  async claim(plugin: string, event: OneEvent, attempt: number): Promise<Claim> {
    const key = `${plugin}\n${event.eventId}`;
    for (let other = this.#inHand.get(key); other; other = this.#inHand.get(key)) await other;
    // From here to `set` nothing is awaited: only one gets through.
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#inHand.set(key, promise);
    const release = () => {
      this.#inHand.delete(key);
      resolve();
    };
    const found = await this.#look({ key, at: event.timestamp }, attempt);
    if (found === null) return this.#claimed({ key, at: event.timestamp }, release);
    release();
    return { kind: found };
  }

  async #look(event: HandledEvent, attempt: number): Promise<'handled' | 'waiting' | null> {
    const { key } = event;
    if (this.#done.has(key)) return 'handled';
    if (attempt < (this.#again.get(key) ?? 0)) return 'waiting';
    try {
      if (!(await this.#store.has(event))) return null;
      this.#done.add(key);
      return 'handled';
    } catch (error) {
      // Handled twice is within the promise (at least once), not handled at all is not.
      this.#log.warn('events.store', { reason: messageOf(error) });
      return null;
    }
  }

  #claimed(event: HandledEvent, release: () => void): Claim {
    const { key } = event;
    return {
      kind: 'mine',
      done: () => {
        this.#done.add(key);
        return this.#keep(event);
      },
      leave: (attempt) => {
        if (attempt === null) this.#again.delete(key);
        else this.#comesAgain(key, attempt);
        release();
      },
    };
  }

  async #write(events: readonly HandledEvent[]): Promise<void> {
    await this.#store.add(events).catch((error: unknown) => {
      this.#log.warn('events.store', { reason: messageOf(error), events: events.length });
    });
  }

  #comesAgain(key: string, attempt: number): void {
    this.#again.set(key, attempt);
    const [oldest] = this.#again.keys();
    if (this.#again.size > REMEMBERED && oldest !== undefined) this.#again.delete(oldest);
  }
}

/** The latest keys, in two generations: to take the oldest out one by one costs more than to let go of many. */
class Recent {
  #young = new Set<string>();
  #old = new Set<string>();

  has(key: string): boolean {
    return this.#young.has(key) || this.#old.has(key);
  }

  add(key: string): void {
    this.#young.add(key);
    if (this.#young.size < REMEMBERED) return;
    this.#old = this.#young;
    this.#young = new Set();
  }
}
