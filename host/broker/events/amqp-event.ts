/**
 * One event in hand: settled once, only on the channel it came on, and never acknowledged before its copy is confirmed.
 * May import: kernel, message, amqplib.
 */
import { randomUUID } from 'node:crypto';

import type { ConsumeMessage } from 'amqplib';

import type { Code } from '../../kernel/errors.ts';
import type { EventDelivery, Moved, Subscription } from '../../message/events.ts';
import type { SettleChannel } from '../consume/amqp-delivery.ts';
import { acksOf } from './acks.ts';
import { type Envelope, parkedCopy, readEnvelope, travelHeaders } from './envelope.ts';
import type { Mover } from './mover.ts';
import { eventQueues, nearestPause, pauseAfter } from './queues.ts';

export interface AmqpEventSpec {
  readonly channel: SettleChannel;
  readonly mover: Mover;
  /** The plug-in's at the moment; it may change while the event is in hand. */
  readonly subscription: () => Subscription;
}

/** Longest time that an event is kept here when the broker does not take its copy. */
const MAX_HOLD_MS = 5_000;

/** A class, not a closure: this is made for every message. */
export class AmqpEvent implements EventDelivery {
  readonly plugin: string;
  readonly body: Uint8Array;
  readonly redelivered: boolean;
  readonly arrivedAt: number;
  readonly #spec: AmqpEventSpec;
  readonly #message: ConsumeMessage;
  readonly #envelope: Envelope;
  #settled = false;

  constructor(spec: AmqpEventSpec, message: ConsumeMessage) {
    const { events, clock } = spec.mover.settings;
    this.plugin = spec.subscription().plugin;
    this.body = message.content;
    this.redelivered = message.fields.redelivered;
    this.arrivedAt = clock.monotonic();
    this.#spec = spec;
    this.#message = message;
    this.#envelope = readEnvelope(message, events.exchange);
    acksOf(spec.channel).took(message);
  }

  get exchange(): string {
    return this.#envelope.exchange;
  }
  get routingKey(): string {
    return this.#envelope.routingKey;
  }
  get headers(): Readonly<Record<string, unknown>> {
    return this.#envelope.headers;
  }
  get contentType(): string | null {
    return this.#envelope.contentType;
  }
  get attempt(): number {
    return this.#envelope.attempt;
  }
  get firstSeenAt(): number | null {
    return this.#envelope.firstSeenAt;
  }

  ack(): void {
    if (this.#claim()) this.#finish('ack');
  }

  requeue(): void {
    if (this.#claim()) this.#finish('requeue');
  }

  async retry(reason: string): Promise<Moved> {
    if (!this.#claim()) return { kind: 'settled' };
    const subscription = this.#spec.subscription();
    const { attempt } = this.#envelope;
    if (attempt >= subscription.maxAttempts)
      return this.#park('EVENT_ATTEMPTS_EXHAUSTED', `attempt ${attempt}: ${reason}`);
    return this.#later('retry', pauseAfter(subscription, attempt), attempt + 1);
  }

  async defer(pauseMs: number): Promise<Moved> {
    if (!this.#claim()) return { kind: 'settled' };
    const pause = nearestPause(this.#spec.subscription(), pauseMs);
    return this.#later('defer', pause, this.#envelope.attempt);
  }

  async park(code: Code, reason: string): Promise<Moved> {
    if (!this.#claim()) return { kind: 'settled' };
    return this.#park(code, reason);
  }

  async #later(kind: 'retry' | 'defer', pauseMs: number, attempt: number): Promise<Moved> {
    const { mover } = this.#spec;
    const { clock, events } = mover.settings;
    if (this.body.byteLength > events.maxBodyBytes)
      return this.#park('EVENT_TOO_LARGE', `${this.body.byteLength} bytes`);
    const failure = await mover.move({
      plugin: this.plugin,
      kind,
      queue: this.#queues().retry(pauseMs),
      headers: travelHeaders(this.#envelope, attempt, clock.now()),
      contentType: this.contentType,
      body: this.#message.content,
    });
    if (failure !== null) return this.#failed(failure, pauseMs);
    this.#finish('ack');
    return { kind: 'later', pauseMs };
  }

  async #park(code: Code, reason: string): Promise<Moved> {
    const { mover } = this.#spec;
    const { clock, events } = mover.settings;
    const id = randomUUID();
    const { maxBodyBytes } = events;
    const parking = { id, code, reason, now: clock.now(), maxBodyBytes };
    const failure = await mover.move({
      plugin: this.plugin,
      kind: 'park',
      queue: this.#queues().parked,
      contentType: this.contentType,
      ...parkedCopy(this.#envelope, this.#message.content, parking),
    });
    if (failure !== null) return this.#failed(failure, MAX_HOLD_MS);
    this.#finish('ack');
    return { kind: 'parked', id, code };
  }

  /** Back at once it would be here again at once. Not waited for: the caller has nothing more to do with it. */
  #failed(reason: string, pauseMs: number): Moved {
    const { mover } = this.#spec;
    void mover.hold(Math.min(pauseMs, MAX_HOLD_MS)).then(() => this.#finish('requeue'));
    return { kind: 'failed', reason };
  }

  #queues() {
    return eventQueues(this.#spec.mover.settings.events.exchange, this.plugin);
  }

  /** True for the first verb. */
  #claim(): boolean {
    if (this.#settled) return false;
    this.#settled = true;
    return true;
  }

  #finish(how: 'ack' | 'requeue'): void {
    acksOf(this.#spec.channel).settle(this.#message, how);
  }
}
