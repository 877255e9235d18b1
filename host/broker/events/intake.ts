/**
 * Keeps a live consumer on the event queue of every plug-in that subscribes: what is wanted is compared with what is
 * there after every change, and the difference is mended. One plug-in's trouble stops no other.
 * May import: kernel, message, amqplib.
 */
import { isDeepStrictEqual } from 'node:util';

import type { ChannelModel, ConsumeMessage } from 'amqplib';

import { messageOf } from '../../kernel/errors.ts';
import { backoffMs } from '../../kernel/time.ts';
import type { EventDelivery, EventStatus, Subscription } from '../../message/events.ts';
import { bounded } from '../bounded.ts';
import type { Link } from '../connection/link.ts';
import type { ChannelEvents, ConsumerChannel, WindowMode } from '../consume/consumer-channel.ts';
import { type Prober, createProber } from '../consume/prober.ts';
import { type Fault, REPLY, faultOf } from '../faults.ts';
import type { LimitedLog } from '../log-limit.ts';
import { type Loop, createLoop } from '../loop.ts';
import type { Settings } from '../options.ts';
import type { Tally } from '../tally.ts';
import { AmqpEvent } from './amqp-event.ts';
import type { Mover } from './mover.ts';
import { pluginOf } from './queues.ts';
import { Subscriber } from './subscriber.ts';
import { ensureSubscription } from './topology.ts';

export interface EventIntakeSpec {
  readonly settings: Settings;
  readonly link: Link;
  readonly limited: LimitedLog;
  readonly tally: Tally;
  readonly mover: Mover;
}

/** A channel that dies younger than this is opened again only after a pause. */
const STABLE_MS = 5_000;
const REOPEN = { firstMs: 50, maxMs: 1_000 } as const;
const CLOSE_MS = 1_000;

export class EventIntake {
  readonly #spec: EventIntakeSpec;
  readonly #loop: Loop;
  readonly #watch: NodeJS.Timeout;
  #subscribers = new Map<string, Subscriber>();
  /** Not subscribed any more, with events in hand. */
  #leaving = new Set<Subscriber>();
  readonly #latest = new Map<string, Subscription>();
  #orphans: readonly string[] = [];
  #receiver: ((delivery: EventDelivery) => void) | null = null;
  #wanted = false;
  #paused: string | null = null;
  #model: ChannelModel | null = null;
  #ending = false;
  #mode: WindowMode;

  constructor(spec: EventIntakeSpec) {
    this.#spec = spec;
    this.#mode = spec.settings.queue.quorum ? 'split' : 'shared';
    this.#loop = createLoop(() => this.#mend());
    this.#watch = setInterval(() => void this.#look(), spec.settings.watchMs).unref();
  }

  /** The connection came or went. */
  linkChanged(): void {
    // A quorum queue that somebody else made; the broker ends the whole connection over it.
    if (this.#spec.link.fault?.code === REPLY.notImplemented) this.#mode = 'split';
    void this.#loop.kick();
  }

  /** Take nothing while there is a reason. */
  pause(reason: string | null): void {
    if (this.#paused === reason) return;
    this.#paused = reason;
    void this.#loop.kick();
  }

  start(receiver: (delivery: EventDelivery) => void): void {
    this.#receiver = receiver;
    this.#wanted = true;
    void this.#loop.kick();
  }

  async stop(): Promise<void> {
    this.#wanted = false;
    await this.#loop.kick();
  }

  async setSubscriptions(list: readonly Subscription[]): Promise<void> {
    const next = new Map<string, Subscriber>();
    for (const subscription of list) {
      this.#latest.set(subscription.plugin, subscription);
      const known = this.#subscribers.get(subscription.plugin);
      const one = known ?? this.#subscriber(subscription);
      // One plug-in's change is no reason to ask the broker about all the others.
      if (!isDeepStrictEqual(one.subscription, subscription)) one.doubted = true;
      one.subscription = subscription;
      next.set(subscription.plugin, one);
    }
    for (const [plugin, one] of this.#subscribers) if (!next.has(plugin)) this.#leaving.add(one);
    this.#subscribers = next;
    await this.#loop.kick();
  }

  /** What the plug-in subscribed to last in this process, or null. */
  latest(plugin: string): Subscription | null {
    return this.#latest.get(plugin) ?? null;
  }

  /** Look at exchange and queues of a plug-in again, now. Never rejects. */
  async repair(plugin: string): Promise<void> {
    const one = this.#subscribers.get(plugin);
    if (one) one.doubted = true;
    await this.#loop.kick();
  }

  status(): EventStatus {
    const reason = this.#reason();
    const subscriptions = [...this.#subscribers.values()].map((one) => one.status());
    return { consuming: reason === null, reason, subscriptions, orphans: this.#orphans };
  }

  /** Cancel; once `drained` resolves or a second is over, let acknowledgements reach the broker and close. Never rejects. */
  async close(drained: () => Promise<void>): Promise<void> {
    clearInterval(this.#watch);
    this.#ending = true;
    this.#wanted = false;
    await bounded(this.#loop.kick(), CLOSE_MS);
    await bounded(drained(), CLOSE_MS);
    void this.#loop.stop();
    const all = [...this.#subscribers.values(), ...this.#leaving];
    await bounded(Promise.all(all.map((one) => one.close())), CLOSE_MS);
  }

  #subscriber(subscription: Subscription): Subscriber {
    const events: ChannelEvents = {
      message: (channel, message) => this.#deliver(subscriber, channel, message),
      cancelled: () => this.#cancelled(subscriber),
      closed: (channel, fault) => this.#closed(subscriber, channel, fault),
    };
    const mode = () => this.#mode;
    const subscriber = new Subscriber({ ...this.#spec, events, mode }, subscription);
    return subscriber;
  }

  #reason(): string | null {
    if (!this.#wanted) return 'not asked to consume';
    if (this.#spec.link.reason !== null) return this.#spec.link.reason;
    if (this.#paused !== null) return this.#paused;
    for (const one of this.#subscribers.values()) {
      const reason = one.reason();
      if (reason !== null) return reason;
    }
    return null;
  }

  async #mend(): Promise<void> {
    const { link, settings } = this.#spec;
    const { model } = link;
    if (!model) return;
    // A broker that was killed can come back without queues that it confirmed.
    if (model !== this.#model) for (const one of this.#subscribers.values()) one.doubted = true;
    this.#model = model;
    await using prober = createProber(link, model, settings.watchMs);
    for (const one of this.#leaving) await this.#guarded(one, () => one.leave());
    for (const one of this.#leaving) if (one.unsettled === 0) this.#leaving.delete(one);
    for (const one of this.#subscribers.values()) {
      if (link.model !== model) return;
      await this.#guarded(one, () => this.#mendOne(one, prober, model));
    }
  }

  async #mendOne(one: Subscriber, prober: Prober, model: ChannelModel): Promise<void> {
    const { settings } = this.#spec;
    if (one.doubted) {
      const { subscription } = one;
      one.seen = await ensureSubscription({ prober, settings }, subscription);
      // A list that came meanwhile is looked at in the next round.
      if (one.subscription === subscription) one.doubted = false;
      this.#report(one);
    }
    await one.mend(model, this.#wanted && this.#paused === null);
  }

  /** A step failed: the channel or the connection went away in the middle of it. */
  async #guarded(one: Subscriber, step: () => Promise<void>): Promise<void> {
    const { link, limited } = this.#spec;
    const { model } = link;
    try {
      await step();
    } catch (error) {
      const fault = faultOf(error);
      if (fault.code !== null) one.fail(fault.text);
      const { queue } = one;
      limited.warn('broker.events_failed', queue, { queue, reason: fault.text });
      if (model !== null && link.model === model) this.#again(one);
    }
  }

  #again(one: Subscriber): void {
    one.doubted = true;
    one.failures += 1;
    this.#loop.kickIn(backoffMs(one.failures - 1, REOPEN));
  }

  #report(one: Subscriber): void {
    const { limited, settings } = this.#spec;
    const { queue, missing, problem, waiting, parked } = { ...one.status() };
    const { plugin } = one.subscription;
    if (waiting !== null) settings.metrics?.gauge('vcx_events_waiting', waiting, { plugin });
    if (parked !== null) settings.metrics?.gauge('vcx_events_parked', parked, { plugin });
    settings.metrics?.gauge('vcx_events_missing_exchanges', missing.length, { plugin });
    if (problem) limited.warn('broker.events_problem', queue, { queue, reason: problem.message });
    for (const reason of one.seen?.full ?? [])
      limited.warn('broker.events_full', reason.split(':')[0] ?? '', { queue, reason });
    for (const exchange of missing)
      limited.warn('broker.events_exchange_missing', exchange, { queue, exchange });
  }

  #closed(one: Subscriber, channel: ConsumerChannel, fault: Fault): void {
    const { link, settings, limited, tally } = this.#spec;
    const young = settings.clock.monotonic() - channel.since < STABLE_MS;
    if (!young) one.failures = 0;
    // The link tells of the connection's own end one event later.
    setImmediate(() => {
      if (link.model !== channel.model || this.#ending || !one.holds(channel)) return;
      tally.add('vcx_broker_channel_deaths_total', 'events');
      const { queue } = one;
      limited.warn('broker.channel_died', queue, { channel: 'events', queue, reason: fault.text });
      this.#again(one);
    });
  }

  #cancelled(one: Subscriber): void {
    const { limited, tally } = this.#spec;
    tally.add('vcx_broker_channel_deaths_total', 'events_consumer');
    limited.warn('broker.consumer_cancelled', one.queue, { queue: one.queue });
    one.doubted = true;
    void this.#loop.kick();
  }

  /** Exchanges and bindings can come and vanish, and consumers have died, without a word from the broker. */
  async #look(): Promise<void> {
    const before = new Map([...this.#subscribers.values()].map((one) => [one, one.tag]));
    for (const one of before.keys()) one.doubted = true;
    await this.#loop.kick();
    await this.#findOrphans();
    for (const [one, tag] of before)
      if (tag !== null && tag === one.tag && one.seen?.consumers === 0) {
        this.#spec.limited.warn('broker.consumer_lost', one.queue, { queue: one.queue });
        one.renew();
      }
  }

  async #findOrphans(): Promise<void> {
    const { settings, limited } = this.#spec;
    const { exchange, known } = settings.events;
    try {
      const plugins = (await known.queues()).map((queue) => pluginOf(exchange, queue));
      const without = plugins.filter((plugin) => plugin !== null && !this.#subscribers.has(plugin));
      this.#orphans = without as string[];
    } catch (error) {
      limited.warn('broker.events_unknown', '', { reason: messageOf(error) });
    }
  }

  #deliver(one: Subscriber, channel: ConsumerChannel, message: ConsumeMessage): void {
    const { settings, tally, mover } = this.#spec;
    tally.add('vcx_events_delivered_total', '');
    const subscription = () => one.subscription;
    const event = new AmqpEvent({ channel, mover, subscription }, message);
    if (!this.#receiver) return event.requeue();
    try {
      this.#receiver(event);
    } catch (error) {
      // Thrown into amqplib it would close the channel.
      const reason = messageOf(error);
      settings.log.error('broker.receiver_threw', { queue: one.queue, reason });
      void event.retry(`the receiver threw: ${reason}`);
    }
  }
}
