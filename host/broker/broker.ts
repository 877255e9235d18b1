/**
 * The AMQP transport: deliveries in over one connection, confirmed replies out over another, both supervised.
 * May import: kernel, message.
 */
import { HostError } from '../kernel/errors.ts';
import type { EventTransport } from '../message/events.ts';
import type {
  OutgoingReply,
  ReplyOutcome,
  Transport,
  TransportStatus,
} from '../message/delivery.ts';
import { parseAddresses } from './connection/address.ts';
import { Canary, type CanaryStatus } from './canary/canary.ts';
import { bounded } from './bounded.ts';
import { DeadLetter, asBuffer } from './publish/dead-letter.ts';
import { Intake } from './consume/intake.ts';
import { type Link, openLink } from './connection/link.ts';
import { type Events, openEvents } from './events/events.ts';
import { limitLog } from './log-limit.ts';
import {
  type BrokerOptions,
  type ServiceAddress,
  type Settings,
  resolveOptions,
} from './options.ts';
import { Publisher } from './publish/publisher.ts';
import { openTally } from './tally.ts';
import type { Finding } from './consume/topology.ts';

export interface ServiceStatus {
  readonly exchange: string;
  readonly routingKey: string;
  readonly queue: string;
  /** A live consumer stands on the queue. */
  readonly consuming: boolean;
  /** What keeps the service from being consumed, and what to do about it. */
  readonly problem: HostError | null;
}

export interface BrokerStatus extends TransportStatus {
  readonly services: readonly ServiceStatus[];
  /** Why each connection is away; null while it is up. */
  readonly connections: { readonly consume: string | null; readonly publish: string | null };
  /** The broker's reason to take no publishes. */
  readonly blockedReason: string | null;
  /** Published or waiting, not confirmed. */
  readonly outbox: { readonly count: number; readonly bytes: number };
  /** Handed over and not settled. */
  readonly unsettled: number;
  /** What is wrong with vcx's own dead-letter exchange or queue. */
  readonly deadLetterProblem: string | null;
  /** Whether messages of our own come back; `consuming` is false while they do not. */
  readonly canary: CanaryStatus;
}

export interface TopologyEntry extends Finding {
  /** The service it belongs to as `EXCHANGE/ROUTINGKEY`, or `dead-letter`. */
  readonly of: string;
}

export interface Broker extends Transport {
  status(): BrokerStatus;
  /** Replace the list of services. Resolves when each was looked at once, or at once without a connection; queues that are left are not deleted. */
  setServices(list: readonly ServiceAddress[]): Promise<void>;
  /** Messages taken and not settled, over all queues together; 0 takes none. */
  setPrefetch(total: number): Promise<void>;
  /** Resolves when `status().consuming` is true; rejects with `BROKER_UNAVAILABLE` and the reason when the signal fires. */
  ready(signal: AbortSignal): Promise<void>;
  /** What was found of every exchange, queue and binding at the last look. */
  topologyReport(): TopologyEntry[];
  /** Notifications, on the same connections. Their state is their own: it does not count for `status()` and `ready()`. */
  readonly events: EventTransport;
}

const CLOSE_MS = 1_000;

/** Start the transport. Returns at once: `status().reason` says what it waits for. Throws `CONFIG_INVALID` for a bad address. */
export async function openBroker(options: BrokerOptions): Promise<Broker> {
  const settings = resolveOptions(options);
  const addresses = parseAddresses(settings.urls);
  const limited = limitLog(settings.log, settings.clock);
  const tally = openTally(settings.metrics);
  const watchers = new Set<() => void>();

  const common = { settings, limited, tally };
  const link = (name: 'consume' | 'publish', changed: () => void) =>
    openLink({ name, addresses, settings, limited, changed });
  const publishLink = link('publish', () => {
    publisher.linkChanged();
    deadLetter.linkChanged();
    canary.linkChanged();
    settle();
  });
  const consumeLink = link('consume', () => {
    intake.linkChanged();
    events.linkChanged();
    canary.linkChanged();
    settle();
  });
  const publisher = new Publisher({ ...common, link: publishLink, changed: settle });
  const deadLetter = new DeadLetter({ settings, limited, link: publishLink, publisher });
  const intake = new Intake({
    ...common,
    link: consumeLink,
    intercept: (delivery) => canary.takes(delivery),
    changed: settle,
  });
  const canary = new Canary({
    ...common,
    link: consumeLink,
    publisher,
    targets: () => intake.consumed(),
    changed: settle,
  });
  const events = openEvents({ ...common, link: consumeLink, publisher });
  const parts: Parts = { consumeLink, publishLink, publisher, deadLetter, intake, canary, events };

  function settle(): void {
    const reason = pauseReason(parts);
    intake.pause(reason);
    events.pause(reason);
    for (const watcher of watchers) watcher();
  }
  settle();

  return brokerOf(parts, { settings, watchers, tally });
}

interface Shell {
  readonly settings: Settings;
  readonly watchers: Set<() => void>;
  readonly tally: AsyncDisposable;
}

function brokerOf(parts: Parts, { settings, watchers, tally }: Shell): Broker {
  const { publisher, deadLetter, intake } = parts;
  let disposing: Promise<void> | null = null;
  return {
    consume: (onDelivery) => intake.start(onDelivery),
    cancel: () => intake.stop(),
    reply: (reply, signal) => sendReply(reply, signal, { settings, publisher }),
    park: (message, signal) => deadLetter.park(message, signal),
    status: () => statusOf(parts),
    setServices: (list) => intake.setServices(list),
    setPrefetch: (total) => intake.setPrefetch(total),
    ready: (signal) => untilReady(parts, watchers, signal),
    topologyReport: () => reportOf(parts),
    events: parts.events.transport,
    [Symbol.asyncDispose]: () => (disposing ??= dispose(parts, tally)),
  };
}

function sendReply(
  reply: OutgoingReply,
  signal: AbortSignal,
  { settings, publisher }: { settings: Settings; publisher: Publisher },
): Promise<ReplyOutcome> {
  const { exchange, body } = reply;
  const { deadLetter, canary, events } = settings;
  if ([deadLetter.exchange, canary.exchange, events.exchange].includes(exchange))
    return Promise.resolve({ kind: 'failed', reason: `exchange ${exchange} takes no replies` });
  const message = { ...reply, body: asBuffer(body), persistent: false, headers: null };
  return publisher.send(message, signal);
}

interface Parts {
  readonly consumeLink: Link;
  readonly publishLink: Link;
  readonly publisher: Publisher;
  readonly deadLetter: DeadLetter;
  readonly intake: Intake;
  readonly canary: Canary;
  readonly events: Events;
}

/** Work that can't be answered is better left to another host. */
function pauseReason({ publishLink, publisher }: Parts): string | null {
  if (publishLink.reason !== null) return publishLink.reason;
  if (publishLink.blocked !== null) return `the broker takes no messages: ${publishLink.blocked}`;
  return publisher.outbox.full ? 'too many replies wait for their confirm' : null;
}

/** Why calls do not arrive, or null. */
function reasonOf({ intake, canary }: Parts): string | null {
  return intake.reason() ?? canary.problem;
}

function statusOf(parts: Parts): BrokerStatus {
  const { consumeLink, publishLink, publisher, deadLetter, intake, canary } = parts;
  const reason = reasonOf(parts);
  return {
    consuming: reason === null,
    reason,
    blocked: publishLink.blocked !== null,
    blockedReason: publishLink.blocked,
    connections: { consume: consumeLink.reason, publish: publishLink.reason },
    services: intake.services().map(({ address, queue, problem }) => ({
      exchange: address.exchange,
      routingKey: address.routingKey,
      queue,
      consuming: problem === null && intake.isConsuming(queue),
      problem,
    })),
    outbox: { count: publisher.outbox.count, bytes: publisher.outbox.bytes },
    unsettled: intake.unsettled(),
    deadLetterProblem: deadLetter.problem,
    canary: canary.status(),
  };
}

function reportOf({ intake, deadLetter }: Parts): TopologyEntry[] {
  const entries = intake.services().flatMap(({ address, findings }) => {
    const of = `${address.exchange}/${address.routingKey}`;
    return findings.map((finding) => ({ ...finding, of }));
  });
  return [...entries, ...deadLetter.findings.map((finding) => ({ ...finding, of: 'dead-letter' }))];
}

function untilReady(parts: Parts, watchers: Set<() => void>, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const end = (settle: () => void) => {
      watchers.delete(look);
      signal.removeEventListener('abort', give);
      settle();
    };
    const look = () => {
      if (reasonOf(parts) === null) end(resolve);
    };
    const give = () => {
      const reason = reasonOf(parts) ?? 'ready';
      end(() => reject(new HostError('BROKER_UNAVAILABLE', `not consuming: ${reason}`)));
    };
    watchers.add(look);
    signal.addEventListener('abort', give);
    if (signal.aborted) give();
    else look();
  });
}

/** Consumers first, so that nothing new comes while the last replies are confirmed. Bounded at each step. */
async function dispose(parts: Parts, tally: AsyncDisposable): Promise<void> {
  await bounded(parts.canary.close(), CLOSE_MS);
  await Promise.all([parts.intake.close(), parts.events.close()]);
  await parts.publisher.close();
  await Promise.all([
    parts.consumeLink[Symbol.asyncDispose](),
    parts.publishLink[Symbol.asyncDispose](),
  ]);
  await tally[Symbol.asyncDispose]();
}
