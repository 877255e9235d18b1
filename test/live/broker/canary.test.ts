import { readFileSync } from 'node:fs';

import { afterAll, beforeAll, expect, test } from 'vitest';

import type { BrokerOptions } from '../../../host/broker/options.ts';
import { createMetrics } from '../../../host/kernel/metrics.ts';
import { REPLY_EXCHANGE, openPeer } from '../../support/broker/amqp-peer.ts';
import { eventually, openEcho } from '../../support/broker/echo.ts';
import { openVhost, type Permissions, type Vhost } from '../../support/rabbit/vhost.ts';

let rabbit: Vhost;
beforeAll(async () => {
  rabbit = await openVhost();
});
afterAll(() => rabbit[Symbol.asyncDispose]());

/** Configure, write and read as `host/README.md` has them, for the exchanges of this file. */
function documentedPatterns(): Permissions {
  const text = readFileSync(new URL('../../../host/README.md', import.meta.url), 'utf8');
  const [, patterns = ''] = /rabbitmqctl set_permissions vcx (.*)`/.exec(text) ?? [];
  const [configure = '', write = '', read = ''] = patterns
    .replaceAll(String.raw`vcd\.replyExchange`, String.raw`vcd\.reply`)
    .replaceAll('sdkext', 'aviary')
    .split(' ')
    .map((quoted) => quoted.replaceAll("'", ''));
  return { configure, write, read };
}

const service = (routingKey: string) => ({ exchange: 'aviary', routingKey });
const options = (...keys: string[]): BrokerOptions => ({
  urls: [rabbit.url],
  services: keys.map(service),
  canary: { everyMs: 100 },
});

test('a canary goes through the exchange of each service and comes back, unseen by the receiver', async () => {
  const metrics = createMetrics();
  await using echo = await openEcho({ ...options('one', 'two'), metrics });
  await echo.ready();
  await eventually(async () => {
    for (const name of ['aviary/one', 'aviary/two'])
      expect(await metrics.total('vcx_canary_ms', { service: name })).toBeGreaterThan(0);
  });
  const { canary, consuming } = echo.broker.status();
  expect({ canary, consuming }).toEqual({
    canary: {
      ok: true,
      reason: null,
      lastMs: expect.any(Number) as number,
      lastAt: expect.any(Number) as number,
    },
    consuming: true,
  });
  expect(Math.abs(Date.now() - (canary.lastAt ?? 0))).toBeLessThan(10_000);
  expect(echo.deliveries).toEqual([]);
});

test('whichever host takes a canary answers it, so two hosts on one queue both see theirs come back', async () => {
  await using first = await openEcho(options('shared'));
  await using second = await openEcho(options('shared'));
  await Promise.all([first.ready(), second.ready()]);
  for (const { broker } of [first, second])
    await eventually(() => {
      const { lastMs, ok } = broker.status().canary;
      expect({ ok, back: lastMs !== null }).toEqual({ ok: true, back: true });
    });
});

test('a queue that hands out nothing although its consumer stands ends readiness with the reason, until it moves again', async () => {
  await using peer = await openPeer(rabbit.url);
  await using echo = await openEcho({ ...options('stuck'), prefetch: 1 }, () => undefined);
  await echo.ready();
  // The only slot is taken by a message that is not settled: connected, consumer alive, nothing arrives.
  peer.send('aviary', 'stuck', 'x');
  await eventually(() => expect(echo.deliveries).toHaveLength(1));
  await eventually(() => expect(echo.broker.status().consuming).toBe(false));
  const { reason, canary, services } = echo.broker.status();
  expect(reason).toBe('a canary to aviary/stuck did not come back: silence for 300 ms');
  expect(canary).toMatchObject({ ok: false, reason });
  expect(services[0]?.consuming).toBe(true);
  echo.deliveries[0]?.ack();
  await echo.ready();
});

test('a binding that somebody took away is noticed by the canary that comes back unroutable', async () => {
  await using peer = await openPeer(rabbit.url);
  await using echo = await openEcho({ ...options('unbound'), watchMs: 60_000 });
  await echo.ready();
  await peer.channel.unbindQueue('vcx.aviary.unbound', 'aviary', 'unbound');
  await eventually(() =>
    expect(echo.broker.status()).toMatchObject({
      consuming: false,
      reason: 'a canary to aviary/unbound did not come back: no queue is bound for it',
    }),
  );
  await peer.channel.bindQueue('vcx.aviary.unbound', 'aviary', 'unbound');
  await echo.ready();
});

test('a message with the header of a canary and another reply address goes the way of all messages', async () => {
  await using peer = await openPeer(rabbit.url);
  await using echo = await openEcho(options('forged'));
  await echo.ready();
  const forged = [
    { 'x-vcx-canary': '1', replyToExchange: REPLY_EXCHANGE },
    { 'x-vcx-canary': '1' },
    { replyToExchange: 'vcx.canary' },
  ];
  for (const [i, headers] of forged.entries())
    peer.send('aviary', 'forged', 'x', { headers, correlationId: `f${i}` });
  await eventually(() => expect(echo.deliveries).toHaveLength(forged.length));
  // The corridor may not be made to publish where canaries live, either.
  const reply = {
    exchange: 'vcx.canary',
    routingKey: 'x',
    correlationId: null,
    body: Buffer.of(1),
  };
  expect(await echo.broker.reply(reply, AbortSignal.timeout(5_000))).toMatchObject({
    kind: 'failed',
  });
});

test('canaries of strangers, with no address or a wrong one, are settled and harm nothing', async () => {
  await using peer = await openPeer(rabbit.url);
  await using echo = await openEcho({ ...options('strange'), prefetch: 2 });
  await echo.ready();
  const headers = { 'x-vcx-canary': { a: [1] }, replyToExchange: 'vcx.canary' };
  for (let i = 0; i < 20; i += 1)
    peer.send('aviary', 'strange', 'x'.repeat(10_000), {
      headers,
      replyTo: i % 2 ? 'nowhere' : '',
    });
  peer.send('aviary', 'strange', 'after', { correlationId: 'after' });
  await eventually(() => expect(peer.got.get('after')).toEqual(['after']));
  await eventually(() => expect(echo.broker.status().unsettled).toBe(0));
  expect(echo.deliveries).toHaveLength(1);
});

test('the permissions that the documentation names are enough, canary and dead letters included', async () => {
  const url = await rabbit.account(documentedPatterns());
  await using peer = await openPeer(rabbit.url);
  await peer.channel.assertExchange('aviary', 'direct', { durable: true });
  await using echo = await openEcho({
    ...options('narrow'),
    urls: [url],
  });
  await echo.ready();
  peer.send('aviary', 'narrow', 'x', { correlationId: 'narrow' });
  await eventually(() => expect(peer.got.get('narrow')).toEqual(['x']));
  await eventually(() => expect(echo.broker.status().canary.lastMs).not.toBeNull());
  const parked = { reason: 'TEST', body: Buffer.from('{}') };
  expect(await echo.broker.park(parked, AbortSignal.timeout(5_000))).toBe(true);
  expect(echo.broker.status()).toMatchObject({
    consuming: true,
    canary: { ok: true },
    deadLetterProblem: null,
  });
});

test('an account that may not write to the exchange of a service still serves it, and the canary tells why it proves nothing', async () => {
  const url = await rabbit.account({
    configure: String.raw`^vcx\..*$`,
    write: String.raw`^(vcx\..*|vcd\.reply)$`,
    read: '.*',
  });
  await using peer = await openPeer(rabbit.url);
  await peer.channel.assertExchange('aviary', 'direct', { durable: true });
  await using echo = await openEcho({
    ...options('mute'),
    urls: [url],
  });
  await echo.ready();
  await eventually(() =>
    expect(echo.broker.status()).toMatchObject({
      consuming: true,
      canary: {
        ok: false,
        reason: expect.stringMatching(
          /no canary can be sent to aviary\/mute: .*ACCESS_REFUSED/,
        ) as string,
      },
    }),
  );
  peer.send('aviary', 'mute', 'x', { correlationId: 'mute' });
  await eventually(() => expect(peer.got.get('mute')).toEqual(['x']));
});
