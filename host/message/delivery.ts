/**
 * What a transport hands to the corridor and takes back; knows nothing of AMQP's channels.
 * May import: kernel.
 */

/** One message taken from a transport, to be settled exactly once. */
export interface Delivery {
  /** Exchange and routing key it was published with: they name the service. */
  readonly exchange: string;
  readonly routingKey: string;
  readonly body: Uint8Array;
  readonly correlationId: string | null;
  /** Routing key for the reply (`reply_to`). */
  readonly replyTo: string | null;
  /** Application headers as they came, values unchecked. */
  readonly headers: Readonly<Record<string, unknown>>;
  readonly redelivered: boolean;
  /** Monotonic ms of arrival. */
  readonly arrivedAt: number;
  /** Take the message off the queue. Idempotent; never throws (a lost channel makes it a no-op: the broker redelivers). */
  ack(): void;
  /** Put the message back for another consumer. Same promises as `ack`. */
  requeue(): void;
}

/** A reply on its way out. */
export interface OutgoingReply {
  readonly exchange: string;
  readonly routingKey: string;
  readonly correlationId: string | null;
  readonly body: Uint8Array;
}

/** What became of a published reply. */
export type ReplyOutcome =
  | { readonly kind: 'confirmed' }
  /** No queue is bound for the routing key. */
  | { readonly kind: 'unroutable' }
  /** The exchange is missing, the broker refused, or the connection is away and `signal` fired. */
  | { readonly kind: 'failed'; readonly reason: string };

/** A message nobody can be answered for, redacted, on its way to vcx's own dead-letter exchange. */
export interface ParkedMessage {
  readonly reason: string;
  readonly body: Uint8Array;
}

/** The corridor's port to the outside: deliveries in, replies out. Implementations: `broker/`. */
export interface Transport extends AsyncDisposable {
  /** Publish with confirm and mandatory. Never throws. */
  reply(reply: OutgoingReply, signal: AbortSignal): Promise<ReplyOutcome>;
  /** Publish to the dead-letter exchange. True when the broker confirmed. Never throws. */
  park(message: ParkedMessage, signal: AbortSignal): Promise<boolean>;
  /** Start to hand deliveries over; `onDelivery` must not throw. */
  consume(onDelivery: (delivery: Delivery) => void): void;
  /** Stop taking new deliveries; resolves when the broker has confirmed the cancel. What was delivered can still be settled. */
  cancel(): Promise<void>;
  status(): TransportStatus;
}

export interface TransportStatus {
  /** True only while every service queue has a live consumer and replies can be published. */
  readonly consuming: boolean;
  /** Why not, in one line. */
  readonly reason: string | null;
  readonly blocked: boolean;
}
