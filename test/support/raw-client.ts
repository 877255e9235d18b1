/** Another AMQP client in a cell's place: publishes raw bytes and collects what comes to its reply queue. */
import { randomUUID } from 'node:crypto';

import { connect, type Options } from 'amqplib';

export interface RawReply {
  readonly exchange: string;
  readonly routingKey: string;
  readonly correlationId: string;
  readonly id: string;
  readonly statusCode: number;
  readonly headers: Record<string, string>;
  /** Decoded from base64. */
  readonly body: string;
}

export interface RawClient extends AsyncDisposable {
  readonly replyTo: string;
  /** Every reply in order of arrival. */
  readonly replies: RawReply[];
  /** Properties of a request that is answered to this client. */
  properties(changes?: Options.Publish): Options.Publish;
  publish(routingKey: string, body: Buffer, properties?: Options.Publish): Promise<void>;
  /** Publish and wait for the reply with the same correlation id. */
  call(routingKey: string, body: Buffer, properties?: Options.Publish): Promise<RawReply>;
}

const EXCHANGE = 'sdkext';
const REPLY_EXCHANGE = 'vcd.replyExchange';

export async function openRawClient(url: string): Promise<RawClient> {
  const connection = await connect(url, { noDelay: true });
  const channel = await connection.createConfirmChannel();
  const replyTo = `vcd.replyQueue.${randomUUID()}`;
  await channel.assertQueue(replyTo, { exclusive: true });
  await channel.bindQueue(replyTo, REPLY_EXCHANGE, replyTo);
  const replies: RawReply[] = [];
  const waiting = new Map<string, (reply: RawReply) => void>();
  await channel.consume(
    replyTo,
    (message) => {
      if (!message) return;
      const { fields, properties, content } = message;
      const parsed = JSON.parse(content.toString()) as unknown;
      const http = (Array.isArray(parsed) ? parsed[0] : parsed) as RawReply;
      const reply = {
        ...http,
        exchange: fields.exchange,
        routingKey: fields.routingKey,
        correlationId: String(properties.correlationId),
        body: Buffer.from(http.body, 'base64').toString(),
      };
      replies.push(reply);
      waiting.get(reply.correlationId)?.(reply);
    },
    { noAck: true },
  );
  const properties = (changes: Options.Publish = {}): Options.Publish => ({
    contentType: 'application/octet-stream',
    deliveryMode: 1,
    priority: 0,
    correlationId: randomUUID(),
    replyTo,
    ...changes,
    headers: {
      messageType: 'ProcessHttpRequest',
      replyToExchange: REPLY_EXCHANGE,
      replyByTimestamp: Date.now() + 10_000,
      ...(changes.headers as object | undefined),
    },
  });
  const publish = (routingKey: string, body: Buffer, given = properties()) =>
    new Promise<void>((resolve, reject) => {
      channel.publish(EXCHANGE, routingKey, body, given, (error: unknown) =>
        error ? reject(error) : resolve(),
      );
    });
  return {
    replyTo,
    replies,
    properties,
    publish,
    async call(routingKey, body, given = properties()) {
      const arrived = new Promise<RawReply>((resolve) => {
        waiting.set(String(given.correlationId), resolve);
      });
      await publish(routingKey, body, given);
      return arrived;
    },
    [Symbol.asyncDispose]: () => connection.close(),
  };
}
