/**
 * What the broker room is told: meanings, units and defaults, resolved once at the door.
 * May import: kernel, message.
 */
import type { Log } from '../kernel/log.ts';
import { silentLog } from '../kernel/log.ts';
import type { Metrics } from '../kernel/metrics.ts';
import type { Clock } from '../kernel/time.ts';
import { systemClock } from '../kernel/time.ts';
import type { KnownBindings } from '../message/events.ts';
import { createMemoryBindings } from './events/memory-bindings.ts';

/** Where the requests of one service arrive. */
export interface ServiceAddress {
  /** Exchange that vCloud publishes to; made as a durable one when missing, never changed. */
  readonly exchange: string;
  readonly routingKey: string;
  /** Queue to consume. @default `vcx.EXCHANGE.ROUTINGKEY` */
  readonly queue?: string;
  /** Type that the exchange must have. @default 'direct' */
  readonly exchangeType?: 'direct' | 'topic';
}

/** How service queues are declared. A queue that exists with other arguments is used as it is and reported. */
export interface QueueOptions {
  /** Survives a restart of the broker. @default true */
  readonly durable?: boolean;
  /** Replicated queue; prefetch is then split evenly over the queues, since the broker refuses a shared one. @default false */
  readonly quorum?: boolean;
  /** Milliseconds after which a waiting message is dropped: vCloud gave up on it. Null keeps messages. @default 10000 */
  readonly messageTtlMs?: number | null;
  /**
   * Exchange that gets what the queue drops. Such messages are raw and hold live tokens, so this is
   * for brokers whose operators may see them. @default null
   */
  readonly deadLetterExchange?: string | null;
}

/** vcx's own place for messages that nobody can be answered for. */
export interface DeadLetterOptions {
  /** @default 'vcx.dead' */
  readonly exchange?: string;
  /** @default 'vcx.dead' */
  readonly queue?: string;
  /** Messages kept; the oldest go first. @default 10000 */
  readonly maxLength?: number;
  /** Milliseconds that a message is kept. @default 86400000 */
  readonly ttlMs?: number;
}

/** Messages that vcx sends itself through each service's exchange, to see that the path is whole. */
export interface CanaryOptions {
  /** vcx's own direct exchange, on which they come back. @default 'vcx.canary' */
  readonly exchange?: string;
  /** Milliseconds between two; the services take turns. One that is not back after three periods is lost; 0 sends none. @default 5000 */
  readonly everyMs?: number;
}

/** The queues of notifications, one set for each plug-in. Queues that exist with other arguments are used as they are and reported. */
export interface EventOptions {
  /** vcx's own direct exchange, by which retries and replays reach a plug-in; also the first part of its queues' names. @default 'vcx.events' */
  readonly exchange?: string;
  /** Bytes of a body up to which an event can be retried, and is kept when parked. @default 1048576 */
  readonly maxBodyBytes?: number;
  /** Events that wait for one plug-in; the oldest go first, before the broker's disk is full and vCloud itself is blocked. @default 1000000 */
  readonly maxWaiting?: number;
  /** Events parked of one plug-in; the oldest go first. @default 10000 */
  readonly maxParked?: number;
  /** Milliseconds that an event stays parked. @default 2592000000 (30 days) */
  readonly parkedTtlMs?: number;
  /** What was bound in earlier runs. @default nothing is remembered over restarts */
  readonly known?: KnownBindings;
}

/** Files are read again at every connect, so that a renewed certificate needs no restart. */
export interface TlsOptions {
  /** Authorities that may have signed the broker's certificate (PEM). @default those of Node */
  readonly caFile?: string;
  /** Our certificate and key (PEM), for brokers that ask for one. */
  readonly certFile?: string;
  readonly keyFile?: string;
  /** Name the broker's certificate must hold. @default the host of the URL */
  readonly serverName?: string;
}

/** `external`: the broker knows us by our certificate. */
export type Credentials =
  | { readonly username: string; readonly password: string }
  | { readonly external: true };

export interface BrokerOptions {
  /** `amqp://` or `amqps://` addresses, tried in turn. Credentials in them are used when `credentials` is not given. */
  readonly urls: readonly string[];
  /** @default [] */
  readonly services?: readonly ServiceAddress[];
  /** Messages taken and not settled, over all service queues together; 0 takes none. @default 50 */
  readonly prefetch?: number;
  /** Seconds; a dead peer is noticed within three times this. @default 10 */
  readonly heartbeatS?: number;
  /** Upper bounds of the first and of every pause between attempts to connect, in milliseconds. @default 100, 2000 */
  readonly recovery?: { readonly initialMs?: number; readonly maxMs?: number };
  readonly queue?: QueueOptions;
  readonly deadLetter?: DeadLetterOptions;
  /** Replies published or waiting and not confirmed; above half of it no message is taken. @default 10000 and 64 MiB */
  readonly outbox?: { readonly maxCount?: number; readonly maxBytes?: number };
  readonly canary?: CanaryOptions;
  readonly events?: EventOptions;
  readonly tls?: TlsOptions;
  /** Asked at every connect, so that a changed password needs no restart. @default those in the URL */
  readonly credentials?: () => Credentials | Promise<Credentials>;
  /** Bytes of one message's body that are kept; a longer one is cut one byte above, so that the decoder refuses it. @default 16777216 */
  readonly maxMessageBytes?: number;
  /** Shown in the broker's list of connections, with `/consume` or `/publish`. @default 'vcx' */
  readonly clientName?: string;
  /** Milliseconds between looks at topology and consumers; an answer that takes as long drops the connection. @default 5000 */
  readonly watchMs?: number;
  /** Milliseconds without a reply in which a confirm channel is kept. @default 60000 */
  readonly idleChannelMs?: number;
  /** Reply exchanges in use at the same time. @default 64 */
  readonly maxReplyExchanges?: number;
  readonly log?: Log;
  readonly metrics?: Metrics | null;
  readonly clock?: Clock;
}

export const BROKER_DEFAULTS = {
  services: [],
  prefetch: 50,
  heartbeatS: 10,
  recovery: { initialMs: 100, maxMs: 2_000 },
  queue: { durable: true, quorum: false, messageTtlMs: 10_000, deadLetterExchange: null },
  deadLetter: {
    exchange: 'vcx.dead',
    queue: 'vcx.dead',
    maxLength: 10_000,
    ttlMs: 24 * 60 * 60 * 1_000,
  },
  outbox: { maxCount: 10_000, maxBytes: 64 * 1_024 * 1_024 },
  canary: { exchange: 'vcx.canary', everyMs: 5_000 },
  events: {
    exchange: 'vcx.events',
    maxBodyBytes: 1_024 * 1_024,
    maxWaiting: 1_000_000,
    maxParked: 10_000,
    parkedTtlMs: 30 * 24 * 60 * 60 * 1_000,
  },
  maxMessageBytes: 16 * 1_024 * 1_024,
  clientName: 'vcx',
  watchMs: 5_000,
  idleChannelMs: 60_000,
  maxReplyExchanges: 64,
} as const satisfies Omit<BrokerOptions, 'urls'>;

/** Options with every default in place; what the rest of the room sees. */
export interface Settings extends Required<Omit<BrokerOptions, 'tls' | 'credentials'>> {
  readonly recovery: { readonly initialMs: number; readonly maxMs: number };
  readonly queue: Required<QueueOptions>;
  readonly deadLetter: Required<DeadLetterOptions>;
  readonly outbox: { readonly maxCount: number; readonly maxBytes: number };
  readonly canary: Required<CanaryOptions>;
  readonly events: Required<EventOptions>;
  readonly tls: TlsOptions;
  readonly credentials: (() => Credentials | Promise<Credentials>) | null;
}

export function resolveOptions(options: BrokerOptions): Settings {
  const base = BROKER_DEFAULTS;
  return {
    ...base,
    ...options,
    recovery: { ...base.recovery, ...options.recovery },
    queue: { ...base.queue, ...options.queue },
    deadLetter: { ...base.deadLetter, ...options.deadLetter },
    outbox: { ...base.outbox, ...options.outbox },
    canary: { ...base.canary, ...options.canary },
    events: { known: createMemoryBindings(), ...base.events, ...options.events },
    tls: options.tls ?? {},
    credentials: options.credentials ?? null,
    log: options.log ?? silentLog,
    metrics: options.metrics ?? null,
    clock: options.clock ?? systemClock,
  };
}

/** The queue that a service is consumed from. */
export function queueOf(service: ServiceAddress): string {
  return service.queue ?? `vcx.${service.exchange}.${service.routingKey}`;
}
