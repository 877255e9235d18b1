/**
 * One channel with the consumers of all service queues on it, so that one prefetch window holds for all of them.
 * May import: kernel, amqplib.
 */
import type { Channel, ChannelModel, ConsumeMessage } from 'amqplib';

import type { SettleChannel } from './amqp-delivery.ts';
import { type Fault, faultOf } from '../faults.ts';

export interface ConsumerChannel extends SettleChannel {
  readonly model: ChannelModel;
  /** Monotonic ms of its opening. */
  readonly since: number;
  /** Consumer tag by queue. */
  readonly tags: Map<string, string>;
  /** Queue whose `basic.consume` is under way: a refusal closes the channel, and this tells whose it was. */
  asking: string | null;
  readonly raw: Channel;
  /** Window asked for; 0 before the first time. */
  window: number;
}

export interface ChannelEvents {
  readonly message: (channel: ConsumerChannel, message: ConsumeMessage) => void;
  /** The broker ended one consumer: its queue was deleted, or moved to another node. */
  readonly cancelled: (channel: ConsumerChannel, queue: string) => void;
  /** The channel is gone, with or without the connection. */
  readonly closed: (channel: ConsumerChannel, fault: Fault) => void;
}

export async function openConsumerChannel(
  model: ChannelModel,
  now: number,
  events: ChannelEvents,
): Promise<ConsumerChannel> {
  const raw = await model.createChannel();
  const channel: ConsumerChannel = {
    raw,
    model,
    since: now,
    alive: true,
    unsettled: 0,
    tags: new Map(),
    asking: null,
    window: 0,
  };
  let fault: Fault = { code: null, text: 'channel closed' };
  raw.on('error', (error) => {
    fault = faultOf(error);
  });
  raw.on('close', () => {
    channel.alive = false;
    channel.tags.clear();
    events.closed(channel, fault);
  });
  return channel;
}

/**
 * How the window is made known to the broker. `shared`: one for the whole channel. `split`: an equal
 * part for each consumer, for quorum queues, which refuse a shared one.
 */
export type WindowMode = 'shared' | 'split';

/** Set the window; consumers that must be made anew for it are cancelled. */
export async function setWindow(
  channel: ConsumerChannel,
  mode: WindowMode,
  window: { readonly total: number; readonly queues: number },
): Promise<void> {
  const size =
    mode === 'shared'
      ? window.total
      : Math.max(1, Math.floor(window.total / Math.max(1, window.queues)));
  if (channel.window === size) return;
  await channel.raw.prefetch(size, mode === 'shared');
  channel.window = size;
  // A consumer keeps the window it was made with.
  if (mode === 'split') for (const queue of channel.tags.keys()) await endConsumer(channel, queue);
}

export async function startConsumer(
  channel: ConsumerChannel,
  queue: string,
  events: ChannelEvents,
): Promise<void> {
  channel.asking = queue;
  let ended = false;
  const { consumerTag } = await channel.raw.consume(queue, (message) => {
    if (message) events.message(channel, message);
    else {
      ended = true;
      channel.tags.delete(queue);
      events.cancelled(channel, queue);
    }
  });
  channel.asking = null;
  if (channel.alive && !ended) channel.tags.set(queue, consumerTag);
}

export async function endConsumer(channel: ConsumerChannel, queue: string): Promise<void> {
  const tag = channel.tags.get(queue);
  if (tag === undefined) return;
  channel.tags.delete(queue);
  await channel.raw.cancel(tag);
}
