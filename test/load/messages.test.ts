import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import type { Options } from 'amqplib';
import { afterAll, beforeAll, expect, test } from 'vitest';

import { percentile } from '../bench/figures.ts';
import { nestedTable, publishFrames } from '../support/broker/amqp-frames.ts';
import { type Peer, openPeer } from '../support/broker/amqp-peer.ts';
import { type ChaosCall, type ChaosClient, openChaosClient } from '../support/chaos/client.ts';
import { createFigures, ms } from '../support/chaos/figures.ts';
import { type ChaosHost, openChaosHost } from '../support/chaos/host.ts';
import { ALICE, type RequestParts, requestBody } from '../support/pipeline/messages.ts';
import { openVhost, type Vhost } from '../support/rabbit/vhost.ts';
import { type RawClient, openRawClient } from '../support/raw-client.ts';
import { type TcpProxy, openTcpProxy } from '../support/broker/tcp-proxy.ts';
import { waitFor } from '../support/wait.ts';

const EXCHANGE = 'vcd.replyExchange';
/** What a plug-in may do at once for one org here: calls in work, and a queue behind them. */
const SLOTS = 8;

const stack = new AsyncDisposableStack();
const figures = createFigures();
let rabbit: Vhost;
let proxy: TcpProxy;
let client: ChaosClient;
let raw: RawClient;
let peer: Peer;
let host: ChaosHost;

beforeAll(async () => {
  const stateDir = mkdtempSync(join(tmpdir(), 'vcx-chaos-'));
  stack.defer(() => rmSync(stateDir, { recursive: true, force: true }));
  rabbit = stack.use(await openVhost());
  proxy = stack.use(await openTcpProxy(rabbit.port));
  client = stack.use(await openChaosClient(rabbit.url));
  raw = stack.use(await openRawClient(rabbit.url));
  peer = stack.use(await openPeer(rabbit.url));
  host = stack.use(
    await openChaosHost({
      url: rabbit.by(proxy.port),
      stateDir,
      settings: {
        VCX_ADMISSION_SLOTS: String(SLOTS),
        VCX_ADMISSION_SLOTS_PER_ORG: '4',
        VCX_ADMISSION_WAITING_PER_ORG: '24',
        VCX_ADMISSION_WAITING: '2000',
      },
    }),
  );
  await host.ready();
});
afterAll(async () => {
  figures.print();
  await stack.disposeAsync();
});

const counter = (parts: RequestParts = {}): Buffer =>
  requestBody({ ...parts, http: { method: 'POST', requestUri: '/api/counter', ...parts.http } });
const probe = (parts: RequestParts = {}): Buffer =>
  requestBody({ ...parts, http: { requestUri: '/api/probe/state', ...parts.http } });
function without(name: 'replyTo' | 'correlationId'): Options.Publish {
  const { [name]: _, ...rest } = raw.properties();
  return rest;
}
const isAnswered = async () => expect((await client.ask()).status).toBe(200);
const parked = (code = '') => host.metric('vcx_parked_total', code);

test('a duplicate id with the same content gets the reply of the one run; with other content it is refused and counted', async () => {
  const id = randomUUID();
  const same = counter({ http: { id, queryString: 'waitMs=200' } });
  // Two at once, and one after both were answered.
  const [first, second] = await Promise.all([raw.call('counter', same), raw.call('counter', same)]);
  const third = await raw.call('counter', same);
  for (const reply of [first, second, third])
    expect(reply).toMatchObject({ statusCode: 200, body: JSON.stringify({ id, runs: 1 }) });
  const others = [
    counter({ http: { id, queryString: 'waitMs=1' } }),
    counter({ http: { id, body: 'eA==', queryString: 'waitMs=200' } }),
    counter({
      http: { id, queryString: 'waitMs=200' },
      security: { user: ALICE.replace(/1$/, '2') },
    }),
  ];
  for (const body of others) {
    const reply = await raw.call('counter', body);
    expect(reply).toMatchObject({ statusCode: 409, body: expect.stringContaining('DUPLICATE_ID') });
  }
  expect(await host.metric('vcx_refusals_total', 'DUPLICATE_ID')).toBe(others.length);
  expect(await host.metric('vcx_duplicates_total', 'again')).toBe(2);
});

test('reply addresses that are refused, missing or lead nowhere lose none of fifty others in flight', async () => {
  const orgs = Array.from({ length: 13 }, () => randomUUID());
  const others = Array.from({ length: 50 }, (_, i) =>
    client.send({ org: orgs[i % 13] ?? '', query: 'waitMs=300' }),
  );
  const before = await parked();
  const short = { replyByTimestamp: Date.now() + 1_500 };
  const bad: Options.Publish[] = [
    raw.properties({ headers: { replyToExchange: 'amq.topic' } }),
    raw.properties({ headers: { replyToExchange: 'vcx.canary' } }),
    raw.properties({ headers: { replyToExchange: '' } }),
    raw.properties({ headers: { replyToExchange: 'x'.repeat(300) } }),
    raw.properties({ headers: { replyToExchange: { a: 1 } } }),
    without('replyTo'),
    raw.properties({ replyTo: 'nowhere', headers: short }),
  ];
  for (const properties of bad) await raw.publish('counter', counter(), properties);
  const { lost, differing, statuses } = await client.settle();
  expect({ lost, differing, statuses }).toEqual({
    lost: [],
    differing: [],
    statuses: { 200: others.length },
  });
  await waitFor(async () => (await parked()) === before + bad.length);
  expect(await parked('REPLY_UNROUTABLE')).toBe(1);
});

test('a reply exchange that is gone when the reply is due parks that reply, and serves again when it is back', async () => {
  const call = client.send({ query: 'waitMs=300' });
  await waitFor(() => call?.confirmed === true);
  await peer.channel.deleteExchange(EXCHANGE);
  const before = await parked('REPLY_UNROUTABLE');
  await raw.publish(
    'counter',
    counter(),
    raw.properties({ headers: { replyByTimestamp: Date.now() + 1_500 } }),
  );
  await waitFor(async () => (await parked('REPLY_UNROUTABLE')) > before);
  expect((await host.readiness()).ready).toBe(true);
  await peer.channel.assertExchange(EXCHANGE, 'direct', { durable: true });
  // The bindings went with it: cells that come back bind their queues anew.
  raw = stack.use(await openRawClient(rabbit.url));
  await peer.channel.bindQueue(client.replyTo, EXCHANGE, client.replyTo);
  await isAnswered();
  await client.settle();
});

test.each([
  ['behind', -30_000],
  ['ahead', 30_000],
])(
  'a cell whose clock is half a minute %s is served on, and CLOCK_SKEW is shown',
  async (_, skewMs) => {
    await using skewed = await openRawClient(rabbit.url);
    const replyByTimestamp = () => Date.now() + 10_000 + skewMs;
    const send = () =>
      skewed.publish(
        'counter',
        counter(),
        skewed.properties({ headers: { replyByTimestamp: replyByTimestamp() } }),
      );
    const clock = async () => (await host.readiness()).dependencies['clock']?.reason ?? '';
    await waitFor(async () => {
      for (let i = 0; i < 10; i += 1) await send();
      return (await clock()).includes('CLOCK_SKEW');
    });
    const before = skewed.replies.length;
    for (let i = 0; i < 5; i += 1) await send();
    await waitFor(() => skewed.replies.length >= before + 5);
    expect((await host.readiness()).ready).toBe(true);
    expect(await clock()).toMatch(/CLOCK_SKEW/);
    // Right clocks again: the estimate forgets.
    await waitFor(async () => {
      for (let i = 0; i < 20; i += 1) await raw.call('counter', counter());
      return (await clock()) === '';
    });
  },
);

test('bad input is answered, counted or parked, and never fatal', async () => {
  const answered: [string, Buffer, Options.Publish][] = [
    [
      'a correlation id of as many multi-byte characters as AMQP carries',
      probe(),
      raw.properties({ correlationId: '€'.repeat(85) }),
    ],
    ['an id of 10 KB', probe({ http: { id: 'i'.repeat(10_240) } }), raw.properties()],
    [
      'a deadline a century ahead',
      probe(),
      raw.properties({ headers: { replyByTimestamp: Date.now() + 3.2e12 } }),
    ],
    [
      'a deadline that is no number',
      probe(),
      raw.properties({ headers: { replyByTimestamp: 'tomorrow' } }),
    ],
    ['no correlation id', probe({ http: { id: 'without-correlation' } }), without('correlationId')],
  ];
  for (const [what, body, properties] of answered) {
    const before = raw.replies.length;
    await raw.publish('probe', body, properties);
    await waitFor(
      () => raw.replies.length > before,
      () => what,
    );
    expect(raw.replies.at(-1)?.statusCode, what).toBe(200);
  }
  const late = await host.metric('vcx_late_total');
  await raw.publish(
    'counter',
    counter(),
    raw.properties({ headers: { replyByTimestamp: 86_400_000 } }),
  );
  await waitFor(async () => (await host.metric('vcx_late_total')) === late + 1);

  const before = await parked();
  await raw.publish('counter', counter(), {});
  await raw.publish('counter', Buffer.alloc(0), {});
  await raw.publish('counter', counter({ http: { id: 'x'.repeat(20_000) } }), raw.properties());
  await waitFor(async () => (await parked()) === before + 3);
  await isAnswered();
});

test('a header table of more than 64 KB, flat or nested, is survived on the same connection', async () => {
  const { accepted } = proxy;
  const big = raw.properties({ headers: { padding: 'x'.repeat(70_000) } });
  // The library of this client refuses it, so it is written by hand.
  await expect(raw.publish('counter', counter(), big)).rejects.toThrow(/header|size|range|large/i);
  const before = await parked();
  await using channel = await openBareChannel();
  const pair = (name: string, length: number) => {
    const head = Buffer.alloc(name.length + 6);
    head.writeUInt8(name.length, 0);
    head.write(`${name}S`, 1, 'latin1');
    head.writeUInt32BE(length, name.length + 2);
    return Buffer.concat([head, Buffer.alloc(length, 'x')]);
  };
  for (const headers of [pair('padding', 100_000), nestedTable(14_000)])
    channel.write(
      publishFrames({ channel: 1, exchange: 'sdkext', routingKey: 'counter', headers }),
    );
  await waitFor(async () => (await parked()) === before + 2);
  await isAnswered();
  expect(proxy.accepted).toBe(accepted);
});

/** A connection with channel 1 open that says what it is told, byte by byte. */
async function openBareChannel(): Promise<{ write(bytes: Buffer): void } & AsyncDisposable> {
  const own = await openTcpProxy(rabbit.port);
  const other = await openPeer(rabbit.by(own.port));
  return {
    write: (bytes) => own.inject('AMQP', bytes),
    async [Symbol.asyncDispose]() {
      await other[Symbol.asyncDispose]();
      await waitFor(() => own.open === 0);
      await own[Symbol.asyncDispose]();
    },
  };
}

test('beside an org that floods at ten times the capacity none of the others is refused', async () => {
  const workMs = 50;
  // Each call waits 50 ms, four at once for an org: 80 a second are what the flooding org can have.
  const quietSpec = () => ({
    org: randomUUIDOf(quietOrgs),
    query: `waitMs=${workMs}`,
    method: 'POST',
  });
  const quietOrgs = Array.from({ length: 4 }, () => randomUUID());
  const measure = async () => {
    const calls: ChaosCall[] = [];
    await new Promise<void>((done) => {
      const timer = setInterval(() => {
        const call = client.send(quietSpec());
        if (call) calls.push(call);
        if (calls.length < 120) return;
        clearInterval(timer);
        done();
      }, 20);
    });
    await waitFor(() => calls.every(({ replies }) => replies.length > 0));
    const times = calls.map(({ replies, sentAt }) => (replies[0]?.at ?? 0) - sentAt);
    const statuses = [...new Set(calls.map(({ replies }) => replies[0]?.status))];
    return { p99: percentile(times, 0.99), p50: percentile(times, 0.5), statuses };
  };
  await measure();
  const quiet = await measure();
  const flooder = randomUUID();
  const stop = client.load(800, () => ({
    org: flooder,
    query: `waitMs=${workMs}`,
    method: 'POST',
  }));
  await waitFor(async () => (await host.metric('vcx_refusals_total', 'OVERLOADED')) > 0);
  const beside = await measure();
  stop();
  await client.settle();
  figures.add(
    'one org floods at 10 times its capacity',
    "others' p99 <= 2 x quiet, none refused",
    `p99 ${ms(beside.p99)} beside ${ms(quiet.p99)} quiet (${(beside.p99 / quiet.p99).toFixed(1)} x), p50 ${ms(beside.p50)} beside ${ms(quiet.p50)}, statuses ${JSON.stringify(beside.statuses)}`,
  );
  expect(beside.statuses).toEqual([200]);
});

let turn = 0;
function randomUUIDOf(orgs: readonly string[]): string {
  return orgs[(turn += 1) % orgs.length] ?? '';
}
