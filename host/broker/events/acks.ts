/**
 * Settles the events of one channel. Acknowledgements of one turn of the event loop go out together, in as few frames
 * as may be: each costs host and broker about as much as the delivery of an event.
 * May import: kernel, message, amqplib.
 */
import type { ConsumeMessage } from 'amqplib';

import type { SettleChannel } from '../consume/amqp-delivery.ts';

export interface Acks {
  /** A delivery has come; once for each. Counted as unsettled until the broker is told otherwise. */
  took(message: ConsumeMessage): void;
  /** Once for each; on a channel that is gone it does nothing, the broker redelivers. */
  settle(message: ConsumeMessage, how: 'ack' | 'requeue'): void;
}

const channels = new WeakMap<SettleChannel, Acks>();

/** Of a channel: the same one at every call. */
export function acksOf(channel: SettleChannel): Acks {
  let acks = channels.get(channel);
  if (!acks) channels.set(channel, (acks = new ChannelAcks(channel)));
  return acks;
}

class ChannelAcks implements Acks {
  readonly #channel: SettleChannel;
  /** Delivery tags that are not settled, as they came. */
  readonly #open = new Map<number, ConsumeMessage>();
  /** To be acknowledged at the end of this turn. */
  readonly #acked = new Set<number>();

  constructor(channel: SettleChannel) {
    this.#channel = channel;
  }

  took(message: ConsumeMessage): void {
    this.#open.set(message.fields.deliveryTag, message);
    this.#channel.unsettled += 1;
  }

  settle(message: ConsumeMessage, how: 'ack' | 'requeue'): void {
    if (how === 'requeue') {
      this.#close(message.fields.deliveryTag);
      return this.#tell(() => this.#channel.raw.nack(message, false, true));
    }
    if (this.#acked.size === 0) setImmediate(() => this.#flush());
    this.#acked.add(message.fields.deliveryTag);
  }

  /** All up to the first that is still in hand with one frame, the others with one each. */
  #flush(): void {
    let last: ConsumeMessage | null = null;
    for (const [tag, message] of this.#open) {
      if (!this.#acked.delete(tag)) break;
      last = message;
      this.#close(tag);
    }
    const upTo = last;
    if (upTo) this.#tell(() => this.#channel.raw.ack(upTo, true));
    for (const tag of this.#acked) {
      const message = this.#open.get(tag);
      this.#close(tag);
      if (message) this.#tell(() => this.#channel.raw.ack(message));
    }
    this.#acked.clear();
  }

  #close(tag: number): void {
    this.#open.delete(tag);
    this.#channel.unsettled -= 1;
  }

  /** amqplib throws when a channel is closing; the broker redelivers what it was not told about. */
  #tell(say: () => void): void {
    if (!this.#channel.alive) return;
    try {
      say();
    } catch {
      // The channel's own 'close' event is what is acted on.
    }
  }
}
