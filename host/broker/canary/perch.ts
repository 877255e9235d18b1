/**
 * Where answers to our canaries come in: an exclusive queue of this process on vcx's own exchange.
 * May import: kernel, amqplib.
 */
import { randomUUID } from 'node:crypto';

import type { Channel, ChannelModel } from 'amqplib';

import type { Link } from '../connection/link.ts';
import { within } from '../consume/prober.ts';

export interface Perch {
  /** Routing key on the canary exchange that reaches us; the name of the queue as well. */
  readonly key: string;
  readonly model: ChannelModel;
  /** False when its channel or consumer ended. */
  alive: boolean;
  close(): Promise<void>;
}

export interface PerchSpec {
  readonly exchange: string;
  readonly link: Link;
  /** Longest wait for an answer of the broker, in milliseconds. */
  readonly timeoutMs: number;
  /** Called with the correlation id of every answer; must not throw. */
  readonly heard: (id: string) => void;
}

/** Declare, bind and consume. Rejects with the broker's refusal. The queue ends with the connection. */
export async function openPerch(model: ChannelModel, spec: PerchSpec): Promise<Perch> {
  const { link, timeoutMs } = spec;
  const raw = await within(link, model.createChannel(), timeoutMs);
  const perch: Perch = {
    // A new name each time: the broker may not have noticed yet that the last connection is gone.
    key: `${spec.exchange}.${randomUUID()}`,
    model,
    alive: true,
    close: () => raw.close().catch(() => undefined),
  };
  raw.on('error', () => undefined);
  raw.on('close', () => {
    perch.alive = false;
  });
  await within(link, settle(raw, perch, spec), timeoutMs);
  return perch;
}

async function settle(raw: Channel, perch: Perch, { exchange, heard }: PerchSpec): Promise<void> {
  const { key } = perch;
  await raw.assertExchange(exchange, 'direct', { durable: true });
  await raw.assertQueue(key, { exclusive: true, durable: false, autoDelete: true });
  await raw.bindQueue(key, exchange, key);
  await raw.consume(
    key,
    (message) => {
      if (message) heard(String(message.properties.correlationId));
      else perch.alive = false;
    },
    { noAck: true, exclusive: true },
  );
}
