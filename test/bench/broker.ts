/**
 * Compares the broker room with a bare amqplib echo (confirm, then ack) in one run, and prints the ratios.
 * Run: node test/bench/broker.ts [rounds]. The calls come from a child process, so that only the echo is measured.
 * May import: host/broker, sdk/localcloud, amqplib.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';

import { type ConsumeMessage, connect } from 'amqplib';

import { openBroker } from '../../host/broker/broker.ts';
import { openRabbit } from '../../sdk/localcloud/rabbitmq.ts';

const REPLIES = 'bench.reply';
const REQUESTS = 'bench.requests';
const KEY = 'echo';
const PREFETCH = 50;
const WINDOW_MS = 2_500;

interface Order {
  readonly inFlight: number;
  readonly bytes: number;
  readonly ms: number;
}

interface Result {
  readonly calls: number;
  readonly ms: number;
  readonly p50: number;
  readonly p99: number;
}

/** The child: keeps a number of calls in flight for a while and reports how they went. */
async function cell(url: string): Promise<void> {
  const connection = await connect(url, { noDelay: true });
  const channel = await connection.createChannel();
  const { queue } = await channel.assertQueue('', { exclusive: true });
  await channel.bindQueue(queue, REPLIES, 'cell');
  let sent = new Map<string, number>();
  let times: number[] = [];
  let order: Order | null = null;
  let serial = 0;
  const send = (body: Buffer) => {
    const id = (serial += 1).toString(36);
    sent.set(id, performance.now());
    channel.publish(REQUESTS, KEY, body, { replyTo: 'cell', correlationId: id });
  };
  const answer = (message: ConsumeMessage | null) => {
    const at = sent.get(message?.properties.correlationId as string);
    if (at === undefined || !order || !message) return;
    sent.delete(message.properties.correlationId as string);
    times.push(performance.now() - at);
    send(message.content);
  };
  await channel.consume(queue, answer, { noAck: true });
  process.on('message', (next: Order) => {
    order = next;
    sent = new Map();
    times = [];
    const began = performance.now();
    for (let i = 0; i < next.inFlight; i += 1) send(Buffer.alloc(next.bytes, 'x'));
    setTimeout(() => {
      order = null;
      times.sort((a, b) => a - b);
      const at = (part: number) => times[Math.floor(times.length * part)] ?? Number.NaN;
      process.send?.({
        calls: times.length,
        ms: performance.now() - began,
        p50: at(0.5),
        p99: at(0.99),
      });
    }, next.ms);
  });
  process.send?.('ready');
}

/** The measure of all things: one connection, one channel to consume, one to confirm, no care for anything. */
async function openRaw(url: string): Promise<AsyncDisposable> {
  const connection = await connect(url, { noDelay: true });
  const incoming = await connection.createChannel();
  const outgoing = await connection.createConfirmChannel();
  await incoming.prefetch(PREFETCH);
  await incoming.consume(`vcx.${REQUESTS}.${KEY}`, (message) => {
    if (!message) return;
    const { correlationId, replyTo } = message.properties;
    const options = { correlationId: correlationId as string, mandatory: true };
    outgoing.publish(REPLIES, replyTo as string, message.content, options, (error: unknown) => {
      if (!error) incoming.ack(message);
    });
  });
  return { [Symbol.asyncDispose]: () => connection.close() };
}

async function openOurs(url: string): Promise<AsyncDisposable> {
  const broker = await openBroker({
    urls: [url],
    services: [{ exchange: REQUESTS, routingKey: KEY }],
    prefetch: PREFETCH,
  });
  broker.consume((delivery) => {
    const { replyTo, correlationId, body } = delivery;
    const reply = { exchange: REPLIES, routingKey: replyTo ?? '', correlationId, body };
    // A signal for each call, as the corridor has; AbortSignal.timeout would cost 4 us of its own.
    void broker.reply(reply, new AbortController().signal).then(() => delivery.ack());
  });
  await broker.ready(AbortSignal.timeout(10_000));
  return broker;
}

async function measure(
  child: ChildProcess,
  order: Order,
): Promise<{ rps: number; us: number; result: Result }> {
  child.send({ ...order, ms: 500 });
  await once(child, 'message');
  const before = process.cpuUsage();
  child.send(order);
  const [result] = (await once(child, 'message')) as [Result];
  const { user, system } = process.cpuUsage(before);
  return { rps: (result.calls / result.ms) * 1_000, us: (user + system) / result.calls, result };
}

async function main(rounds: number): Promise<void> {
  await using rabbit = await openRabbit({ onProgress: console.error });
  // Makes exchanges and queue, so that every variant finds the same.
  const setup = await connect(rabbit.url);
  const channel = await setup.createChannel();
  await channel.assertExchange(REPLIES, 'direct', { durable: true });
  await setup.close();
  await (await openOurs(rabbit.url))[Symbol.asyncDispose]();

  const child = fork(import.meta.filename, ['cell', rabbit.url]);
  await once(child, 'message');
  try {
    for (const order of [
      { inFlight: 1, bytes: 1_024, ms: WINDOW_MS },
      { inFlight: 100, bytes: 1_024, ms: WINDOW_MS },
      { inFlight: 100, bytes: 10_240, ms: WINDOW_MS },
    ])
      await compare(rabbit.url, child, { order, rounds });
  } finally {
    child.kill();
  }
}

async function compare(
  url: string,
  child: ChildProcess,
  { order, rounds }: { order: Order; rounds: number },
): Promise<void> {
  const kinds = { raw: openRaw, ours: openOurs };
  const found: Record<string, { rps: number; us: number }[]> = { raw: [], ours: [] };
  for (let round = 0; round < rounds; round += 1)
    for (const [kind, open] of Object.entries(kinds)) {
      await using _echo = await open(url);
      const { rps, us, result } = await measure(child, order);
      found[kind]?.push({ rps, us });
      console.log(
        `${order.inFlight} in flight, ${order.bytes} B, ${kind.padEnd(4)}: ${rps.toFixed(0)} rps, ` +
          `p50 ${result.p50.toFixed(2)} p99 ${result.p99.toFixed(2)} ms, ${us.toFixed(1)} us CPU a call`,
      );
    }
  const median = (kind: string, of: 'rps' | 'us') =>
    (found[kind] ?? []).map((run) => run[of]).sort((a, b) => a - b)[Math.floor(rounds / 2)] ??
    Number.NaN;
  console.log(
    `  => rate ${(median('ours', 'rps') / median('raw', 'rps')).toFixed(2)} of raw, ` +
      `CPU ${(median('ours', 'us') / median('raw', 'us')).toFixed(2)} of raw`,
  );
}

const [mode, url] = process.argv.slice(2);
if (mode === 'cell' && url) await cell(url);
else await main(Number(mode) || 3);
