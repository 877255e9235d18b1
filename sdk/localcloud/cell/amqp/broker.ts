/**
 * A cell's side of AMQP: its reply queue, requests out, replies in, and coming back after the broker was away.
 * May import: connection, fault, message; amqplib.
 */
import { randomUUID } from 'node:crypto';

import type { Channel, ChannelModel, ConsumeMessage } from 'amqplib';

import { VcloudFault } from '../documents/fault.ts';
import { keepConnected, type Life, untilAborted } from './connection.ts';
import { type CellForward, type CellReply, type CellRequest, decodeReply } from './message.ts';
import { type Publisher, createPublisher } from './publisher.ts';

export interface BrokerOptions {
  readonly amqpUrl: string;
  /** AmqpPrefix: first part of the names of reply exchange and queue. */
  readonly prefix: string;
  /** Uuid of the cell: last part of its queue's name. */
  readonly uuid: string;
  /** How long a request waits for its reply, in milliseconds. */
  readonly timeoutMs: number;
}

export interface Target {
  readonly service: string;
  readonly exchange: string;
  readonly routingKey: string;
}

/** Numbers since the start, for tests and the curious. */
export interface Counts {
  published: number;
  answered: number;
  timedOut: number;
  /** Replies that nobody waits for: late, repeated, or with a foreign correlation id. */
  unknownReplies: number;
  /** Replies whose body is not one, or repeats another id. */
  badReplies: number;
}

export interface CellBroker extends AsyncDisposable {
  readonly counts: Readonly<Counts>;
  readonly replyQueue: string;
  connected(): boolean;
  /** Publish and wait: 503 without a broker, 500 without the exchange, 504 without a reply in time. */
  send(target: Target, request: CellRequest): Promise<CellReply | CellForward>;
}

interface Waiting {
  readonly request: CellRequest;
  readonly resolve: (reply: CellReply | CellForward) => void;
}

interface State {
  readonly options: BrokerOptions;
  readonly counts: Counts;
  readonly waiting: Map<string, Waiting>;
  link: { readonly connection: ChannelModel; readonly publisher: Publisher } | undefined;
}

const exchangeName = ({ prefix }: BrokerOptions) => `${prefix}.replyExchange`;
const queueName = ({ prefix, uuid }: BrokerOptions) => `${prefix}.replyQueue.${uuid}`;

function take({ waiting, counts }: State, message: ConsumeMessage | null): void {
  if (!message) return;
  const correlation = String(message.properties.correlationId);
  const waiter = waiting.get(correlation);
  if (!waiter) {
    counts.unknownReplies += 1;
    return;
  }
  const reply = decodeReply(message.content, waiter.request);
  if (!reply) {
    counts.badReplies += 1;
    return;
  }
  waiter.resolve(reply);
}

/** The queue goes when its cell goes; the exchange is shared by all cells and stays. */
async function declare(channel: Channel, state: State): Promise<void> {
  const queue = queueName(state.options);
  await channel.assertExchange(exchangeName(state.options), 'direct', { durable: true });
  await channel.assertQueue(queue, { durable: false, autoDelete: true });
  await channel.bindQueue(queue, exchangeName(state.options), queue);
  await channel.consume(queue, (message) => take(state, message), { noAck: true });
}

/** One life of the connection. */
async function live(state: State, ready: () => void, life: Life): Promise<void> {
  const { connection, ended, end } = life;
  try {
    const channel = await connection.createChannel();
    channel.on('error', () => undefined);
    // A dead channel would leave the cell deaf: begin again with a new connection.
    channel.on('close', end);
    await declare(channel, state);
    if (ended.aborted) return;
    state.link = { connection, publisher: createPublisher(connection) };
    ready();
    await untilAborted(ended);
  } finally {
    // Another life may have its own by now.
    if (state.link?.connection === connection) state.link = undefined;
  }
}

function timeoutFault(service: string, timeoutMs: number): VcloudFault {
  const seconds = Math.round(timeoutMs / 1_000);
  const span = timeoutMs % 1_000 === 0 ? `${seconds} SECONDS` : `${timeoutMs} MILLISECONDS`;
  return new VcloudFault(
    504,
    `External service '${service}' failed to respond in the specified timeout (${span})`,
  );
}

async function send(
  state: State,
  target: Target,
  request: CellRequest,
): Promise<CellReply | CellForward> {
  const { options, counts, waiting } = state;
  if (!state.link) throw new VcloudFault(503, 'The AMQP broker cannot be reached');
  const correlationId = randomUUID();
  const { promise, resolve, reject } = Promise.withResolvers<CellReply | CellForward>();
  const timer = setTimeout(() => {
    counts.timedOut += 1;
    reject(timeoutFault(target.service, options.timeoutMs));
  }, options.timeoutMs);
  waiting.set(correlationId, { request, resolve });
  const properties = {
    contentType: 'application/octet-stream',
    deliveryMode: 1,
    priority: 0,
    correlationId,
    replyTo: queueName(options),
    headers: {
      messageType: request.type,
      replyToExchange: exchangeName(options),
      replyByTimestamp: { '!': 'int64', value: Date.now() + options.timeoutMs },
    },
  };
  counts.published += 1;
  state.link.publisher.publish(target, request.body, properties).catch(reject);
  try {
    const reply = await promise;
    counts.answered += 1;
    return reply;
  } finally {
    clearTimeout(timer);
    waiting.delete(correlationId);
  }
}

/** Connect, and keep connecting whenever the broker goes; resolves when the reply queue is bound. */
export async function openBroker(options: BrokerOptions): Promise<CellBroker> {
  const counts = { published: 0, answered: 0, timedOut: 0, unknownReplies: 0, badReplies: 0 };
  const stop = new AbortController();
  const state: State = { options, counts, waiting: new Map(), link: undefined };
  const first = Promise.withResolvers<undefined>();
  const ready = () => first.resolve(undefined);
  const loop = keepConnected(options.amqpUrl, stop.signal, (life) => live(state, ready, life));
  await first.promise;
  return {
    counts,
    replyQueue: queueName(options),
    connected: () => state.link !== undefined,
    send: (target, request) => send(state, target, request),
    async [Symbol.asyncDispose]() {
      stop.abort();
      await loop;
    },
  };
}
