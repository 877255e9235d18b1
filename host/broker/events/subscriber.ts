/**
 * One plug-in's consumer on a channel of its own, so that its window and its faults are nobody else's.
 * May import: kernel, message, amqplib.
 */
import type { ChannelModel } from 'amqplib';

import type { Subscription, SubscriptionStatus } from '../../message/events.ts';
import {
  type ChannelEvents,
  type ConsumerChannel,
  type WindowMode,
  endConsumer,
  openConsumerChannel,
  setWindow,
  startConsumer,
} from '../consume/consumer-channel.ts';
import { closeChannel, within } from '../consume/prober.ts';
import { topologyError } from '../faults.ts';
import type { Link } from '../connection/link.ts';
import type { Settings } from '../options.ts';
import { eventQueues } from './queues.ts';
import type { Seen } from './topology.ts';

export interface SubscriberSpec {
  readonly settings: Settings;
  readonly link: Link;
  readonly events: ChannelEvents;
  /** `shared` holds for the whole channel, also over a consumer that was ended and made anew; quorum queues refuse it. */
  readonly mode: () => WindowMode;
}

export class Subscriber {
  readonly #spec: SubscriberSpec;
  readonly queue: string;
  subscription: Subscription;
  /** The last look; null before the first. */
  seen: Seen | null = null;
  /** Exchanges, queues and bindings are to be looked at (again). */
  doubted = true;
  /** Deaths of young channels in a row. */
  failures = 0;
  #channel: ConsumerChannel | null = null;

  constructor(spec: SubscriberSpec, subscription: Subscription) {
    this.#spec = spec;
    this.subscription = subscription;
    this.queue = eventQueues(spec.settings.events.exchange, subscription.plugin).main;
  }

  /** Handed over and not settled, on a channel that lives. */
  get unsettled(): number {
    return this.#channel?.alive ? this.#channel.unsettled : 0;
  }

  /** Tag of the live consumer, or null. */
  get tag(): string | null {
    return (this.#channel?.alive && this.#channel.tags.get(this.queue)) || null;
  }

  holds(channel: ConsumerChannel): boolean {
    return this.#channel === channel;
  }

  /** A live consumer with the wanted window, or none. */
  async mend(model: ChannelModel, open: boolean): Promise<void> {
    const { link, settings, events, mode } = this.#spec;
    const { prefetch } = this.subscription;
    if (!open || prefetch < 1 || this.seen === null || this.seen.problem !== null)
      return this.#end();
    if (!this.#channel?.alive || this.#channel.model !== model) {
      const opening = openConsumerChannel(model, settings.clock.monotonic(), events);
      this.#channel = await within(link, opening, settings.watchMs);
    }
    const channel = this.#channel;
    const window = setWindow(channel, mode(), { total: prefetch, queues: 1 });
    await within(link, window, settings.watchMs);
    if (channel.tags.has(this.queue)) return;
    // A window of the consumer's own does not count what the one before was given: the next look finds it settled.
    if (mode() === 'split' && channel.unsettled > 0) return;
    await within(link, startConsumer(channel, this.queue, events), settings.watchMs);
    settings.log.info('broker.events_consuming', { queue: this.queue });
  }

  /** The broker refused something of ours: shown until the next look. */
  fail(text: string): void {
    const base = this.seen ?? NOTHING_SEEN;
    this.seen = { ...base, problem: topologyError(`queue ${this.queue}: ${text}`) };
  }

  status(): SubscriptionStatus {
    const { problem, missing, notes, waiting, parked } = this.seen ?? NOTHING_SEEN;
    return {
      plugin: this.subscription.plugin,
      queue: this.queue,
      consuming: this.tag !== null,
      missing,
      problem,
      notes,
      waiting,
      parked,
      unsettled: this.unsettled,
    };
  }

  /** Why not all is well, or null. */
  reason(): string | null {
    const { plugin, prefetch } = this.subscription;
    const { problem, missing } = this.seen ?? NOTHING_SEEN;
    if (problem) return problem.message;
    if (missing.length > 0)
      return `events of ${plugin}: waiting for the exchange ${missing.join(', ')}, which vCloud makes`;
    if (prefetch < 1) return `events of ${plugin}: prefetch is 0`;
    return this.tag === null ? `starting the consumer of ${this.queue}` : null;
  }

  /** End the consumer; the channel goes when all that was handed over is settled. */
  async leave(): Promise<void> {
    await this.#end();
    if (this.unsettled === 0) await this.close();
  }

  /** Closing flushes acknowledgements; what is not settled goes back to the queue. Never rejects. */
  async close(): Promise<void> {
    const channel = this.#channel;
    this.#channel = null;
    if (channel?.alive) await closeChannel(channel.raw);
  }

  /** Close the channel of a consumer that is no more, so that its end brings another. */
  renew(): void {
    if (this.#channel?.alive) void closeChannel(this.#channel.raw);
  }

  async #end(): Promise<void> {
    const { link, settings } = this.#spec;
    if (this.#channel?.alive)
      await within(link, endConsumer(this.#channel, this.queue), settings.watchMs);
  }
}

const NOTHING_SEEN: Seen = {
  problem: null,
  missing: [],
  notes: [],
  full: [],
  waiting: null,
  parked: null,
  consumers: null,
};
