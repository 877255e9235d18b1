/**
 * The load generator's process: keeps a number of calls in flight for a while and tells how they went.
 * Arguments: broker URL. Orders come over IPC.
 * May import: test/bench/messages, test/bench/figures, amqplib.
 */
import { type ConsumeMessage, connect } from 'amqplib';

import { percentile } from './figures.ts';
import type { LoadOrder, LoadResult } from './load.ts';
import { createMessage, idOf, orgUrn, statusOf } from './messages.ts';

const REQUESTS = 'sdkext';
const REPLIES = 'vcd.replyExchange';
const WARM_MS = 300;
const DRAIN_MS = 8_000;

const connection = await connect(process.argv[2] ?? '', { noDelay: true });
const channel = await connection.createChannel();
const { queue } = await channel.assertQueue('', { exclusive: true });
await channel.bindQueue(queue, REPLIES, queue);
const ids = { next: process.pid * 1_000_000 };
let onReply: (id: string, content: Buffer) => void = () => undefined;

await channel.consume(
  queue,
  (message: ConsumeMessage | null) => {
    if (message) onReply(message.properties.correlationId as string, message.content);
  },
  { noAck: true },
);

/** Warm up, measure, let the rest come in. */
async function run(order: LoadOrder): Promise<LoadResult> {
  const makers = Array.from({ length: order.orgs }, (_, number) => number).flatMap((number) =>
    order.uris.map((uri) =>
      createMessage({
        method: order.method,
        uri,
        org: orgUrn(order.firstOrg + number),
        bytes: order.bytes,
      }),
    ),
  );
  const sent = new Map<string, number>();
  const times: number[] = [];
  const statuses: Record<string, number> = {};
  const drained = Promise.withResolvers<void>();
  let phase: 'warm' | 'measured' | 'over' = 'warm';
  let turn = 0;

  function send(): void {
    const id = idOf((ids.next += 1));
    const body = makers[(turn += 1) % makers.length]?.(id) ?? Buffer.alloc(0);
    sent.set(id, performance.now());
    channel.publish(REQUESTS, order.key, body, {
      correlationId: id,
      replyTo: queue,
      headers: {
        messageType: 'ProcessHttpRequest',
        replyToExchange: REPLIES,
        replyByTimestamp: Date.now() + 10_000,
      },
    });
  }

  onReply = (id, content) => {
    const at = sent.get(id);
    if (at === undefined) return;
    sent.delete(id);
    if (phase === 'measured') times.push(performance.now() - at);
    const status = statusOf(content);
    statuses[status] = (statuses[status] ?? 0) + 1;
    if (phase !== 'over') send();
    else if (sent.size === 0) drained.resolve();
  };
  for (let i = 0; i < order.inFlight; i += 1) send();
  await pause(WARM_MS);
  phase = 'measured';
  process.send?.('begin');
  const began = performance.now();
  await pause(order.ms);
  phase = 'over';
  process.send?.('end');
  const ms = performance.now() - began;
  await Promise.race([drained.promise, pause(DRAIN_MS)]);
  const at = (part: number) => percentile(times, part);
  return { calls: times.length, ms, p50: at(0.5), p99: at(0.99), statuses, lost: sent.size };
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms);
  });
}

process.on('message', (order: LoadOrder) => {
  void run(order).then((result) => process.send?.(result));
});
process.on('disconnect', () => process.exit());
process.send?.('ready');
