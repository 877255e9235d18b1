/**
 * Publishes events to the two exchanges, in order, and waits for the broker while it is away.
 * May import: amqp/connection, encode, happening; amqplib.
 */
import type { ChannelModel, ConfirmChannel } from 'amqplib';

import { keepConnected, type Life } from '../amqp/connection.ts';

import { JSON_TYPE, XML_TYPE, headersOf, jsonForm, routingKeyOf, xmlForm } from './encode.ts';
import type { Notice } from './happening.ts';

export interface OutboxOptions {
  readonly amqpUrl: string;
  /** `AmqpExchange` as it is now: where the XML form goes. */
  exchange(): string;
  /** `{AmqpPrefix}.notifications20`: where the JSON form goes. */
  readonly jsonExchange: string;
  /** Address of a cell, for the entity resolver. */
  base(): string;
}

export interface OutboxCounts {
  /** Events that the broker has confirmed in both forms. */
  published: number;
  /** Events that were forgotten because too many waited for the broker. */
  dropped: number;
}

export interface Outbox extends AsyncDisposable {
  readonly counts: Readonly<OutboxCounts>;
  /** Events that are not confirmed yet. */
  waiting(): number;
  add(notice: Notice): void;
}

interface State {
  readonly options: OutboxOptions;
  readonly queue: Notice[];
  readonly counts: OutboxCounts;
  /** Called when something comes into the queue. */
  wake: () => void;
}

const BATCH = 200;
const MAX_WAITING = 200_000;

/** Make the exchange; one that is there with other properties is used as it is. */
async function declare(connection: ChannelModel, name: string): Promise<void> {
  const channel = await connection.createChannel();
  channel.on('error', () => undefined);
  try {
    await channel.assertExchange(name, 'topic', { durable: true });
    await channel.close();
  } catch {
    // The broker has ended the channel, which served for nothing else.
  }
}

function publishBoth(channel: ConfirmChannel, { options }: State, notice: Notice): void {
  const key = routingKeyOf(notice);
  const properties = { persistent: true, headers: headersOf(notice), contentEncoding: 'UTF-8' };
  const xml = Buffer.from(xmlForm(notice, options.base()), 'utf8');
  channel.publish(options.exchange(), key, xml, { ...properties, contentType: XML_TYPE });
  const json = Buffer.from(jsonForm(notice), 'utf8');
  channel.publish(options.jsonExchange, key, json, { ...properties, contentType: JSON_TYPE });
}

/** Publish until the connection or the outbox ends; what is not confirmed by then comes again. */
async function drain(state: State, connection: ChannelModel, ended: AbortSignal): Promise<void> {
  const { queue, options, counts } = state;
  const channel = await connection.createConfirmChannel();
  const closed = new AbortController();
  channel.on('error', () => undefined);
  channel.on('close', () => closed.abort());
  const over = AbortSignal.any([ended, closed.signal]);
  let declared = '';
  while (!over.aborted) {
    if (declared !== options.exchange()) {
      declared = options.exchange();
      await declare(connection, declared);
    }
    const batch = queue.slice(0, BATCH);
    if (batch.length === 0) {
      await somethingToDo(state, over);
      continue;
    }
    for (const notice of batch) publishBoth(channel, state, notice);
    await channel.waitForConfirms();
    // Another life of the connection may have begun, which publishes them again.
    if (over.aborted) return;
    queue.splice(0, batch.length);
    counts.published += batch.length;
  }
}

/** Resolves when an event came, or when it is over. */
async function somethingToDo(state: State, over: AbortSignal): Promise<void> {
  // The last await before this may have seen the end.
  if (over.aborted) return;
  const { promise, resolve } = Promise.withResolvers<void>();
  const wake = () => resolve();
  state.wake = wake;
  over.addEventListener('abort', wake, { once: true });
  await promise;
  over.removeEventListener('abort', wake);
}

/** One life of the connection. */
async function live(state: State, ready: () => void, life: Life): Promise<void> {
  await declare(life.connection, state.options.exchange());
  await declare(life.connection, state.options.jsonExchange);
  ready();
  await drain(state, life.connection, life.ended);
}

/** Connect, and keep connecting; resolves when both exchanges are there. */
export async function openOutbox(options: OutboxOptions): Promise<Outbox> {
  const queue: Notice[] = [];
  const counts = { published: 0, dropped: 0 };
  const stop = new AbortController();
  const state: State = { options, queue, counts, wake: () => undefined };
  const first = Promise.withResolvers<void>();
  const ready = () => first.resolve();
  const loop = keepConnected(options.amqpUrl, stop.signal, (life) => live(state, ready, life));
  await first.promise;
  return {
    counts,
    waiting: () => queue.length,
    add(notice) {
      if (queue.length >= MAX_WAITING) {
        counts.dropped += 1;
        return;
      }
      queue.push(notice);
      state.wake();
    },
    async [Symbol.asyncDispose]() {
      stop.abort();
      await loop;
    },
  };
}
