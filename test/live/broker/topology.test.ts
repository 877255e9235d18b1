import { afterAll, beforeAll, expect, test } from 'vitest';

import { openBroker } from '../../../host/broker/broker.ts';
import { openPeer } from '../../support/broker/amqp-peer.ts';
import { eventually, openEcho } from '../../support/broker/echo.ts';
import { openVhost, type Vhost } from '../../support/rabbit/vhost.ts';

let rabbit: Vhost;
beforeAll(async () => {
  rabbit = await openVhost();
});
afterAll(() => rabbit[Symbol.asyncDispose]());

test('missing exchange, queue and binding are made durable; queue arguments are as configured', async () => {
  await using echo = await openEcho({
    urls: [rabbit.url],
    services: [{ exchange: 'top.new', routingKey: 'k' }],
    queue: { messageTtlMs: 7_000, deadLetterExchange: 'top.dlx' },
  });
  await echo.ready();
  const report = echo.broker.topologyReport().filter((entry) => entry.of === 'top.new/k');
  expect(await rabbit.ctl('list_exchanges', 'name', 'type', 'durable')).toMatch(
    /top\.new\tdirect\ttrue/,
  );
  const queues = await rabbit.ctl('list_queues', 'name', 'durable', 'arguments');
  const ours = queues.split('\n').find((line) => line.startsWith('vcx.top.new.k\t'));
  expect(ours).toMatch(/\ttrue\t/);
  expect(ours).toMatch(/x-message-ttl",7000/);
  expect(ours).toMatch(/x-dead-letter-exchange","top\.dlx"/);
  expect(report).toMatchObject([
    { what: 'exchange', state: 'made' },
    { what: 'queue', state: 'made' },
    { what: 'binding', state: 'found' },
  ]);
});

test('an exchange of another type is explained and left as it is, other services run, and its repair is noticed', async () => {
  await using peer = await openPeer(rabbit.url);
  await peer.channel.assertExchange('top.topic', 'topic', { durable: true });
  await using echo = await openEcho({
    urls: [rabbit.url],
    services: [
      { exchange: 'top.topic', routingKey: 'k' },
      { exchange: 'top.fine', routingKey: 'k' },
    ],
    watchMs: 200,
  });
  await eventually(() => {
    const [wrong, fine] = echo.broker.status().services;
    expect(wrong).toMatchObject({ consuming: false, problem: { code: 'BROKER_TOPOLOGY' } });
    expect(wrong?.problem?.message).toMatch(/top\.topic is of type topic, expected direct/);
    expect(fine).toMatchObject({ consuming: true, problem: null });
  });
  expect(echo.broker.status()).toMatchObject({
    consuming: false,
    reason: expect.stringMatching(/top\.topic/),
  });
  peer.send('top.fine', 'k', 'x', { correlationId: 'fine' });
  await eventually(() => expect(peer.got.get('fine')).toEqual(['x']));
  expect(await rabbit.ctl('list_exchanges', 'name', 'type')).toMatch(/top\.topic\ttopic/);

  await peer.channel.deleteExchange('top.topic');
  await echo.ready();
  expect(echo.log.filter((line) => line['event'] === 'broker.channel_died')).toEqual([]);
});

test('a topic exchange is used when the service says so', async () => {
  await using peer = await openPeer(rabbit.url);
  await peer.channel.assertExchange('top.meant', 'topic', { durable: true });
  await using echo = await openEcho({
    urls: [rabbit.url],
    services: [{ exchange: 'top.meant', routingKey: 'k', exchangeType: 'topic' }],
  });
  await echo.ready();
  peer.send('top.meant', 'k', 'x', { correlationId: 'meant' });
  await eventually(() => expect(peer.got.get('meant')).toEqual(['x']));
});

test('a queue with other arguments is used as it is and reported', async () => {
  await using peer = await openPeer(rabbit.url);
  await peer.channel.assertQueue('top.older', { durable: true });
  await using echo = await openEcho({
    urls: [rabbit.url],
    services: [{ exchange: 'top.fine', routingKey: 'older', queue: 'top.older' }],
  });
  await echo.ready();
  const found = echo.broker.topologyReport().find((entry) => entry.name === 'top.older');
  expect(found).toMatchObject({ state: 'differs', detail: expect.stringMatching(/x-message-ttl/) });
  peer.send('top.fine', 'older', 'x', { correlationId: 'older' });
  await eventually(() => expect(peer.got.get('older')).toEqual(['x']));
});

test('names that AMQP can not carry are problems of their service only', async () => {
  await using echo = await openEcho({
    urls: [rabbit.url],
    services: [
      { exchange: '', routingKey: 'k' },
      { exchange: 'x'.repeat(256), routingKey: 'k' },
      { exchange: 'top.fine', routingKey: 'k'.repeat(256), queue: 'q' },
      { exchange: 'amq.not.ours', routingKey: 'k' },
      { exchange: 'top.fine', routingKey: 'good' },
    ],
  });
  await eventually(() => {
    const { services } = echo.broker.status();
    expect(services.map((service) => service.consuming)).toEqual([
      false,
      false,
      false,
      false,
      true,
    ]);
    for (const { problem, consuming } of services)
      if (!consuming) expect(problem?.code).toBe('BROKER_TOPOLOGY');
  });
});

test('a queue that may not be consumed stops nobody else, also while it is tried again', async () => {
  await using peer = await openPeer(rabbit.url);
  await peer.channel.assertQueue('top.taken', {
    durable: true,
    arguments: { 'x-message-ttl': 10_000 },
  });
  const { consumerTag } = await peer.channel.consume('top.taken', () => undefined, {
    exclusive: true,
  });
  await using echo = await openEcho({
    urls: [rabbit.url],
    services: [
      { exchange: 'top.fine', routingKey: 'taken', queue: 'top.taken' },
      { exchange: 'top.fine', routingKey: 'calm' },
    ],
    watchMs: 100,
  });
  await eventually(() => {
    const [taken, calm] = echo.broker.status().services;
    expect(taken?.problem?.message).toMatch(/ACCESS_REFUSED/);
    expect(calm?.consuming).toBe(true);
  });
  const deaths = () => echo.log.filter((line) => line['event'] === 'broker.consuming').length;
  const before = deaths();
  for (let i = 0; i < 20; i += 1) {
    peer.send('top.fine', 'calm', 'x', { correlationId: `calm-${i}` });
    await eventually(() => expect(peer.got.get(`calm-${i}`)).toEqual(['x']));
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
  expect(deaths()).toBe(before);
  await peer.channel.cancel(consumerTag);
  await echo.ready();
});

test('an exchange deleted and made anew by somebody is bound again', async () => {
  await using peer = await openPeer(rabbit.url);
  await using echo = await openEcho({
    urls: [rabbit.url],
    services: [{ exchange: 'top.lost', routingKey: 'k' }],
    watchMs: 100,
  });
  await echo.ready();
  await peer.channel.deleteExchange('top.lost');
  await peer.channel.assertExchange('top.lost', 'direct', { durable: true });
  await eventually(() => {
    peer.send('top.lost', 'k', 'x', { correlationId: 'lost' });
    expect(peer.got.has('lost')).toBe(true);
  });
});

test('services come and go at run time; a queue that is left keeps its messages', async () => {
  await using peer = await openPeer(rabbit.url);
  await using echo = await openEcho({ urls: [rabbit.url] });
  await eventually(() => expect(echo.broker.status().reason).toBe('no service to consume'));
  const one = { exchange: 'top.run', routingKey: 'one' };
  const two = { exchange: 'top.run', routingKey: 'two' };
  await echo.broker.setServices([one]);
  await echo.ready();
  await echo.broker.setServices([one, two]);
  await echo.ready();
  for (const key of ['one', 'two']) peer.send('top.run', key, key, { correlationId: key });
  await eventually(() => expect(peer.got.size).toBe(2));
  await echo.broker.setServices([two]);
  peer.send('top.run', 'one', 'kept', { correlationId: 'kept' });
  await eventually(async () => {
    expect(await peer.channel.checkQueue('vcx.top.run.one')).toMatchObject({
      consumerCount: 0,
      messageCount: 1,
    });
  });
  await echo.broker.setServices([one]);
  await eventually(() => expect(peer.got.get('kept')).toEqual(['kept']));
});

test.each([false, true])(
  'the prefetch window holds over all queues together and can be changed (quorum: %s)',
  async (quorum) => {
    await using peer = await openPeer(rabbit.url);
    const exchange = `top.window.${quorum}`;
    const services = ['a', 'b'].map((routingKey) => ({ exchange, routingKey }));
    await using echo = await openEcho(
      { urls: [rabbit.url], services, prefetch: 4, queue: { quorum, messageTtlMs: null } },
      () => undefined,
    );
    await echo.ready();
    for (let i = 0; i < 40; i += 1) peer.send(exchange, i % 2 ? 'a' : 'b', String(i));
    await eventually(() => expect(echo.deliveries).toHaveLength(4));
    for (const delivery of echo.deliveries) delivery.ack();
    await eventually(() => expect(echo.deliveries).toHaveLength(8));
    expect(echo.broker.status().unsettled).toBe(4);
    for (const delivery of echo.deliveries) delivery.ack();
    await eventually(() => expect(echo.deliveries).toHaveLength(12));
    await echo.broker.setPrefetch(0);
    expect(echo.broker.status().reason).toBe('prefetch is 0');
    for (const delivery of echo.deliveries) delivery.ack();
    await echo.broker.setPrefetch(6);
    await eventually(() => expect(echo.deliveries).toHaveLength(18));
    expect(echo.broker.status().unsettled).toBe(6);
  },
);

test('a quorum queue made by somebody else is consumed too, though it refuses a shared window', async () => {
  await using peer = await openPeer(rabbit.url);
  await peer.channel.assertQueue('top.foreign', {
    durable: true,
    arguments: { 'x-queue-type': 'quorum' },
  });
  await using echo = await openEcho({
    urls: [rabbit.url],
    services: [{ exchange: 'top.fine', routingKey: 'foreign', queue: 'top.foreign' }],
  });
  await echo.ready();
  peer.send('top.fine', 'foreign', 'x', { correlationId: 'foreign' });
  await eventually(() => expect(peer.got.get('foreign')).toEqual(['x']));
});

test('with rights to read and write only, what an operator has made is used', async () => {
  await using peer = await openPeer(rabbit.url);
  await peer.channel.assertExchange('top.strict', 'direct', { durable: true });
  await peer.channel.assertQueue('top.strict.q', { durable: true });
  await peer.channel.bindQueue('top.strict.q', 'top.strict', 'k');
  const url = await rabbit.account({
    configure: '^$',
    write: String.raw`^(vcd\.reply)$`,
    read: String.raw`^top\.strict\.q$`,
  });
  await using echo = await openEcho({
    urls: [url],
    services: [{ exchange: 'top.strict', routingKey: 'k', queue: 'top.strict.q' }],
    deadLetter: { exchange: 'strict.dead', queue: 'strict.dead' },
  });
  await echo.ready();
  expect(
    echo.broker
      .topologyReport()
      .filter((entry) => entry.of !== 'dead-letter')
      .map((entry) => entry.state),
  ).toEqual(['unchecked', 'unchecked', 'unchecked']);
  expect(echo.broker.status().deadLetterProblem).toMatch(/strict\.dead.*can not be made/);
  peer.send('top.strict', 'k', 'x', { correlationId: 'strict' });
  await eventually(() => expect(peer.got.get('strict')).toEqual(['x']));
  const parked = await echo.broker.park(
    { reason: 'r', body: new Uint8Array(1) },
    AbortSignal.timeout(5_000),
  );
  expect(parked).toBe(false);
});

test('disposing again, or before anything was connected, ends at once', async () => {
  const broker = await openBroker({ urls: [rabbit.url] });
  await Promise.all([broker[Symbol.asyncDispose](), broker[Symbol.asyncDispose]()]);
  await broker[Symbol.asyncDispose]();
  expect(broker.status()).toMatchObject({ consuming: false });
});
