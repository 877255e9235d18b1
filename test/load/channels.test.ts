import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, beforeAll, expect, test } from 'vitest';

import { type RabbitNode, openRabbit } from '../../sdk/localcloud/rabbitmq.ts';
import { ackFrame, publishFrames } from '../support/broker/amqp-frames.ts';
import { type Peer, openPeer } from '../support/broker/amqp-peer.ts';
import { type ChaosClient, openChaosClient } from '../support/chaos/client.ts';
import { createFigures, ms } from '../support/chaos/figures.ts';
import { type ChaosHost, openChaosHost } from '../support/chaos/host.ts';
import { type TcpProxy, openTcpProxy } from '../support/broker/tcp-proxy.ts';
import { waitFor } from '../support/wait.ts';

const QUEUE = 'vcx.sdkext.counter';
const BUSY = 100;
const CONSUMER_TIMEOUT_MS = 3_000;

const stack = new AsyncDisposableStack();
const figures = createFigures();
const took: number[] = [];
let rabbit: RabbitNode;
let proxy: TcpProxy;
let client: ChaosClient;
let peer: Peer;
let host: ChaosHost;

beforeAll(async () => {
  const stateDir = mkdtempSync(join(tmpdir(), 'vcx-chaos-'));
  stack.defer(() => rmSync(stateDir, { recursive: true, force: true }));
  rabbit = stack.use(await openRabbit());
  // So that a message which is not acknowledged is punished within the time of a test.
  await rabbit.ctl(
    'eval',
    `application:set_env(rabbit, consumer_timeout, ${CONSUMER_TIMEOUT_MS}), application:set_env(rabbit, channel_tick_interval, 200).`,
  );
  proxy = stack.use(await openTcpProxy(rabbit.port));
  client = stack.use(await openChaosClient(rabbit.url));
  peer = stack.use(await openPeer(rabbit.url));
  const url = `amqp://127.0.0.1:${proxy.port}`;
  const preload = new URL('../support/chaos/throw.ts', import.meta.url);
  host = stack.use(await openChaosHost({ url, stateDir, preload }));
  await host.ready();
});
afterAll(async () => {
  figures.print();
  await stack.disposeAsync();
});

/** Hurt the host under load, and expect its consumer back, every call answered once, and none run twice. */
async function survives(hurt: () => unknown): Promise<void> {
  const org = crypto.randomUUID();
  const { accepted } = proxy;
  const stop = client.load(BUSY, () => ({ org }));
  await waitFor(() => client.calls.size > BUSY / 2);
  const from = host.lines.length;
  const began = performance.now();
  await hurt();
  await host.says(new RegExp(`"queue":"${QUEUE}".*"broker\\.consuming"`), from);
  took.push(performance.now() - began);
  await client.ask({ org });
  stop();
  const { lost, differing, cutOff } = await client.settle();
  expect({ lost, differing, cutOff }).toEqual({ lost: [], differing: [], cutOff: 0 });
  const counted = JSON.parse((await client.ask({ org, method: 'GET' })).body) as {
    twice: string[];
  };
  expect(counted.twice).toEqual([]);
  expect((await peer.channel.checkQueue(QUEUE)).consumerCount).toBe(1);
  expect(proxy.accepted).toBe(accepted);
  await host.ready();
}

/** Say something on the very channel that the host consumes on. */
async function inject(frames: (channel: number) => Buffer): Promise<void> {
  const consumers = await rabbit.ctl('-s', 'list_consumers', 'queue_name', 'channel_pid');
  const pid = consumers
    .split('\n')
    .find((line) => line.startsWith(QUEUE))
    ?.split('\t')[1];
  const channels = await rabbit.ctl('-s', 'list_channels', 'pid', 'number');
  const number = channels
    .split('\n')
    .find((line) => line.startsWith(`${pid}\t`))
    ?.split('\t')[1];
  proxy.inject('vcx/consume', frames(Number(number)));
}

test('an acknowledgement of an unknown tag (406) costs the channel, not a call', () =>
  survives(() => inject((channel) => ackFrame(channel, 999_999n))));

test('a publish to a missing exchange (404) costs the channel, not a call', () =>
  survives(() =>
    inject((channel) => publishFrames({ channel, exchange: 'no.such', routingKey: 'x' })),
  ));

test('a callback that throws into the library costs the channel, not a call', () =>
  survives(() => host.signal('SIGUSR2')));

test('a call that takes longer than the consumer timeout costs the channel, and is answered by its first run', async () => {
  await survives(() => client.send({ query: 'waitMs=5000' }));
  // The time until the broker punishes is not the time until we are back.
  took.push((took.pop() ?? 0) - CONSUMER_TIMEOUT_MS);
});

test('a queue that is deleted under load is made again and consumed; only what stood in it is gone', async () => {
  const before = await peer.channel.checkQueue(QUEUE);
  expect(before.consumerCount).toBe(1);
  const from = host.lines.length;
  const began = performance.now();
  await peer.channel.deleteQueue(QUEUE);
  await host.says(new RegExp(`"queue":"${QUEUE}".*"broker\\.consuming"`), from);
  took.push(performance.now() - began);
  await host.ready();
  expect((await client.ask()).status).toBe(200);
});

test('all deaths of a channel were counted', async () => {
  figures.add('channel-only deaths', 'consumer back <= 2 s', took.map(ms).join(', '));
  await waitFor(async () => (await host.metric('vcx_broker_channel_deaths_total')) >= 5);
});

test('a path that goes half-open is left for a new connection, and calls are answered again', async () => {
  await client.settle();
  proxy.freeze();
  const began = performance.now();
  const stop = client.load(20);
  await waitFor(
    () => [...client.calls.values()].some(({ replies }) => replies.length > 0),
    undefined,
    40_000,
  );
  figures.add('half-open path', 'answering again', ms(performance.now() - began));
  stop();
  await host.ready();
  expect((await client.ask()).status).toBe(200);
  const { differing } = await client.settle();
  expect(differing).toEqual([]);
});
