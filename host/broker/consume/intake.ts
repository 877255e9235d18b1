/**
 * Keeps a live consumer on every service queue: what is wanted is compared with what is there after every event,
 * and the difference is mended. Consumers are watched, not the socket.
 * May import: kernel, message, amqplib.
 */
import type { ChannelModel, ConsumeMessage } from 'amqplib';

import { backoffMs } from '../../kernel/time.ts';
import type { Delivery } from '../../message/delivery.ts';
import { AmqpDelivery, handOver } from './amqp-delivery.ts';
import { bounded } from '../bounded.ts';
import {
  type ChannelEvents,
  type ConsumerChannel,
  type WindowMode,
  endConsumer,
  openConsumerChannel,
  setWindow,
  startConsumer,
} from './consumer-channel.ts';
import { type Fault, REPLY, faultOf } from '../faults.ts';
import type { Link } from '../connection/link.ts';
import type { LimitedLog } from '../log-limit.ts';
import { idleReason, lostQueue } from './liveness.ts';
import { type Loop, createLoop } from '../loop.ts';
import type { ServiceAddress, Settings } from '../options.ts';
import { createProber, within } from './prober.ts';
import { ServiceSet, type ServiceState } from './service-set.ts';
import type { Tally } from '../tally.ts';

export interface IntakeSpec {
  readonly settings: Settings;
  readonly link: Link;
  readonly limited: LimitedLog;
  readonly tally: Tally;
  /** Takes what is not for the receiver, and settles it. */
  readonly intercept: (delivery: Delivery) => boolean;
  /** Called after every change of what `reason()` says. */
  readonly changed: () => void;
}

/** A channel that dies younger than this is opened again only after a pause. */
const STABLE_MS = 5_000;
const REOPEN = { firstMs: 50, maxMs: 1_000 } as const;
/** The next channel gets the number of the dead one: what both sides still had to say on it must be out first. */
const FLUSH_MS = 25;
const CLOSE_MS = 1_000;

export class Intake {
  readonly #spec: IntakeSpec;
  readonly #services = new ServiceSet();
  readonly #loop: Loop;
  readonly #events: ChannelEvents;
  readonly #watch: NodeJS.Timeout;
  #channel: ConsumerChannel | null = null;
  #receiver: ((delivery: Delivery) => void) | null = null;
  #wanted = false;
  #paused: string | null = null;
  #prefetch: number;
  #mode: WindowMode;
  #failures = 0;
  #ending = false;

  constructor(spec: IntakeSpec) {
    const { settings } = spec;
    this.#spec = spec;
    this.#prefetch = settings.prefetch;
    this.#mode = settings.queue.quorum ? 'split' : 'shared';
    this.#services.replace(settings.services);
    this.#loop = createLoop(() => this.#mend());
    this.#events = {
      message: (channel, message) => this.#deliver(channel, message),
      cancelled: (_channel, queue) => this.#cancelled(queue),
      closed: (channel, fault) => this.#closed(channel, fault),
    };
    this.#watch = setInterval(() => void this.#look(), settings.watchMs).unref();
  }

  /** The connection came or went. */
  linkChanged(): void {
    // A quorum queue that somebody else made; the broker ends the whole connection over it.
    if (this.#spec.link.fault?.code === REPLY.notImplemented) this.#mode = 'split';
    void this.#loop.kick();
  }

  start(receiver: (delivery: Delivery) => void): void {
    this.#receiver = receiver;
    this.#wanted = true;
    void this.#loop.kick();
  }

  /** Resolves when no consumer is left. */
  async stop(): Promise<void> {
    this.#wanted = false;
    await this.#loop.kick();
  }

  /** Take nothing while there is a reason. */
  pause(reason: string | null): void {
    if (this.#paused === reason) return;
    this.#paused = reason;
    void this.#loop.kick();
  }

  /** Resolves when the new list has been looked at once, or at once without a connection. */
  async setServices(list: readonly ServiceAddress[]): Promise<void> {
    this.#services.replace(list);
    await this.#loop.kick();
  }

  async setPrefetch(total: number): Promise<void> {
    this.#prefetch = total;
    await this.#loop.kick();
  }

  services(): ServiceState[] {
    return this.#services.all();
  }

  isConsuming(queue: string): boolean {
    return this.#channel?.alive === true && this.#channel.tags.has(queue);
  }

  /** Services that a live consumer of ours stands for. */
  consumed(): ServiceAddress[] {
    return this.services().flatMap(({ address, queue, problem }) =>
      problem === null && this.isConsuming(queue) ? [address] : [],
    );
  }

  /** Deliveries handed over and not settled on the present channel. */
  unsettled(): number {
    return this.#channel?.unsettled ?? 0;
  }

  /** Why not every service is consumed, or null. */
  reason(): string | null {
    if (!this.#wanted) return 'not asked to consume';
    if (this.#spec.link.reason !== null) return this.#spec.link.reason;
    if (this.#paused !== null) return this.#paused;
    if (this.#prefetch < 1) return 'prefetch is 0';
    return idleReason(this.#services.all(), (queue) => this.isConsuming(queue));
  }

  /** Cancel, let what was acknowledged reach the broker, close. Bounded; never rejects. */
  async close(): Promise<void> {
    clearInterval(this.#watch);
    this.#ending = true;
    this.#wanted = false;
    await bounded(this.#closeChannel(), CLOSE_MS);
    void this.#loop.stop();
  }

  async #closeChannel(): Promise<void> {
    await this.#loop.kick();
    await this.#loop.stop();
    // Closing the connection would overtake acknowledgements that wait in the channel's buffer.
    if (this.#channel?.alive) await this.#channel.raw.close();
  }

  async #mend(): Promise<void> {
    const { model } = this.#spec.link;
    if (!model) return;
    try {
      await this.#mendOn(model);
      this.#spec.changed();
    } catch (error) {
      this.#failed(model, error);
    }
  }

  async #mendOn(model: ChannelModel): Promise<void> {
    const { link, settings } = this.#spec;
    const channel = await this.#channelOn(model);
    const open = this.#wanted && this.#paused === null && this.#prefetch > 0;
    if (!open) await this.#endConsumers(channel, new Set());
    await using prober = createProber(link, model, settings.watchMs);
    await this.#services.ensure(prober, settings.queue);
    if (!open) return;
    await this.#endConsumers(channel, this.#services.queues());
    await this.#services.clearSuspects(prober);
    await this.#consumeAll(channel);
  }

  async #endConsumers(channel: ConsumerChannel, keep: ReadonlySet<string>): Promise<void> {
    const { link, settings } = this.#spec;
    for (const queue of channel.tags.keys())
      if (!keep.has(queue)) await within(link, endConsumer(channel, queue), settings.watchMs);
  }

  async #channelOn(model: ChannelModel): Promise<ConsumerChannel> {
    const { link, settings } = this.#spec;
    if (this.#channel?.alive && this.#channel.model === model) return this.#channel;
    // A broker that was killed can come back without queues that it confirmed.
    this.#services.doubt();
    const opening = openConsumerChannel(model, settings.clock.monotonic(), this.#events);
    this.#channel = await within(link, opening, settings.watchMs);
    return this.#channel;
  }

  async #consumeAll(channel: ConsumerChannel): Promise<void> {
    const { link, settings } = this.#spec;
    const queues = this.#services.queues();
    const window = { total: this.#prefetch, queues: queues.size };
    await within(link, setWindow(channel, this.#mode, window), settings.watchMs);
    for (const queue of queues) {
      if (channel.tags.has(queue)) continue;
      await within(link, startConsumer(channel, queue, this.#events), settings.watchMs);
      settings.log.info('broker.consuming', { queue });
    }
  }

  /** A step failed: the channel or the connection went away in the middle of it. */
  #failed(model: ChannelModel, error: unknown): void {
    const { link, limited } = this.#spec;
    const channel = this.#channel;
    const fault = faultOf(error);
    const queue = channel?.asking ?? null;
    if (channel) channel.asking = null;
    if (queue !== null && fault.code !== null) this.#services.fail(queue, fault.text);
    limited.warn('broker.consume_failed', queue ?? '', { queue, reason: fault.text });
    this.#spec.changed();
    if (link.model === model) this.#loop.kickIn(this.#pauseMs());
  }

  #pauseMs(): number {
    this.#failures += 1;
    return backoffMs(this.#failures - 1, REOPEN);
  }

  #closed(channel: ConsumerChannel, fault: Fault): void {
    const { link, settings, limited, changed, tally } = this.#spec;
    const young = settings.clock.monotonic() - channel.since < STABLE_MS;
    if (!young) this.#failures = 0;
    // The link tells of the connection's own end one event later.
    setImmediate(() => {
      if (link.model !== channel.model || this.#ending) return;
      tally.add('vcx_broker_channel_deaths_total', 'consume');
      limited.warn('broker.channel_died', 'consume', { channel: 'consume', reason: fault.text });
      changed();
      this.#loop.kickIn(young ? this.#pauseMs() : FLUSH_MS);
    });
  }

  #cancelled(queue: string): void {
    const { limited, changed, tally } = this.#spec;
    tally.add('vcx_broker_channel_deaths_total', 'consumer');
    limited.warn('broker.consumer_cancelled', queue, { queue });
    this.#services.doubt(queue);
    changed();
    void this.#loop.kick();
  }

  /** Exchanges and bindings can vanish, and consumers have died, without a word from the broker. */
  async #look(): Promise<void> {
    const channel = this.#channel;
    const before = new Map(channel?.tags);
    this.#services.doubt();
    await this.#loop.kick();
    if (!channel?.alive || channel !== this.#channel) return;
    const queue = lostQueue(this.#services.all(), before, channel.tags);
    if (queue === null) return;
    this.#spec.limited.warn('broker.consumer_lost', queue, { queue });
    // The channel's end brings all consumers back.
    void channel.raw.close().catch(() => undefined);
  }

  #deliver(channel: ConsumerChannel, message: ConsumeMessage): void {
    const { settings, tally, intercept } = this.#spec;
    const delivery = new AmqpDelivery(channel, message, settings.clock.monotonic());
    if (intercept(delivery)) return;
    tally.add('vcx_broker_deliveries_total', '');
    if (this.#receiver) handOver(this.#receiver, delivery, settings.log);
  }
}
