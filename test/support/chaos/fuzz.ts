/**
 * Sends messages from a seed to a host and accounts for every one: answered, parked or dropped as late.
 * May import: test/support, amqplib.
 */
import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';

import { connect } from 'amqplib';

import type { ChaosHost } from './host.ts';
import { createShapes } from './shapes.ts';
import { waitFor } from '../wait.ts';

export interface FuzzOptions {
  readonly url: string;
  readonly host: ChaosHost;
  readonly seed: number;
  readonly count: number;
  /** Told after each batch. */
  readonly onBatch?: (sent: number) => Promise<void> | void;
}

export interface FuzzResult {
  readonly sent: number;
  readonly answered: number;
  readonly parked: number;
  readonly late: number;
  /** Replies by status. */
  readonly statuses: Readonly<Record<string, number>>;
  /** Messages that the client's own library refused to encode. */
  readonly unsendable: number;
}

const BATCH = 500;
const BATCH_MS = 30_000;

/** Throws with the number of the batch when a message is not accounted for. */
export async function runFuzz(options: FuzzOptions): Promise<FuzzResult> {
  const { host, url, count, seed, onBatch } = options;
  const connection = await connect(url, { noDelay: true });
  const channel = await connection.createConfirmChannel();
  const replyTo = `vcd.replyQueue.${randomUUID()}`;
  await channel.assertQueue(replyTo, { exclusive: true });
  await channel.bindQueue(replyTo, 'vcd.replyExchange', replyTo);
  const statuses: Record<string, number> = {};
  let [sent, answered, unsendable] = [0, 0, 0];
  await channel.consume(
    replyTo,
    (message) => {
      const status = /"statusCode":(\d+)/.exec(message?.content.toString() ?? '')?.[1] ?? 'none';
      statuses[status] = (statuses[status] ?? 0) + 1;
      answered += 1;
    },
    { noAck: true },
  );
  const before = await counters(host);
  const shapes = createShapes({ seed, replyTo });
  const rest = async () => {
    const now = await counters(host);
    return { parked: now.parked - before.parked, late: now.late - before.late };
  };
  while (sent < count) {
    const goal = Math.min(count, sent + BATCH);
    while (sent < goal) {
      const { routingKey, body, properties } = shapes();
      try {
        channel.publish('sdkext', routingKey, body, properties);
        sent += 1;
      } catch {
        unsendable += 1;
      }
    }
    await channel.waitForConfirms();
    let seen = await rest();
    await waitFor(
      async () => answered + (seen = await rest()).parked + seen.late >= sent,
      () => `seed ${seed}, batch to ${sent}: ${JSON.stringify({ answered, ...seen })}`,
      BATCH_MS,
    );
    await onBatch?.(sent);
  }
  // Whatever is answered twice shows within a moment.
  await delay(300);
  const { parked, late } = await rest();
  await connection.close();
  return { sent, answered, parked, late, statuses, unsendable };
}

async function counters(host: ChaosHost): Promise<{ parked: number; late: number }> {
  return {
    parked: await host.metric('vcx_parked_total'),
    late: await host.metric('vcx_late_total'),
  };
}
