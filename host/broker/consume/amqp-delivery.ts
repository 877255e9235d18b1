/**
 * A message taken from a queue, settled once and only on the channel it came on.
 * May import: kernel, message, amqplib.
 */
import type { Channel, ConsumeMessage } from 'amqplib';

import { messageOf } from '../../kernel/errors.ts';
import type { Log } from '../../kernel/log.ts';
import type { Delivery } from '../../message/delivery.ts';

/** The channel of a delivery, as long as it lives: tags mean nothing on another one. */
export interface SettleChannel {
  readonly raw: Channel;
  alive: boolean;
  /** Deliveries that are neither acknowledged nor put back. */
  unsettled: number;
}

/** A class, not a closure: this is made for every message. */
export class AmqpDelivery implements Delivery {
  readonly exchange: string;
  readonly routingKey: string;
  readonly body: Uint8Array;
  readonly correlationId: string | null;
  readonly replyTo: string | null;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly redelivered: boolean;
  readonly arrivedAt: number;
  readonly #channel: SettleChannel;
  readonly #message: ConsumeMessage;
  #settled = false;

  constructor(channel: SettleChannel, message: ConsumeMessage, arrivedAt: number) {
    const { fields, properties, content } = message;
    this.exchange = fields.exchange;
    this.routingKey = fields.routingKey;
    this.body = content;
    this.correlationId = (properties.correlationId as string | undefined) ?? null;
    this.replyTo = (properties.replyTo as string | undefined) ?? null;
    this.headers = properties.headers ?? {};
    this.redelivered = fields.redelivered;
    this.arrivedAt = arrivedAt;
    this.#channel = channel;
    this.#message = message;
    channel.unsettled += 1;
  }

  ack(): void {
    if (this.#settle()) attempt(() => this.#channel.raw.ack(this.#message));
  }

  requeue(): void {
    if (this.#settle()) attempt(() => this.#channel.raw.nack(this.#message, false, true));
  }

  /** True for the first settlement on a channel that lives. */
  #settle(): boolean {
    if (this.#settled) return false;
    this.#settled = true;
    this.#channel.unsettled -= 1;
    return this.#channel.alive;
  }
}

/** amqplib throws when a channel is closing; the broker redelivers what it was not told about. */
function attempt(settle: () => void): void {
  try {
    settle();
  } catch {
    // The channel's own 'close' event is what is acted on.
  }
}

/**
 * Give a delivery to its receiver, which must not throw: thrown into amqplib it would close the channel.
 * If it does, the message is put back once; a second failure would go round for ever, so it is dropped.
 */
export function handOver(
  receiver: (delivery: Delivery) => void,
  delivery: AmqpDelivery,
  log: Log,
): void {
  try {
    receiver(delivery);
  } catch (error) {
    const { exchange, routingKey, redelivered } = delivery;
    log.error('broker.receiver_threw', {
      exchange,
      routingKey,
      dropped: redelivered,
      reason: messageOf(error),
    });
    if (redelivered) delivery.ack();
    else delivery.requeue();
  }
}
