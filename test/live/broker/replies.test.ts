import { afterAll, beforeAll, expect, test } from 'vitest';

import { openBroker } from '../../../host/broker/broker.ts';
import { nestedTable, publishFrames } from '../../support/broker/amqp-frames.ts';
import { REPLY_EXCHANGE, REPLY_KEY, openPeer } from '../../support/broker/amqp-peer.ts';
import { eventually, openEcho } from '../../support/broker/echo.ts';
import { openVhost, type Vhost } from '../../support/rabbit/vhost.ts';

let rabbit: Vhost;
beforeAll(async () => {
  rabbit = await openVhost();
});
afterAll(() => rabbit[Symbol.asyncDispose]());

const soon = () => AbortSignal.timeout(10_000);
const bytes = (text: string) => new TextEncoder().encode(text);

test('a request is answered on the exchange, routing key and correlation id it names, as transient JSON', async () => {
  await using peer = await openPeer(rabbit.url);
  await using echo = await openEcho({
    urls: [rabbit.url],
    services: [{ exchange: 'ext', routingKey: 'plain' }],
  });
  await echo.ready();
  const seen = new Promise<Record<string, unknown>>((resolve) => {
    void peer.channel.assertQueue('', { exclusive: true }).then(async ({ queue }) => {
      await peer.channel.bindQueue(queue, REPLY_EXCHANGE, 'cell-2');
      await peer.channel.consume(
        queue,
        (message) => message && resolve({ ...message.properties }),
        { noAck: true },
      );
      peer.send('ext', 'plain', 'hello', {
        replyTo: 'cell-2',
        correlationId: 'c-2',
        headers: { a: 1 },
      });
    });
  });
  expect(await seen).toMatchObject({
    correlationId: 'c-2',
    contentType: 'application/json',
    deliveryMode: 1,
    expiration: undefined,
  });
  expect(echo.deliveries[0]).toMatchObject({
    exchange: 'ext',
    routingKey: 'plain',
    replyTo: 'cell-2',
    headers: { a: 1 },
    redelivered: false,
  });
  await eventually(() => expect(echo.broker.status().unsettled).toBe(0));
});

test('replies that are unroutable or go to a missing exchange lose none of fifty others in flight', async () => {
  await using peer = await openPeer(rabbit.url);
  await using broker = await openBroker({ urls: [rabbit.url] });
  const reply = (exchange: string, routingKey: string, correlationId: string) =>
    broker.reply({ exchange, routingKey, correlationId, body: bytes('{}') }, soon());
  const good = Array.from({ length: 50 }, (_, i) => reply(REPLY_EXCHANGE, REPLY_KEY, `ok-${i}`));
  const nowhere = Array.from({ length: 5 }, (_, i) => reply(REPLY_EXCHANGE, 'nobody', `no-${i}`));
  const missing = Array.from({ length: 5 }, (_, i) => reply('no.such', REPLY_KEY, `gone-${i}`));

  for (const outcome of await Promise.all(good)) expect(outcome).toEqual({ kind: 'confirmed' });
  for (const outcome of await Promise.all(nowhere)) expect(outcome).toEqual({ kind: 'unroutable' });
  for (const outcome of await Promise.all(missing))
    expect(outcome).toMatchObject({ kind: 'failed', reason: expect.stringMatching(/no\.such/) });
  await eventually(() => expect(peer.got.size).toBe(50));
  expect([...peer.got.values()].every((bodies) => bodies.length === 1)).toBe(true);
});

test('an exchange deleted under way fails its own replies and leaves the other lanes alone', async () => {
  await using peer = await openPeer(rabbit.url);
  await peer.channel.assertExchange('short.lived', 'fanout', { durable: true });
  await using broker = await openBroker({ urls: [rabbit.url] });
  const reply = (exchange: string, id: string) =>
    broker.reply({ exchange, routingKey: REPLY_KEY, correlationId: id, body: bytes('{}') }, soon());
  expect(await reply('short.lived', 'a')).toEqual({ kind: 'unroutable' });
  await peer.channel.deleteExchange('short.lived');
  const others = Array.from({ length: 50 }, (_, i) => reply(REPLY_EXCHANGE, `o-${i}`));
  expect(await reply('short.lived', 'b')).toMatchObject({
    kind: 'failed',
    reason: expect.stringMatching(/short\.lived/),
  });
  for (const outcome of await Promise.all(others)) expect(outcome).toEqual({ kind: 'confirmed' });

  await peer.channel.assertExchange('short.lived', 'fanout', { durable: true });
  await eventually(async () => {
    expect(await reply('short.lived', 'c')).toEqual({ kind: 'unroutable' });
  });
});

test('the default exchange, the dead-letter exchange and unusable names are refused without a word to the broker', async () => {
  await using broker = await openBroker({ urls: [rabbit.url] });
  const reply = (exchange: string, correlationId: string | null = null) =>
    broker.reply({ exchange, routingKey: 'k', correlationId, body: bytes('{}') }, soon());
  await using _peer = await openPeer(rabbit.url);
  for (const exchange of ['', 'vcx.dead', 'x'.repeat(256)])
    expect(await reply(exchange)).toMatchObject({ kind: 'failed' });
  expect(await reply(REPLY_EXCHANGE, 'é'.repeat(128))).toMatchObject({ kind: 'failed' });
  expect(await reply(REPLY_EXCHANGE, 'é'.repeat(127))).toEqual({ kind: 'unroutable' });
});

test('more reply exchanges than allowed evict the idle ones', async () => {
  await using peer = await openPeer(rabbit.url);
  await using broker = await openBroker({ urls: [rabbit.url], maxReplyExchanges: 3 });
  for (let i = 0; i < 8; i += 1) {
    await peer.channel.assertExchange(`many.${i}`, 'fanout', { durable: false });
    const reply = { exchange: `many.${i}`, routingKey: '', correlationId: null, body: bytes('{}') };
    expect(await broker.reply(reply, soon())).toEqual({ kind: 'unroutable' });
  }
  const channels = (await rabbit.ctl('list_channels', 'vhost', 'confirm')).split('\n');
  const confirming = channels.filter((line) => line === `${rabbit.name}\ttrue`);
  expect(confirming.length).toBeGreaterThan(0);
  expect(confirming.length).toBeLessThanOrEqual(3);
});

test('a parked message waits in the dead-letter queue with its reason, and the queue is made anew when deleted', async () => {
  await using peer = await openPeer(rabbit.url);
  await using broker = await openBroker({
    urls: [rabbit.url],
    deadLetter: { exchange: 'own.dead', queue: 'own.dead', maxLength: 3 },
  });
  const park = (reason: string) => broker.park({ reason, body: bytes('{"id":1}') }, soon());
  expect(await park('REPLY_ADDRESS_MISSING')).toBe(true);
  expect(await peer.take('own.dead')).toEqual({
    body: '{"id":1}',
    headers: { 'x-vcx-reason': 'REPLY_ADDRESS_MISSING' },
  });
  await peer.channel.deleteQueue('own.dead');
  expect(await park('again')).toBe(true);
  await peer.channel.deleteQueue('own.dead');
  await peer.channel.deleteExchange('own.dead');
  expect(await park('from nothing')).toBe(true);
  for (let i = 0; i < 5; i += 1) expect(await park(`full ${i}`)).toBe(true);
  await eventually(async () => {
    expect((await peer.channel.checkQueue('own.dead')).messageCount).toBe(3);
  });
});

test('a header table nested deeper than a stack is delivered without headers, and the next message as it is', async () => {
  await using peer = await openPeer(rabbit.url);
  await using echo = await openEcho({
    urls: [rabbit.url],
    services: [{ exchange: 'ext', routingKey: 'deep' }],
  });
  await echo.ready();
  const socket = (peer.connection.connection as unknown as { stream: NodeJS.WritableStream })
    .stream;
  const headers = nestedTable(18_000);
  socket.write(publishFrames({ channel: 1, exchange: 'ext', routingKey: 'deep', headers }));
  await eventually(() => expect(echo.deliveries).toHaveLength(1));
  expect(echo.deliveries[0]).toMatchObject({ headers: {}, replyTo: null });
  peer.send('ext', 'deep', 'next', { correlationId: 'after-deep' });
  await eventually(() => expect(peer.got.get('after-deep')).toEqual(['next']));
  expect(echo.log.filter((line) => line['event'] === 'broker.disconnected')).toEqual([]);
});

test('a body above the cap is cut one byte above it, and messages around it are whole', async () => {
  await using peer = await openPeer(rabbit.url);
  await using echo = await openEcho(
    {
      urls: [rabbit.url],
      services: [{ exchange: 'ext', routingKey: 'big' }],
      maxMessageBytes: 300_000,
    },
    (delivery) => delivery.ack(),
  );
  await echo.ready();
  for (const size of [300_000, 300_001, 1_000_000, 10]) peer.send('ext', 'big', 'x'.repeat(size));
  await eventually(() => expect(echo.deliveries).toHaveLength(4));
  expect(echo.deliveries.map((delivery) => delivery.body.length)).toEqual([
    300_000, 300_001, 300_001, 10,
  ]);
});
