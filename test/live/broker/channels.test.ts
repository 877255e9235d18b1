/**
 * Every way in which a channel or consumer dies while its connection lives.
 *
 * The known defects of an earlier consumer of these messages, with the rule that is tested here instead:
 *  1 acknowledged before the work  -> broker-drain: a process killed with deliveries in hand loses none
 *  2 queue not durable, no prefetch -> broker-topology: made durable; the prefetch window holds
 *  4 replies lost while reconnecting -> broker-outages: waiting replies delivered; broker-replies: confirm, mandatory
 *  5 nothing kept for inspection    -> broker-replies: a parked message waits in the dead-letter queue
 *  6 connected without a consumer   -> all of this file
 *  7 fixed pauses, a minute blind   -> broker-outages: back within five seconds of the broker
 *  8 drained before the cancel      -> broker-drain: a cancel stops new deliveries first
 * 10 plain text only                -> broker-tls
 * 11 health through the bus         -> broker-outages: the status tells what it waits for
 * Those on overload (3), encoding (9) and MQTT (12) belong to other rooms.
 */
import { afterAll, beforeAll, expect, test } from 'vitest';

import type { Delivery } from '../../../host/message/delivery.ts';
import { type RabbitNode, openRabbit } from '../../../sdk/localcloud/rabbitmq.ts';
import { ackFrame, publishFrames } from '../../support/broker/amqp-frames.ts';
import { openPeer } from '../../support/broker/amqp-peer.ts';
import { type Echo, eventually, openEcho } from '../../support/broker/echo.ts';
import { openTcpProxy } from '../../support/broker/tcp-proxy.ts';

let rabbit: RabbitNode;
beforeAll(async () => {
  rabbit = await openRabbit();
  // So that a consumer which never acknowledges is punished within the time of a test.
  await rabbit.ctl(
    'eval',
    'application:set_env(rabbit, consumer_timeout, 1000), application:set_env(rabbit, channel_tick_interval, 200).',
  );
});
afterAll(() => rabbit[Symbol.asyncDispose]());

/** Open an echo behind a proxy, let it be hurt, and expect calls to be answered again. */
async function survives(
  key: string,
  hurt: (inject: (bytes: Buffer) => void) => unknown,
): Promise<Echo['log']> {
  await using proxy = await openTcpProxy(rabbit.port);
  await using peer = await openPeer(rabbit.url);
  const queue = `q.${key}`;
  await using echo = await openEcho({
    urls: [`amqp://127.0.0.1:${proxy.port}`],
    services: [{ exchange: 'ext', routingKey: key, queue }],
    watchMs: 60_000,
  });
  await echo.ready();
  const accepted = proxy.accepted;
  await hurt((bytes) => proxy.inject('vcx/consume', bytes));
  await eventually(() =>
    expect(JSON.stringify(echo.log)).toMatch(/channel_died|consumer_cancelled/),
  );
  await eventually(async () => {
    expect((await peer.channel.checkQueue(queue)).consumerCount).toBe(1);
  });
  peer.send('ext', key, 'after', { correlationId: key });
  await eventually(() => expect(peer.got.get(key)).toEqual(['after']));
  expect(proxy.accepted).toBe(accepted);
  expect(echo.broker.status()).toMatchObject({ consuming: true, reason: null });
  return echo.log;
}

test('a channel closed for an acknowledgement of an unknown tag (406) is replaced on the same connection', async () => {
  const log = await survives('double-ack', (inject) => inject(ackFrame(1, 999n)));
  expect(JSON.stringify(log)).toMatch(/unknown delivery tag/);
});

test('a channel closed for a missing exchange (404) is replaced on the same connection', async () => {
  const message = { channel: 1, exchange: 'no.such', routingKey: 'x' };
  const log = await survives('missing', (inject) => inject(publishFrames(message)));
  expect(JSON.stringify(log)).toMatch(/no exchange 'no\.such'/);
});

test('a consumer that the broker cancels because its queue was deleted gets a new queue', async () => {
  await using peer = await openPeer(rabbit.url);
  await survives('cancelled', async () => {
    await peer.channel.deleteQueue('q.cancelled');
  });
});

test('a channel that dies with acknowledgements on their way is replaced on the same connection', async () => {
  await using proxy = await openTcpProxy(rabbit.port);
  await using peer = await openPeer(rabbit.url);
  let skipped = 0;
  // An old channel is replaced without a pause: time goes on six seconds before each death.
  const clock = { now: () => Date.now(), monotonic: () => performance.now() + skipped };
  await using echo = await openEcho(
    {
      urls: [`amqp://127.0.0.1:${proxy.port}`],
      services: [{ exchange: 'ext', routingKey: 'flood', queue: 'q.flood' }],
      watchMs: 600_000,
      canary: { everyMs: 0 },
      clock,
    },
    (delivery) => delivery.ack(),
  );
  await echo.ready();
  const consuming = () => echo.log.filter((line) => line['event'] === 'broker.consuming').length;
  for (let death = 1; death <= 8; death += 1) {
    skipped += 6_000;
    const seen = echo.deliveries.length;
    for (let i = 0; i < 500; i += 1) peer.send('ext', 'flood', 'x');
    await eventually(() => expect(echo.deliveries.length).toBeGreaterThan(seen));
    proxy.inject('vcx/consume', ackFrame(1, 999_999n));
    await eventually(() => expect(consuming()).toBe(1 + death));
  }
  expect(proxy.accepted).toBe(2);
});

test('a message kept longer than the consumer timeout costs the channel, and is delivered again on the next', async () => {
  await using peer = await openPeer(rabbit.url);
  let kept: Delivery | null = null;
  await using echo = await openEcho(
    { urls: [rabbit.url], services: [{ exchange: 'ext', routingKey: 'slow' }], watchMs: 60_000 },
    (delivery) => {
      if (kept) delivery.ack();
      kept ??= delivery;
    },
  );
  await echo.ready();
  peer.send('ext', 'slow', 'kept');
  await eventually(() => expect(echo.deliveries).toHaveLength(2));
  expect(JSON.stringify(echo.log)).toMatch(/timed out|timeout/);
  expect(echo.deliveries[1]?.redelivered).toBe(true);
  // The first copy's tag belongs to a dead channel: settling it must not touch the new one.
  echo.deliveries[0]?.ack();
  echo.deliveries[0]?.requeue();
  await eventually(() => expect(echo.broker.status()).toMatchObject({ consuming: true }));
  await eventually(async () => {
    expect(await peer.channel.checkQueue('vcx.ext.slow')).toMatchObject({
      messageCount: 0,
      consumerCount: 1,
    });
  });
});

test('a receiver that throws loses neither channel nor message; one that always throws does not go round for ever', async () => {
  await using peer = await openPeer(rabbit.url);
  let throws = 0;
  await using echo = await openEcho(
    { urls: [rabbit.url], services: [{ exchange: 'ext', routingKey: 'throws' }] },
    (delivery) => {
      const text = new TextDecoder().decode(delivery.body);
      if (text === 'always' || (text === 'once' && throws === 0)) {
        throws += 1;
        throw new Error('boom');
      }
      delivery.ack();
    },
  );
  await echo.ready();
  const texts = () => echo.deliveries.map(({ body }) => new TextDecoder().decode(body));
  peer.send('ext', 'throws', 'once');
  await eventually(() => expect(texts()).toEqual(['once', 'once']));
  peer.send('ext', 'throws', 'always');
  peer.send('ext', 'throws', 'last');
  await eventually(() => expect(texts()).toContain('last'));
  await eventually(() => expect(echo.broker.status().unsettled).toBe(0));
  expect(texts().filter((text) => text === 'always')).toHaveLength(2);
  expect(echo.log.some((line) => line['event'] === 'broker.channel_died')).toBe(false);
});

test('settling twice is a no-op, and a requeued message comes again', async () => {
  await using peer = await openPeer(rabbit.url);
  await using echo = await openEcho(
    { urls: [rabbit.url], services: [{ exchange: 'ext', routingKey: 'twice' }] },
    (delivery) => {
      if (!delivery.redelivered) delivery.requeue();
      delivery.ack();
      delivery.ack();
    },
  );
  await echo.ready();
  peer.send('ext', 'twice', 'x');
  await eventually(() => expect(echo.deliveries.map((d) => d.redelivered)).toEqual([false, true]));
  peer.send('ext', 'twice', 'y');
  await eventually(() => expect(echo.deliveries).toHaveLength(4));
  expect(echo.log.some((line) => line['event'] === 'broker.channel_died')).toBe(false);
});
