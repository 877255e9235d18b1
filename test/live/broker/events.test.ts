/** Notifications over a real broker: queues and bindings, retries by the broker itself, what is parked, and lost connections. */
import { randomUUID } from 'node:crypto';

import { afterAll, beforeAll, expect, test } from 'vitest';

import { type Broker, openBroker } from '../../../host/broker/broker.ts';
import { createMemoryBindings } from '../../../host/broker/events/memory-bindings.ts';
import type { BrokerOptions } from '../../../host/broker/options.ts';
import type { EventDelivery, EventTransport, Subscription } from '../../../host/message/events.ts';
import { ackFrame } from '../../support/broker/amqp-frames.ts';
import { type Peer, openPeer } from '../../support/broker/amqp-peer.ts';
import { eventually } from '../../support/broker/echo.ts';
import { eventMessage } from '../../support/pipeline/events.ts';
import { bindingsOf, exchangesOf } from '../../support/rabbit/facts.ts';
import { type Vhost, openVhost } from '../../support/rabbit/vhost.ts';
import { openTcpProxy } from '../../support/broker/tcp-proxy.ts';

let rabbit: Vhost;
let peer: Peer;
beforeAll(async () => {
  rabbit = await openVhost();
  peer = await openPeer(rabbit.url);
});
afterAll(async () => {
  await peer[Symbol.asyncDispose]();
  await rabbit[Symbol.asyncDispose]();
});

interface Listener extends AsyncDisposable {
  readonly broker: Broker;
  readonly events: EventTransport;
  readonly got: EventDelivery[];
  readonly texts: () => string[];
}

const text = (delivery: EventDelivery) => new TextDecoder().decode(delivery.body);

/** A transport that gathers events; `handle` settles them, or nobody does. */
async function listen(
  list: readonly Subscription[],
  handle: (delivery: EventDelivery) => unknown = () => undefined,
  options: Partial<BrokerOptions> = {},
): Promise<Listener> {
  const broker = await openBroker({ urls: [rabbit.url], watchMs: 500, ...options });
  const got: EventDelivery[] = [];
  broker.events.consume((delivery) => {
    got.push(delivery);
    void handle(delivery);
  });
  await broker.events.setSubscriptions(list);
  return {
    broker,
    events: broker.events,
    got,
    texts: () => got.map(text),
    [Symbol.asyncDispose]: () => broker[Symbol.asyncDispose](),
  };
}

const ready = (events: EventTransport) =>
  eventually(() => expect(events.status()).toMatchObject({ consuming: true, reason: null }));

/** A subscription of a plug-in of its own, to an exchange that is there unless told otherwise. */
async function subscribed(changes: Partial<Subscription> = {}): Promise<Subscription> {
  const plugin = `p-${randomUUID().slice(0, 8)}`;
  const exchange = `cloud.${plugin}`;
  if (!changes.exchanges) await peer.channel.assertExchange(exchange, 'topic', { durable: true });
  return {
    plugin,
    exchanges: [exchange],
    bindings: ['true.*.*.*.#'],
    prefetch: 10,
    maxAttempts: 3,
    retryMs: [50, 100],
    ordered: true,
    ...changes,
  };
}

const send = (
  exchange = '',
  body = 'x',
  headers: Record<string, unknown> = {},
  key = 'true.e.o.u.a.b',
) => peer.send(exchange, key, body, { headers, contentType: 'text/plain', persistent: true });

const depth = async (queue: string) => (await peer.channel.checkQueue(queue)).messageCount;

test('an event arrives with its address, headers and body, and is off the queue after the acknowledgement', async () => {
  const sub = await subscribed();
  await using one = await listen([sub]);
  await ready(one.events);
  const { routingKey, headers, body } = eventMessage('xml');
  const [exchange = ''] = sub.exchanges;
  peer.channel.publish(exchange, routingKey, body, { headers, contentType: 'application/xml' });
  await eventually(() => expect(one.got).toHaveLength(1));
  expect(one.got[0]).toMatchObject({
    plugin: sub.plugin,
    exchange,
    routingKey,
    headers,
    contentType: 'application/xml',
    attempt: 1,
    firstSeenAt: null,
    redelivered: false,
  });
  expect(one.got[0]?.body).toEqual(body);
  one.got[0]?.ack();
  await one.broker[Symbol.asyncDispose]();
  expect(await depth(`vcx.events.${sub.plugin}`)).toBe(0);
});

test('bindings follow the subscription, also those of an earlier run', async () => {
  const sub = await subscribed({ bindings: ['true.#', 'false.e.#'] });
  const [exchange = ''] = sub.exchanges;
  const known = createMemoryBindings();
  const queue = `vcx.events.${sub.plugin}`;
  const bound = () => bindingsOf(rabbit, exchange, queue);
  const events = { known };
  {
    await using one = await listen([sub], (delivery) => delivery.ack(), { events });
    await ready(one.events);
    expect(await bound()).toEqual(['false.e.#', 'true.#']);
    await one.events.setSubscriptions([{ ...sub, bindings: ['true.#', 'true.x.#'] }]);
    expect(await bound()).toEqual(['true.#', 'true.x.#']);
    send(exchange, 'a', {}, 'false.e.o.u.a');
    send(exchange, 'b', {}, 'true.e.o.u.a');
    await eventually(() => expect(one.texts()).toEqual(['b']));
  }
  await using two = await listen([{ ...sub, bindings: ['false.#'] }], undefined, { events });
  await ready(two.events);
  expect(await bound()).toEqual(['false.#']);
  expect(await known.get(queue)).toEqual([{ exchange, pattern: 'false.#' }]);

  await two.events.setSubscriptions([]);
  await eventually(() => expect(two.events.status().orphans).toEqual([sub.plugin]));
  expect(await bound()).toEqual(['false.#']);
  expect(await two.events.forget(sub.plugin)).toEqual([]);
  expect(await bound()).toEqual([]);
  await using other = await openPeer(rabbit.url);
  await expect(other.channel.checkQueue(queue)).rejects.toThrow(/NOT_FOUND/);
  await eventually(() => expect(two.events.status().orphans).toEqual([]));
});

test("vCloud's exchange is waited for and never made, and others are served meanwhile", async () => {
  const exchange = `late.${randomUUID()}`;
  const waiting = await subscribed({ exchanges: [exchange] });
  const fine = await subscribed();
  await using one = await listen([waiting, fine], (delivery) => delivery.ack());
  await eventually(() => expect(one.events.status().subscriptions[1]?.consuming).toBe(true));
  expect(one.events.status()).toMatchObject({
    consuming: false,
    reason: expect.stringMatching(new RegExp(`waiting for the exchange ${exchange}`)),
    subscriptions: [
      { plugin: waiting.plugin, missing: [exchange], problem: null },
      { plugin: fine.plugin, missing: [], problem: null },
    ],
  });
  send(fine.exchanges[0], 'fine');
  await eventually(() => expect(one.texts()).toEqual(['fine']));
  expect(await exchangesOf(rabbit)).not.toContain(exchange);
  await peer.channel.assertExchange(exchange, 'topic', { durable: true });
  await ready(one.events);
  send(exchange, 'late');
  await eventually(() => expect(one.texts()).toEqual(['fine', 'late']));
});

test('a failing event comes back with growing pauses by the broker, its first address kept, and is parked at the end', async () => {
  const sub = await subscribed({ maxAttempts: 4, retryMs: [100, 200, 400] });
  const at: number[] = [];
  const moved: unknown[] = [];
  await using one = await listen([sub], async (delivery) => {
    at.push(performance.now());
    moved.push(await delivery.retry('boom'));
  });
  await ready(one.events);
  const began = Date.now();
  const headers = { 'notification.type': 'a/b', n: 5, flag: true, 'x-other': 1 };
  send(sub.exchanges[0], 'poison', headers);
  await eventually(() => expect(moved).toHaveLength(4));
  expect(one.got.map(({ attempt }) => attempt)).toEqual([1, 2, 3, 4]);
  for (const [i, least] of [100, 200, 400].entries())
    expect((at[i + 1] ?? 0) - (at[i] ?? 0)).toBeGreaterThan(least - 5);
  expect(moved).toMatchObject([
    { kind: 'later', pauseMs: 100 },
    { kind: 'later', pauseMs: 200 },
    { kind: 'later', pauseMs: 400 },
    { kind: 'parked', code: 'EVENT_ATTEMPTS_EXHAUSTED' },
  ]);
  const { headers: last, ...rest } = one.got[3] as EventDelivery;
  expect(last).toMatchObject({ 'notification.type': 'a/b', n: 5, flag: true });
  expect(Object.keys(last).filter((name) => name.startsWith('x-vcx'))).toEqual([]);
  expect(rest).toBeDefined();
  expect(one.got[3]).toMatchObject({
    exchange: sub.exchanges[0],
    routingKey: 'true.e.o.u.a.b',
    contentType: 'text/plain',
  });
  expect(one.got[3]?.firstSeenAt).toBeGreaterThanOrEqual(began);
  const { events } = await one.events.parked.list(sub.plugin);
  expect(events).toMatchObject([
    { code: 'EVENT_ATTEMPTS_EXHAUSTED', reason: 'attempt 4: boom', attempts: 4, bodyBytes: 6 },
  ]);
});

test("headers that pretend to be ours count for nothing on vCloud's exchange, and nobody is sent a copy", async () => {
  const sub = await subscribed();
  const trap = await peer.channel.assertQueue('', { exclusive: true });
  await using one = await listen([sub], (delivery) =>
    delivery.attempt < 3 ? delivery.retry('again') : delivery.ack(),
  );
  await ready(one.events);
  peer.channel.publish(sub.exchanges[0] ?? '', 'true.e.o.u.a', Buffer.from('x'), {
    headers: {
      'x-vcx-attempt': 99,
      'x-vcx-exchange': 'other',
      'X-Vcx-Reason': 'none',
      'x-first-death-queue': 'q',
      bcc: trap.queue,
      deep: { a: [1] },
      long: 'y'.repeat(60_000),
      kept: 'k',
    },
  });
  await eventually(() => expect(one.got.map(({ attempt }) => attempt)).toEqual([1, 2, 3]));
  expect(one.got[0]).toMatchObject({ exchange: sub.exchanges[0] });
  expect(one.got[0]?.headers).not.toHaveProperty('x-vcx-attempt');
  expect(one.got[0]?.headers).not.toHaveProperty('X-Vcx-Reason');
  expect(one.got[2]?.headers).toMatchObject({ kept: 'k' });
  for (const name of ['deep', 'long', 'bcc', 'x-first-death-queue'])
    expect(one.got[2]?.headers).not.toHaveProperty(name);
  expect(await depth(trap.queue)).toBe(0);
});

test('an event deferred with the pause of a retried one comes back behind it, and counts no attempt', async () => {
  const sub = await subscribed({ retryMs: [150], maxAttempts: 5 });
  await using one = await listen([sub], async (delivery) => {
    if (delivery.firstSeenAt !== null) return delivery.ack();
    if (text(delivery) === 'first') void delivery.retry('boom');
    else void delivery.defer(150);
  });
  await ready(one.events);
  for (const body of ['first', 'second', 'third']) send(sub.exchanges[0], body);
  await eventually(() => expect(one.got).toHaveLength(6));
  expect(one.texts().slice(3)).toEqual(['first', 'second', 'third']);
  expect(one.got.slice(3).map(({ attempt }) => attempt)).toEqual([2, 1, 1]);
});

test('poison events hold up nobody, and the window of a plug-in is kept', async () => {
  const sub = await subscribed({ prefetch: 4, retryMs: [30_000], maxAttempts: 2 });
  const done: string[] = [];
  let most = 0;
  await using one = await listen([sub], async (delivery) => {
    most = Math.max(most, one.events.status().subscriptions[0]?.unsettled ?? 0);
    if (text(delivery).startsWith('poison')) return delivery.retry('boom');
    done.push(text(delivery));
    return delivery.ack();
  });
  await ready(one.events);
  for (let i = 0; i < 300; i += 1) send(sub.exchanges[0], i % 10 === 0 ? `poison-${i}` : `${i}`);
  await eventually(() => expect(done).toHaveLength(270));
  expect(most).toBeLessThanOrEqual(4);
  await eventually(async () => {
    expect(await depth(`vcx.events.${sub.plugin}.retry.30000`)).toBe(30);
  });

  const held: EventDelivery[] = [];
  await using two = await listen([await subscribed({ prefetch: 3 })], (one) => held.push(one));
  await ready(two.events);
  const [{ queue } = { queue: '' }] = two.events.status().subscriptions;
  for (let i = 0; i < 10; i += 1) send('vcx.events', String(i), {}, queue);
  await eventually(async () => expect(await depth(queue)).toBe(7));
  expect(held).toHaveLength(3);
});

test('parked events are listed in order, read without their bodies, replayed as new and dropped', async () => {
  const sub = await subscribed();
  let park = true;
  await using one = await listen([sub], (delivery) =>
    park ? delivery.park('PLUGIN_THREW', 'boom\nbang') : delivery.ack(),
  );
  await ready(one.events);
  const { parked } = one.events;
  const { routingKey, headers, body } = eventMessage('json', { operationSuccess: true });
  for (let i = 0; i < 5; i += 1)
    peer.channel.publish(sub.exchanges[0] ?? '', routingKey, body, { headers, messageId: `${i}` });
  await eventually(() => expect(one.got).toHaveLength(5));
  await eventually(async () => expect((await parked.list(sub.plugin)).total).toBe(5));
  const first = (await parked.list(sub.plugin, { limit: 2 })).events;
  const all = (await parked.list(sub.plugin)).events.map(({ id }) => id);
  expect(first.map(({ id }) => id)).toEqual(all.slice(0, 2));
  expect(first[0]).toMatchObject({ code: 'PLUGIN_THREW', reason: 'boom\nbang', routingKey });

  const [a = '', b = '', c = '', d = '', e = ''] = all;
  const read = await parked.read(sub.plugin, c);
  expect(read).toMatchObject({
    id: c,
    kept: true,
    event: { type: 'com/vmware/vcloud/event/vm/create' },
  });
  expect(await parked.read(sub.plugin, 'nobody')).toBeNull();
  expect((await parked.list(sub.plugin)).events.map(({ id }) => id)).toEqual(all);

  park = false;
  expect(await parked.replay(sub.plugin, [b, 'nobody'])).toEqual({
    done: 1,
    failed: [{ id: 'nobody', reason: 'not parked' }],
  });
  await eventually(() => expect(one.got).toHaveLength(6));
  expect(one.got[5]).toMatchObject({ attempt: 1, firstSeenAt: null, routingKey, headers });
  expect(one.got[5]?.exchange).toBe(sub.exchanges[0]);
  expect(await parked.drop(sub.plugin, [d])).toEqual({ done: 1, failed: [] });
  expect((await parked.list(sub.plugin)).events.map(({ id }) => id)).toEqual([a, c, e]);
  expect(await parked.replay(sub.plugin, 'all')).toEqual({ done: 3, failed: [] });
  await eventually(() => expect(one.got).toHaveLength(9));
  expect(await parked.list(sub.plugin)).toEqual({ events: [], total: 0 });
  expect(await parked.list('never-seen')).toEqual({ events: [], total: 0 });
});

test('an event that is too large to travel is parked without its body and says so', async () => {
  const sub = await subscribed();
  await using one = await listen([sub], (delivery) => delivery.retry('boom'), {
    events: { maxBodyBytes: 1_000 },
  });
  await ready(one.events);
  send(sub.exchanges[0], 'x'.repeat(1_001));
  const { parked } = one.events;
  await eventually(async () => expect((await parked.list(sub.plugin)).total).toBe(1));
  const [found] = (await parked.list(sub.plugin)).events;
  expect(found).toMatchObject({ code: 'EVENT_TOO_LARGE', bodyBytes: 1_001 });
  const id = found?.id ?? '';
  expect(await parked.read(sub.plugin, id)).toMatchObject({ kept: false, event: null });
  expect(await parked.replay(sub.plugin, [id])).toMatchObject({
    done: 0,
    failed: [{ id, reason: expect.stringMatching(/too large/) }],
  });
  expect((await parked.list(sub.plugin)).total).toBe(1);
});

/** Number of the one channel that has an event in hand. */
async function channelInUse(): Promise<number> {
  const fields = ['vhost', 'number', 'messages_unacknowledged'];
  const rows = (await rabbit.ctl('list_channels', ...fields)).split('\n');
  const used = rows
    .map((row) => row.split('\t'))
    .filter(([vhost, , unacked]) => vhost === rabbit.name && unacked === '1');
  expect(used).toHaveLength(1);
  return Number(used[0]?.[1]);
}

test('queues and exchange that somebody deletes are made anew, and a retry finds its way', async () => {
  const sub = await subscribed({ retryMs: [50] });
  await using one = await listen([sub], undefined, { watchMs: 60_000 });
  await ready(one.events);
  const base = `vcx.events.${sub.plugin}`;
  send(sub.exchanges[0], 'a');
  await eventually(() => expect(one.got).toHaveLength(1));
  await peer.channel.deleteQueue(`${base}.retry.50`);
  expect(await one.got[0]?.retry('boom')).toMatchObject({ kind: 'later' });
  await eventually(() => expect(one.got).toHaveLength(2));
  await peer.channel.deleteExchange('vcx.events');
  expect(await one.got[1]?.retry('boom')).toMatchObject({ kind: 'later' });
  await eventually(() => expect(one.got).toHaveLength(3));
  one.got[2]?.ack();
  await peer.channel.deleteQueue(base);
  await eventually(() => {
    send(sub.exchanges[0], 'b');
    expect(one.texts()).toContain('b');
  });
});

test('a channel that dies is replaced, and the events in hand come again', async () => {
  await using proxy = await openTcpProxy(rabbit.port);
  const sub = await subscribed();
  await using one = await listen([sub], undefined, {
    urls: [rabbit.by(proxy.port)],
    watchMs: 60_000,
    canary: { everyMs: 0 },
  });
  await ready(one.events);
  send(sub.exchanges[0], 'a');
  await eventually(() => expect(one.got).toHaveLength(1));
  const { accepted } = proxy;
  proxy.inject('vcx/consume', ackFrame(await channelInUse(), 999n));
  await eventually(() => expect(one.got.length).toBeGreaterThan(1));
  one.got[0]?.ack();
  expect(await one.got[0]?.retry('late')).toEqual({ kind: 'settled' });
  const again = one.got.at(-1);
  expect(again?.redelivered).toBe(true);
  again?.ack();
  await eventually(async () => expect(await depth(`vcx.events.${sub.plugin}`)).toBe(0));
  expect(proxy.accepted).toBe(accepted);
});

test('nothing is lost while connections are cut again and again', async () => {
  await using proxy = await openTcpProxy(rabbit.port);
  const sub = await subscribed({ prefetch: 20, retryMs: [20, 40], maxAttempts: 50 });
  const done = new Set<string>();
  await using one = await listen(
    [sub],
    async (delivery) => {
      const name = text(delivery);
      if (delivery.attempt === 1 && Number(name) % 3 === 0) return delivery.retry('once');
      await new Promise((resolve) => setImmediate(resolve));
      done.add(name);
      return delivery.ack();
    },
    { urls: [rabbit.by(proxy.port)], recovery: { initialMs: 20, maxMs: 100 } },
  );
  await ready(one.events);
  const total = 1_500;
  for (let i = 0; i < total; i += 1) {
    send(sub.exchanges[0], String(i));
    if (i % 300 === 299) {
      const seen = done.size;
      await eventually(() => expect(done.size).toBeGreaterThan(seen));
      proxy.cut();
    }
  }
  await eventually(() => expect(done.size).toBe(total), 40_000);
  await ready(one.events);
  const base = `vcx.events.${sub.plugin}`;
  await eventually(async () => {
    for (const queue of [base, `${base}.retry.20`, `${base}.retry.40`])
      expect(await depth(queue)).toBe(0);
  });
});

test('of two hosts one gets the events of an ordered plug-in, and the other takes over', async () => {
  const sub = await subscribed();
  await using one = await listen([sub], (delivery) => delivery.ack());
  await ready(one.events);
  await using two = await listen([sub], (delivery) => delivery.ack());
  await ready(two.events);
  for (let i = 0; i < 20; i += 1) send(sub.exchanges[0], String(i));
  await eventually(() => expect(one.got).toHaveLength(20));
  expect(two.got).toHaveLength(0);
  await one.broker[Symbol.asyncDispose]();
  send(sub.exchanges[0], 'next');
  await eventually(() => expect(two.texts()).toEqual(['next']));
});
