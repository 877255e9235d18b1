/**
 * The other side of the broker in tests: publishes requests, and gathers the replies that reach its own queue.
 * May import: amqplib.
 */
import { type Channel, type ChannelModel, type Options, connect } from 'amqplib';

export interface Peer extends AsyncDisposable {
  readonly connection: ChannelModel;
  readonly channel: Channel;
  /** Bodies received by correlation id, in order; '' is the key of those without one. */
  readonly got: Map<string, string[]>;
  send(exchange: string, routingKey: string, body: string, options?: Options.Publish): void;
  /** What is waiting in a queue, taken off it. */
  take(queue: string): Promise<{ body: string; headers: Record<string, unknown> } | null>;
}

export const REPLY_EXCHANGE = 'vcd.reply';
export const REPLY_KEY = 'cell-1';

/** Connect, make the reply exchange when it is missing, and listen on a queue of its own there. */
export async function openPeer(url: string): Promise<Peer> {
  const connection = await connect(url, { noDelay: true });
  connection.on('error', () => undefined);
  const channel = await connection.createChannel();
  channel.on('error', () => undefined);
  await channel.assertExchange(REPLY_EXCHANGE, 'direct', { durable: true });
  const { queue } = await channel.assertQueue('', { exclusive: true });
  await channel.bindQueue(queue, REPLY_EXCHANGE, REPLY_KEY);
  const got = new Map<string, string[]>();
  await channel.consume(
    queue,
    (message) => {
      const id = (message?.properties.correlationId as string | undefined) ?? '';
      got.set(id, [...(got.get(id) ?? []), message?.content.toString() ?? '']);
    },
    { noAck: true },
  );
  return {
    connection,
    channel,
    got,
    send: (exchange, routingKey, body, options = {}) => {
      channel.publish(exchange, routingKey, Buffer.from(body), { replyTo: REPLY_KEY, ...options });
    },
    async take(queue) {
      const message = await channel.get(queue, { noAck: true });
      if (!message) return null;
      return { body: message.content.toString(), headers: { ...message.properties.headers } };
    },
    async [Symbol.asyncDispose]() {
      // The broker may be gone: a test ends that too.
      await connection.close().catch(() => undefined);
    },
  };
}
