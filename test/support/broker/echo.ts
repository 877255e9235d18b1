/**
 * A broker transport that answers every delivery with its own body, for live tests of the broker room.
 * May import: host/broker, host/kernel, host/message, vitest.
 */
import { vi } from 'vitest';

import { type Broker, openBroker } from '../../../host/broker/broker.ts';
import type { BrokerOptions } from '../../../host/broker/options.ts';
import { createLog } from '../../../host/kernel/log.ts';
import type { Delivery, ReplyOutcome } from '../../../host/message/delivery.ts';
import { REPLY_EXCHANGE } from './amqp-peer.ts';

export interface Echo extends AsyncDisposable {
  readonly broker: Broker;
  /** Every delivery, in order. */
  readonly deliveries: Delivery[];
  readonly outcomes: ReplyOutcome[];
  /** Lines of the log, parsed. */
  readonly log: Record<string, unknown>[];
  /** Waits until every service has a live consumer. */
  ready(): Promise<void>;
}

/** `answer` replaces the echo; deliveries it gets are not acknowledged by anybody else. */
export async function openEcho(
  options: BrokerOptions,
  answer?: (delivery: Delivery) => void,
): Promise<Echo> {
  const deliveries: Delivery[] = [];
  const outcomes: ReplyOutcome[] = [];
  const log: Record<string, unknown>[] = [];
  const write = (line: string) => void log.push(JSON.parse(line) as Record<string, unknown>);
  const broker = await openBroker({ log: createLog({ level: 'debug', write }), ...options });

  async function echo(delivery: Delivery): Promise<void> {
    const { replyTo, correlationId, body } = delivery;
    const reply = { exchange: REPLY_EXCHANGE, routingKey: replyTo ?? '', correlationId, body };
    const outcome = await broker.reply(reply, AbortSignal.timeout(20_000));
    outcomes.push(outcome);
    delivery.ack();
  }
  broker.consume((delivery) => {
    deliveries.push(delivery);
    if (answer) answer(delivery);
    else void echo(delivery);
  });
  return {
    broker,
    deliveries,
    outcomes,
    log,
    ready: () => broker.ready(AbortSignal.timeout(20_000)),
    [Symbol.asyncDispose]: () => broker[Symbol.asyncDispose](),
  };
}

/** Wait until a condition holds, asking often; fails with the last error. */
export function eventually(check: () => void | Promise<void>, timeoutMs = 20_000): Promise<void> {
  return vi.waitFor(check, { timeout: timeoutMs, interval: 20 });
}
