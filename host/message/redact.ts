/**
 * The redacted copy of a message that is parked: enough to find the cause, nothing that can be used.
 * May import: kernel.
 */
import { createHash } from 'node:crypto';

import type { Code } from '../kernel/errors.ts';
import type { Delivery } from './delivery.ts';

/** JSON with the reason, the address, and the body as digest and size. */
export function redactedCopy(delivery: Delivery, code: Code, why: string): Buffer {
  return Buffer.from(
    JSON.stringify({
      code,
      why,
      parkedAt: new Date().toISOString(),
      exchange: delivery.exchange,
      routingKey: delivery.routingKey,
      correlationId: short(delivery.correlationId),
      replyTo: short(delivery.replyTo),
      headers: Object.fromEntries(
        ['messageType', 'replyToExchange', 'replyByTimestamp'].map((name) => [
          name,
          short(delivery.headers[name]),
        ]),
      ),
      redelivered: delivery.redelivered,
      bodyBytes: delivery.body.byteLength,
      bodySha256: createHash('sha256').update(delivery.body).digest('hex'),
    }),
  );
}

/** Values of the address are metadata, yet may hold anything: bounded, and text or number only. */
function short(value: unknown): string | number | null {
  if (typeof value === 'number') return value;
  return typeof value === 'string' ? value.slice(0, 300) : null;
}
