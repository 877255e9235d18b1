/** A broker that is stopped for a while: what the cells tell waits there, and what a plug-in failed on is kept by the broker. */
import { type Channel, connect } from 'amqplib';
import { afterAll, beforeAll, expect, test } from 'vitest';

import { openBroker } from '../../../host/broker/broker.ts';
import { type Cells, openCells } from '../../../sdk/localcloud/cell/open.ts';
import { type RabbitNode, openRabbit } from '../../../sdk/localcloud/rabbitmq.ts';
import { eventually } from '../../support/broker/echo.ts';
import { openCloud } from '../../support/cloud.ts';
import { waitFor } from '../../support/wait.ts';

const JSON_FORM = 'vcd.notifications20';
const PLUGIN = 'listener';
const stack = new AsyncDisposableStack();
let rabbit: RabbitNode;
let cells: Cells;

beforeAll(async () => {
  rabbit = stack.use(await openRabbit());
  cells = stack.use(await openCells({ amqpUrl: rabbit.url, count: 1 }));
});
afterAll(() => stack.disposeAsync());

/** A channel of the moment, closed with its connection after the work. */
async function onChannel<T>(work: (channel: Channel) => Promise<T>): Promise<T> {
  const connection = await connect(rabbit.url, { noDelay: true });
  try {
    return await work(await connection.createChannel());
  } finally {
    await connection.close();
  }
}

test('events wait at the cell, flow again afterwards, and parked ones are still there', async () => {
  const cloud = openCloud({ cells });
  const got: string[] = [];
  await using broker = await openBroker({ urls: [rabbit.url], watchMs: 500 });
  const { events } = broker;
  events.consume((delivery) => {
    const { eventId, type } = JSON.parse(new TextDecoder().decode(delivery.body)) as {
      eventId: string;
      type: string;
    };
    if (type.endsWith('bad')) return void delivery.park('PLUGIN_THREW', 'boom');
    got.push(eventId);
    return delivery.ack();
  });
  const bindings = ['*.*.*.*.org.example.#'];
  const retry = { maxAttempts: 3, retryMs: [50], prefetch: 10, ordered: true };
  await events.setSubscriptions([{ plugin: PLUGIN, exchanges: [JSON_FORM], bindings, ...retry }]);
  await eventually(() => expect(events.status()).toMatchObject({ consuming: true }));
  await onChannel(async (channel) => {
    await channel.assertQueue('later', { durable: true });
    await channel.bindQueue('later', JSON_FORM, '#.later');
  });
  await cloud.emit({ type: 'org/example/bad' });
  await eventually(async () => expect((await events.parked.list(PLUGIN)).total).toBe(1));

  await rabbit.stop();
  await eventually(() => expect(events.status().consuming).toBe(false));
  await expect(events.parked.list(PLUGIN)).rejects.toMatchObject({ code: 'BROKER_UNAVAILABLE' });
  const { eventIds } = await cloud.emit({ type: 'org/example/later', count: 10 });
  expect(cells.notified().waiting).toBeGreaterThanOrEqual(10);
  await rabbit.start();

  await eventually(() => expect(events.status()).toMatchObject({ consuming: true }), 30_000);
  await waitFor(() => new Set(got).size >= 10);
  // An event that the broker had not confirmed when it went may come twice.
  expect([...new Set(got)]).toEqual(eventIds);
  expect((await events.parked.list(PLUGIN)).total).toBe(1);
  const kept = await onChannel((channel) => channel.checkQueue('later'));
  expect(kept.messageCount).toBeGreaterThanOrEqual(10);
});
