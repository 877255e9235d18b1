/**
 * The port through which notifications come in: one durable queue per plug-in, settled after the handler has returned.
 * At least once: an event can come again after any crash, so the receiver knows duplicates by the event's id.
 * Implementation: `broker/events/`.
 * May import: kernel, message.
 */
import type { Code, HostError } from '../kernel/errors.ts';
import type { CloudEvent } from './notification/event.ts';

/** What one plug-in gets. A change takes effect at `setSubscriptions`, also for deliveries in hand. */
export interface Subscription {
  /** Name of the plug-in; the queue is `vcx.events.NAME`. */
  readonly plugin: string;
  /**
   * vCloud's topic exchanges: `systemExchange` (XML), `PREFIX.notifications20` (JSON). Only ever looked for, never
   * made. With both, every event comes twice, under one event id.
   */
  readonly exchanges: readonly string[];
  /** Routing key patterns (`bindingPatterns`), bound on every exchange. A coarse sieve: check the decoded event. */
  readonly bindings: readonly string[];
  /** Events handed over and not settled; 0 takes none. Events that wait for a retry do not count. */
  readonly prefetch: number;
  /** Times that an event is handed over before it is parked; 1 or more. */
  readonly maxAttempts: number;
  /** Pauses in milliseconds before the second, third, … attempt; the last one repeats. At least one. */
  readonly retryMs: readonly number[];
  /**
   * Of several hosts only one at a time gets this plug-in's events, so that it can keep an order; another takes over
   * when it is gone. Fixed when the queue is made: a later change is reported, not applied.
   */
  readonly ordered: boolean;
}

/** What became of an event that was moved. */
export type Moved =
  /** It comes again after this pause. */
  | { readonly kind: 'later'; readonly pauseMs: number }
  | { readonly kind: 'parked'; readonly id: string; readonly code: Code }
  /** The broker did not confirm: the event is handed over again by itself, after a pause. */
  | { readonly kind: 'failed'; readonly reason: string }
  /** It was settled before; nothing was done. */
  | { readonly kind: 'settled' };

/**
 * One event in hand, to be settled by one of the five verbs; only the first counts. None throws, and on a lost
 * channel each is a no-op: the broker delivers again.
 */
export interface EventDelivery {
  readonly plugin: string;
  /** Those of the first publication by vCloud, also after retries. */
  readonly exchange: string;
  readonly routingKey: string;
  /** vCloud's own headers, values unchecked; ours are left out. */
  readonly headers: Readonly<Record<string, unknown>>;
  readonly contentType: string | null;
  readonly body: Uint8Array;
  /** 1 for the first time; grows with `retry` only. */
  readonly attempt: number;
  /** Epoch ms of the first retry or deferral; null before. */
  readonly firstSeenAt: number | null;
  /** The broker has handed it over before, to whomever. After a crash of the broker it proves nothing. */
  readonly redelivered: boolean;
  /** Monotonic ms of arrival. */
  readonly arrivedAt: number;
  /** Done with: take it off the queue. */
  ack(): void;
  /** Put it back where it was, at once: for an event that was not begun. */
  requeue(): void;
  /** The attempt failed: again after the next pause, by the broker, or parked as `EVENT_ATTEMPTS_EXHAUSTED` after the last. */
  retry(reason: string): Promise<Moved>;
  /**
   * Not its turn: again after a pause, and no attempt is counted. Given the `pauseMs` of the event that it must stay
   * behind, it comes back behind it, since both wait in one queue.
   */
  defer(pauseMs: number): Promise<Moved>;
  /** No retry makes sense: keep it for the operator. */
  park(code: Code, reason: string): Promise<Moved>;
}

export interface EventTransport {
  /**
   * Replace the list. Resolves when every subscription was looked at once, or at once without a connection.
   * Bindings that a plug-in no longer wants are taken off. A plug-in that is not in the list is not consumed, and its
   * queue goes on filling, so that nothing is lost while it is away: `forget` it when it was uninstalled.
   */
  setSubscriptions(list: readonly Subscription[]): Promise<void>;
  /**
   * The plug-in, which is not in the list any more, is gone for good: unbind its queue, and delete its queues as far as
   * nothing waits in them. Resolves with the queues that were left. Throws `BROKER_UNAVAILABLE`.
   */
  forget(plugin: string): Promise<readonly string[]>;
  /** Start to hand events over; `onEvent` must not throw. */
  consume(onEvent: (delivery: EventDelivery) => void): void;
  /** Take no more; resolves when the broker has confirmed. What was handed over can still be settled. */
  cancel(): Promise<void>;
  status(): EventStatus;
  /** Which of these exchanges are not there; one that may not be looked at counts as there. Throws `BROKER_UNAVAILABLE`. */
  missingOf(exchanges: readonly string[]): Promise<readonly string[]>;
  readonly parked: ParkedEvents;
}

export interface EventStatus {
  /** Every subscription has a live consumer and all its exchanges. */
  readonly consuming: boolean;
  /** Why not, in one line. */
  readonly reason: string | null;
  readonly subscriptions: readonly SubscriptionStatus[];
  /** Plug-ins whose queues are bound by us and that nobody subscribes for any more: start them again, or `forget` them. */
  readonly orphans: readonly string[];
}

export interface SubscriptionStatus {
  readonly plugin: string;
  readonly queue: string;
  /** A live consumer stands on the queue. It does so too while an exchange is missing. */
  readonly consuming: boolean;
  /** Exchanges of vCloud that are not there yet. */
  readonly missing: readonly string[];
  readonly problem: HostError | null;
  /** Differences that are lived with, such as a queue that was made under other settings. */
  readonly notes: readonly string[];
  /** Events waiting in the queue and in the parked queue at the last look; null before the first. */
  readonly waiting: number | null;
  readonly parked: number | null;
  /** Handed over and not settled. */
  readonly unsettled: number;
}

/** Events that were given up on, by plug-in. All throw `BROKER_UNAVAILABLE` without a connection. */
export interface ParkedEvents {
  /** The oldest first; looks only, order and number stay. */
  list(plugin: string, options?: ParkedListOptions): Promise<ParkedList>;
  /** One of them, without its raw body; null when there is none of this id. */
  read(plugin: string, id: string): Promise<ParkedEvent | null>;
  /** Hand them to the plug-in again as if new. Taken off only after the broker has confirmed. */
  replay(plugin: string, which: ParkedChoice): Promise<ParkedDone>;
  /** Throw them away. */
  drop(plugin: string, which: ParkedChoice): Promise<ParkedDone>;
}

export interface ParkedListOptions {
  /** @default 100; at most 1000 */
  readonly limit?: number;
}

/** Ids, or all that are parked at the moment. */
export type ParkedChoice = readonly string[] | 'all';

export interface ParkedDone {
  /** How many were replayed or dropped. */
  readonly done: number;
  /** Those that stay, by id, each with the reason; ids that are not parked among them. */
  readonly failed: readonly { readonly id: string; readonly reason: string }[];
}

export interface ParkedList {
  readonly events: readonly ParkedSummary[];
  /** Parked in all. */
  readonly total: number;
}

export interface ParkedSummary {
  readonly id: string;
  readonly code: string;
  readonly reason: string;
  /** Epoch ms; null when it is not known. */
  readonly parkedAt: number | null;
  /** Times that it was handed over. */
  readonly attempts: number;
  readonly exchange: string;
  readonly routingKey: string;
  readonly bodyBytes: number;
}

/** What an operator sees of one: ids and names, never the raw body. */
export interface ParkedEvent extends ParkedSummary {
  readonly firstSeenAt: number | null;
  readonly contentType: string | null;
  readonly bodySha256: string;
  /** `notification.*` only. */
  readonly headers: Readonly<Record<string, string>>;
  /** Null when the body can not be read. Of `extra` only the names of its fields. */
  readonly event: (Omit<CloudEvent, 'extra'> & { readonly extraFields: readonly string[] }) | null;
  /** Why it can not be read; null when it can. */
  readonly unreadable: string | null;
  /** Can be replayed: its body was kept. */
  readonly kept: boolean;
}

export interface Binding {
  readonly exchange: string;
  readonly pattern: string;
}

/**
 * Remembers what was bound, over restarts: AMQP has no way to list the bindings of a queue. Without it,
 * bindings of an earlier run that are no longer wanted stay. Written before a binding is made and after one is
 * taken off, so that it never knows too little. May throw; then nothing is unbound and the next look tries again.
 */
export interface KnownBindings {
  get(queue: string): Promise<readonly Binding[]>;
  /** An empty list forgets the queue. */
  put(queue: string, list: readonly Binding[]): Promise<void>;
  /** Queues with a list that is not empty. */
  queues(): Promise<readonly string[]>;
}
