import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, beforeAll, expect, test } from 'vitest';

import { openBroker } from '../../../host/broker/broker.ts';
import { credentialsFromFile } from '../../../host/broker/connection/credentials.ts';
import { type RabbitNode, openRabbit } from '../../../sdk/localcloud/rabbitmq.ts';
import { REPLY_EXCHANGE, REPLY_KEY, openPeer } from '../../support/broker/amqp-peer.ts';
import { eventually, openEcho } from '../../support/broker/echo.ts';
import { openTcpProxy } from '../../support/broker/tcp-proxy.ts';

let rabbit: RabbitNode;
beforeAll(async () => {
  rabbit = await openRabbit();
});
afterAll(() => rabbit[Symbol.asyncDispose]());

const bytes = (text: string) => new TextEncoder().encode(text);

test.each(['kill', 'stop'] as const)(
  'after the broker is ended by %s and started again, calls are answered and waiting replies delivered',
  async (how) => {
    const key = `outage-${how}`;
    await using echo = await openEcho({
      urls: [rabbit.url],
      services: [{ exchange: 'ext', routingKey: key }],
    });
    await echo.ready();
    await rabbit[how]();
    await eventually(() => expect(echo.broker.status().consuming).toBe(false));
    expect(echo.broker.status().reason).toMatch(/127\.0\.0\.1:\d+/);
    expect(JSON.stringify(echo.broker.status())).not.toContain('guest');

    const late = {
      exchange: REPLY_EXCHANGE,
      routingKey: 'x',
      correlationId: 'w',
      body: bytes('w'),
    };
    const waiting = echo.broker.reply(late, AbortSignal.timeout(30_000));
    const givenUp = await echo.broker.reply(late, AbortSignal.timeout(50));
    expect(givenUp).toMatchObject({ kind: 'failed', reason: expect.stringMatching(/connect/) });

    await rabbit.start();
    await using peer = await openPeer(rabbit.url);
    await echo.ready();
    peer.send('ext', key, 'again', { correlationId: key });
    await eventually(() => expect(peer.got.get(key)).toEqual(['again']));
    expect(['confirmed', 'unroutable']).toContain((await waiting).kind);
  },
);

test('a path that stops forwarding without a word is left, and calls are answered on a new connection', async () => {
  await using proxy = await openTcpProxy(rabbit.port);
  await using peer = await openPeer(rabbit.url);
  await using echo = await openEcho({
    urls: [`amqp://127.0.0.1:${proxy.port}`],
    services: [{ exchange: 'ext', routingKey: 'half-open' }],
    heartbeatS: 1,
    watchMs: 1_000,
  });
  await echo.ready();
  peer.send('ext', 'half-open', 'before', { correlationId: 'h-1' });
  await eventually(() => expect(peer.got.get('h-1')).toEqual(['before']));

  proxy.freeze();
  const reply = { exchange: REPLY_EXCHANGE, routingKey: REPLY_KEY, body: bytes('during') };
  const during = echo.broker.reply({ ...reply, correlationId: 'h-2' }, AbortSignal.timeout(20_000));
  peer.send('ext', 'half-open', 'after', { correlationId: 'h-3' });
  expect(await during).toEqual({ kind: 'confirmed' });
  await eventually(() => expect(peer.got.get('h-3')).toContain('after'));
  await echo.ready();
});

test('without heartbeats due, a frozen path is noticed by the confirm that does not come', async () => {
  await using proxy = await openTcpProxy(rabbit.port);
  await using peer = await openPeer(rabbit.url);
  await using broker = await openBroker({
    urls: [`amqp://127.0.0.1:${proxy.port}`],
    heartbeatS: 60,
    watchMs: 2_000,
  });
  const reply = { exchange: REPLY_EXCHANGE, routingKey: REPLY_KEY, body: bytes('x') };
  const send = (correlationId: string) =>
    broker.reply({ ...reply, correlationId }, AbortSignal.timeout(20_000));
  expect(await send('f-1')).toEqual({ kind: 'confirmed' });
  proxy.freeze();
  expect(await send('f-2')).toEqual({ kind: 'confirmed' });
  // A busy machine may leave the next connection for silent as well: then it comes twice.
  await eventually(() => expect(peer.got.get('f-2')).toContain('x'));
});

test('a memory alarm stops intake with the reason, and everything goes on when it is over', async () => {
  await using peer = await openPeer(rabbit.url);
  await using echo = await openEcho({
    urls: [rabbit.url],
    services: [{ exchange: 'ext', routingKey: 'alarm' }],
  });
  await echo.ready();
  const reply = { exchange: REPLY_EXCHANGE, routingKey: REPLY_KEY, body: bytes('x') };
  const send = (correlationId: string, ms: number) =>
    echo.broker.reply({ ...reply, correlationId }, AbortSignal.timeout(ms));
  await send('open the lane', 5_000);
  await rabbit.ctl('set_vm_memory_high_watermark', '0.00001');
  const held = send('held', 40_000);
  await eventually(() => expect(echo.broker.status().blocked).toBe(true));
  expect(echo.broker.status()).toMatchObject({
    consuming: false,
    reason: expect.stringMatching(/low on memory/),
    blockedReason: expect.stringMatching(/low on memory/),
  });
  expect(await send('in vain', 100)).toMatchObject({
    kind: 'failed',
    reason: expect.stringMatching(/low on memory/),
  });
  await eventually(async () => {
    expect(await rabbit.ctl('list_consumers', 'queue_name')).not.toContain('vcx.ext.alarm');
  });
  await rabbit.ctl('set_vm_memory_high_watermark', '0.4');
  expect(await held).toEqual({ kind: 'confirmed' });
  await echo.ready();
  peer.send('ext', 'alarm', 'after', { correlationId: 'after-alarm' });
  await eventually(() => expect(peer.got.get('after-alarm')).toEqual(['after']));
});

test('a full outbox stops intake until it has drained, and refuses what it can not hold', async () => {
  await using proxy = await openTcpProxy(rabbit.port);
  await using _peer = await openPeer(rabbit.url);
  await using echo = await openEcho({
    urls: [`amqp://127.0.0.1:${proxy.port}`],
    services: [{ exchange: 'ext', routingKey: 'outbox' }],
    outbox: { maxCount: 10, maxBytes: 1_000 },
    watchMs: 1_000,
  });
  await echo.ready();
  const send = (size: number) =>
    echo.broker.reply(
      {
        exchange: REPLY_EXCHANGE,
        routingKey: REPLY_KEY,
        correlationId: null,
        body: bytes('x'.repeat(size)),
      },
      AbortSignal.timeout(20_000),
    );
  expect(await send(1_001)).toEqual({ kind: 'failed', reason: 'the outbox is full' });
  const held = Array.from({ length: 10 }, () => send(10));
  expect(echo.broker.status()).toMatchObject({ consuming: false, outbox: { count: 10 } });
  expect(await send(10)).toEqual({ kind: 'failed', reason: 'the outbox is full' });
  for (const outcome of await Promise.all(held)) expect(outcome).toEqual({ kind: 'confirmed' });
  await echo.ready();
  expect(echo.broker.status().outbox).toEqual({ count: 0, bytes: 0 });
});

test('of several hosts the one that answers is used, and a lost one is replaced by the next', async () => {
  await using first = await openTcpProxy(rabbit.port);
  await using second = await openTcpProxy(rabbit.port);
  const urls = ['amqp://127.0.0.1:1', ...[first, second].map((p) => `amqp://127.0.0.1:${p.port}`)];
  await using echo = await openEcho({ urls, services: [{ exchange: 'ext', routingKey: 'hosts' }] });
  await echo.ready();
  expect(first.accepted).toBe(2);
  await first[Symbol.asyncDispose]();
  await eventually(() => expect(echo.broker.status().consuming).toBe(false));
  await echo.ready();
  expect(second.accepted).toBe(2);
});

test('opening does not wait for the broker; the status tells what it waits for, and a changed password is picked up', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'vcx-broker-'));
  try {
    const file = join(folder, 'credentials');
    await writeFile(file, 'rotated:wrong:word\n');
    await rabbit.ctl('add_user', 'rotated', 'right:word');
    await rabbit.ctl('set_permissions', 'rotated', '.*', '.*', '.*');
    await using echo = await openEcho({
      urls: [`amqp://nobody:never-used@127.0.0.1:${rabbit.port}`],
      services: [{ exchange: 'ext', routingKey: 'rotated' }],
      credentials: credentialsFromFile(file),
    });
    await expect(echo.broker.ready(AbortSignal.timeout(10))).rejects.toMatchObject({
      code: 'BROKER_UNAVAILABLE',
    });
    await eventually(() =>
      expect(echo.broker.status().reason).toMatch(
        /^connecting to 127\.0\.0\.1:\d+ \(ACCESS_REFUSED.*\), attempt [2-9]/,
      ),
    );
    expect(JSON.stringify([echo.broker.status(), echo.log])).not.toMatch(/word|never-used/);
    // The same fault again and again is one line of the log, not many.
    expect(echo.log.filter((line) => line['event'] === 'broker.connect_failed')).toHaveLength(2);
    await writeFile(file, 'rotated:right:word\n');
    await echo.ready();
  } finally {
    await rm(folder, { recursive: true });
  }
});
