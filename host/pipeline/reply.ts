/**
 * Stages reply and settle: publish, wait for the broker's confirm, then take the request off the queue.
 * May import: kernel, message.
 */
import type { DeadlineSignals } from '../kernel/deadline-signals.ts';
import type { Log } from '../kernel/log.ts';
import type { Metrics } from '../kernel/metrics.ts';
import { backoffMs, pause } from '../kernel/time.ts';
import type { ReplyAddress } from '../message/call.ts';
import type { Delivery, Transport } from '../message/delivery.ts';
import { encodeReply, type ReplyEnvelope, type ReplyMessage } from '../message/encode.ts';
import { redactedCopy } from '../message/redact.ts';
import type { Code } from '../kernel/errors.ts';

export interface ReplyRooms {
  readonly transport: Transport;
  readonly envelope: ReplyEnvelope;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly signals: DeadlineSignals;
  /** Longest time that parking may take in ms. */
  readonly parkMs: number;
}

/** Publish until confirmed or the deadline is over; what can't be delivered is parked. Then ack. */
export async function sendReply(
  rooms: ReplyRooms,
  delivery: Delivery,
  { address, reply, deadline }: { address: ReplyAddress; reply: ReplyMessage; deadline: number },
): Promise<boolean> {
  const body = encodeReply(reply, rooms.envelope);
  const out = { ...address, body };
  // A refusal made at the very deadline still deserves one honest try.
  const limit = rooms.signals.at(Math.max(performance.now() + 250, deadline));
  const { signal } = limit;
  let why = '';
  for (let attempt = 0; !signal.aborted; attempt += 1) {
    const outcome = await rooms.transport.reply(out, signal);
    if (outcome.kind === 'confirmed') {
      limit.release();
      delivery.ack();
      return true;
    }
    why = outcome.kind === 'unroutable' ? 'no queue is bound for the reply' : outcome.reason;
    rooms.metrics.count('vcx_reply_retries_total', { kind: outcome.kind });
    await pause(backoffMs(attempt, { firstMs: 50, maxMs: 1_000 }), signal);
  }
  await parkDelivery(rooms, delivery, 'REPLY_UNROUTABLE', why);
  return false;
}

/** Publish a redacted copy to vcx's dead-letter exchange, count it, and ack the message. */
export async function parkDelivery(
  rooms: ReplyRooms,
  delivery: Delivery,
  code: Code,
  why: string,
): Promise<void> {
  rooms.metrics.count('vcx_parked_total', { code });
  rooms.log.warn('message.parked', {
    code,
    why,
    exchange: delivery.exchange,
    routingKey: delivery.routingKey,
    correlationId: delivery.correlationId?.slice(0, 100) ?? null,
    bytes: delivery.body.byteLength,
  });
  const message = { reason: code, body: redactedCopy(delivery, code, why) };
  const parked = await rooms.transport.park(message, AbortSignal.timeout(rooms.parkMs));
  if (!parked) rooms.metrics.count('vcx_park_failures_total');
  // Raw messages hold live tokens: even when parking failed they do not stay in the queue.
  delivery.ack();
}
