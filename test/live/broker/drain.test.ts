import { fork } from 'node:child_process';
import { once } from 'node:events';

import { afterAll, beforeAll, expect, test } from 'vitest';

import { openBroker } from '../../../host/broker/broker.ts';
import { REPLY_EXCHANGE, REPLY_KEY, openPeer } from '../../support/broker/amqp-peer.ts';
import { eventually, openEcho } from '../../support/broker/echo.ts';
import { openVhost, type Vhost } from '../../support/rabbit/vhost.ts';
import { openTcpProxy } from '../../support/broker/tcp-proxy.ts';

const ONCE = new URL('../../support/broker/once.ts', import.meta.url);

let rabbit: Vhost;
beforeAll(async () => {
  rabbit = await openVhost();
});
afterAll(() => rabbit[Symbol.asyncDispose]());

const service = (routingKey: string) => ({ exchange: 'drain', routingKey });
const body = new TextEncoder().encode('x');

test('a cancel stops new deliveries first; what was taken is answered and acknowledged after it', async () => {
  await using peer = await openPeer(rabbit.url);
  await using echo = await openEcho(
    { urls: [rabbit.url], services: [service('cancel')], prefetch: 5 },
    () => undefined,
  );
  await echo.ready();
  for (let i = 0; i < 12; i += 1) peer.send('drain', 'cancel', String(i));
  await eventually(() => expect(echo.deliveries).toHaveLength(5));
  await echo.broker.cancel();
  expect(await rabbit.ctl('list_consumers', 'queue_name')).not.toContain('vcx.drain.cancel');
  for (const [i, delivery] of echo.deliveries.entries())
    if (i < 3) {
      const reply = {
        exchange: REPLY_EXCHANGE,
        routingKey: REPLY_KEY,
        correlationId: `c${i}`,
        body,
      };
      expect(await echo.broker.reply(reply, AbortSignal.timeout(5_000))).toEqual({
        kind: 'confirmed',
      });
      delivery.ack();
    } else delivery.requeue();
  await eventually(async () => {
    expect((await peer.channel.checkQueue('vcx.drain.cancel')).messageCount).toBe(9);
  });
  expect(echo.deliveries).toHaveLength(5);
});

test('an acknowledgement given just before disposing reaches the broker; the rest is delivered elsewhere', async () => {
  await using peer = await openPeer(rabbit.url);
  const first = await openEcho(
    { urls: [rabbit.url], services: [service('dispose')], prefetch: 10 },
    () => undefined,
  );
  await first.ready();
  for (let i = 0; i < 10; i += 1) peer.send('drain', 'dispose', String(i));
  await eventually(() => expect(first.deliveries).toHaveLength(10));
  for (const delivery of first.deliveries.slice(0, 6)) delivery.ack();
  await first[Symbol.asyncDispose]();

  await using second = await openEcho({ urls: [rabbit.url], services: [service('dispose')] });
  await second.ready();
  await eventually(() => expect(second.deliveries).toHaveLength(4));
  await eventually(() => expect(second.broker.status().unsettled).toBe(0));
  expect(second.deliveries.every((delivery) => delivery.redelivered)).toBe(true);
  // Settling what belongs to a closed transport is a no-op.
  for (const delivery of first.deliveries) delivery.requeue();
});

test('replies on their way when disposing begins are confirmed before it ends', async () => {
  await using peer = await openPeer(rabbit.url);
  const broker = await openBroker({ urls: [rabbit.url] });
  const send = (id: string) =>
    broker.reply(
      { exchange: REPLY_EXCHANGE, routingKey: REPLY_KEY, correlationId: id, body },
      AbortSignal.timeout(5_000),
    );
  expect(await send('open')).toEqual({ kind: 'confirmed' });
  const sent = Array.from({ length: 200 }, (_, i) => send(`d-${i}`));
  await broker[Symbol.asyncDispose]();
  for (const outcome of await Promise.all(sent)) expect(outcome).toEqual({ kind: 'confirmed' });
  expect(await send('late')).toEqual({ kind: 'failed', reason: 'the transport is closed' });
  await eventually(() => expect(peer.got.size).toBe(201));
});

test('disposing ends although the peer is silent, and what waits for it is told', async () => {
  await using proxy = await openTcpProxy(rabbit.port);
  await using peer = await openPeer(rabbit.url);
  const echo = await openEcho(
    { urls: [rabbit.by(proxy.port)], services: [service('silent')] },
    () => undefined,
  );
  await echo.ready();
  peer.send('drain', 'silent', 'x');
  await eventually(() => expect(echo.deliveries).toHaveLength(1));
  proxy.freeze();
  const reply = { exchange: REPLY_EXCHANGE, routingKey: REPLY_KEY, correlationId: 's', body };
  const waiting = echo.broker.reply(reply, AbortSignal.timeout(30_000));
  await Promise.all([echo[Symbol.asyncDispose](), echo[Symbol.asyncDispose]()]);
  expect(await waiting).toMatchObject({ kind: 'failed' });
});

test('nothing of a disposed transport keeps the process alive, with and without a broker', async () => {
  for (const url of [rabbit.url, 'amqp://127.0.0.1:1']) {
    const child = fork(ONCE, [url], {
      stdio: 'pipe',
    });
    let output = '';
    child.stderr?.on('data', (bytes: Buffer) => (output += bytes.toString()));
    const [code] = (await once(child, 'exit')) as [number];
    expect({ code, output }).toEqual({ code: 0, output: '' });
  }
});

test('a process killed with deliveries in hand loses none of them', async () => {
  await using peer = await openPeer(rabbit.url);
  const child = fork(ONCE, [rabbit.url, 'hold']);
  try {
    await once(child, 'message');
    for (let i = 0; i < 20; i += 1)
      peer.send('once', 'held', String(i), { correlationId: `held-${i}` });
    await eventually(async () => {
      expect((await peer.channel.checkQueue('vcx.once.held')).messageCount).toBe(0);
    });
  } finally {
    child.kill('SIGKILL');
  }
  await using echo = await openEcho({
    urls: [rabbit.url],
    services: [{ exchange: 'once', routingKey: 'held' }],
  });
  await echo.ready();
  await eventually(() => expect(peer.got.size).toBe(20));
});
