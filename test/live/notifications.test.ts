/** Notifications through the whole path: cell, both exchanges, broker, host, guest. */
import { fileURLToPath } from 'node:url';

import { connect, type Channel, type ChannelModel } from 'amqplib';
import { afterAll, beforeAll, expect, test } from 'vitest';

import type { SubscriptionStatus } from '../../host/message/events.ts';
import { openCloud, type Cloud } from '../support/cloud.ts';
import { eventMessage } from '../support/events.ts';
import { EXAMPLES, openLive, type Live } from '../support/live.ts';
import { askOperator, metricOf } from '../support/operator.ts';
import { waitFor } from '../support/wait.ts';

const LISTENERS = fileURLToPath(new URL('../support/listeners', import.meta.url));
const XML = 'systemExchange';
const JSON_FORM = 'vcd.notifications20';

const stack = new AsyncDisposableStack();
let live: Live;
let cloud: Cloud;
let channel: Channel;

beforeAll(async () => {
  live = stack.use(
    await openLive({
      folders: [EXAMPLES, LISTENERS],
      settings: {
        VCX_NOTIFICATIONS_EXCHANGES: JSON.stringify([XML, JSON_FORM]),
        VCX_NOTIFICATIONS_RETRY_MS: '[100, 200]',
      },
    }),
  );
  cloud = openCloud(live);
  await askOperator(live.host, 'PUT /api/v1/plugins/undecided/tenants', { orgs: [] });
  const connection: ChannelModel = await connect(live.rabbit.url);
  stack.defer(() => connection.close());
  channel = await connection.createChannel();
  await waitFor(
    () => live.host.health().dependencies['notifications']?.ok === true,
    () => JSON.stringify(live.host.health()),
  );
});
afterAll(() => stack.disposeAsync());

/** What a plug-in wrote, for an org when one is named. */
function said(plugin: string, org?: string): string[] {
  const wanted = org === undefined ? {} : { org: `urn:vcloud:org:${cloud.orgId(org)}` };
  const lines = live.host.logbook.read({ plugin, limit: 2_000, ...wanted });
  return lines.filter(({ kind }) => kind === 'log').map(({ text }) => text);
}

/** Calls of the notification handler. */
const tries = (plugin: string, type: string) =>
  live.host.logbook
    .read({ plugin, limit: 2_000 })
    .filter(({ kind, call }) => kind === 'call' && call?.path === type);

function publish(exchange: string, routingKey: string, body: string | Buffer, headers = {}): void {
  channel.publish(exchange, routingKey, Buffer.from(body), { headers, persistent: true });
}

async function subscription(plugin: string): Promise<SubscriptionStatus> {
  const status = (await live.status()) as {
    notifications: { subscriptions: readonly SubscriptionStatus[] };
  };
  const found = status.notifications.subscriptions.find((one) => one.plugin === plugin);
  if (!found) throw new Error(`no subscription of ${plugin}`);
  return found;
}

test("a new vApp is in its own org's audit log, and in no other's", async () => {
  await cloud.ended('acme', await cloud.instantiate('acme', 'audited'));
  const log = async (org: string) => {
    const alice = await cloud.as(`alice@${org}`);
    const answer = await alice.get(`/api/org/${cloud.orgId(org)}/audit`);
    expect(answer.status, answer.text).toBe(200);
    return answer.text;
  };
  await expect.poll(() => log('acme'), { timeout: 20_000 }).toContain('vapp/create"');
  expect(await log('acme')).toContain('"audited"');
  expect(await log('globex')).not.toContain('audited');
  const alice = await cloud.as('alice@globex');
  expect((await alice.get(`/api/org/${cloud.orgId('acme')}/audit`)).status).toBe(403);
});

test('an event that comes in both forms is handled once', async () => {
  const type = 'com/vmware/vcloud/event/vm/create';
  const { eventIds } = await cloud.emit({ type, org: 'acme', count: 200, entities: 20 });
  await waitFor(() => said('witness').length >= 200);
  // Both copies are acknowledged.
  await waitFor(async () => {
    const { unsettled, queue } = await subscription('witness');
    return unsettled === 0 && (await channel.checkQueue(queue)).messageCount === 0;
  });
  expect(said('witness').toSorted()).toEqual(eventIds.toSorted());
});

test('an org that does not have the plug-in is not even bound, and its events never reach it', async () => {
  const bound = async () =>
    (await live.rabbit.ctl('list_bindings', 'destination_name', 'routing_key'))
      .split('\n')
      .filter((line) => line.startsWith('vcx.events.local\t') && line.includes('com.vmware'));
  expect(await bound()).toEqual([]);
  const path = 'PUT /api/v1/plugins/local/tenants';
  await askOperator(live.host, path, { orgs: [cloud.orgId('acme')] });
  await waitFor(async () => (await bound()).length === 2);
  expect((await bound()).every((line) => line.includes(cloud.orgId('acme')))).toBe(true);
  const type = 'com/vmware/vcloud/event/vm/modify';
  const theirs = await cloud.emit({ type, org: 'globex' });
  const ours = await cloud.emit({ type, org: 'acme' });
  await waitFor(() => said('local').includes(ours.eventId));
  expect(said('local')).toEqual([ours.eventId]);
  await waitFor(() => said('witness', 'globex').includes(theirs.eventId));
  // Given past the bindings too: the host itself looks whose it is.
  const foreign = eventMessage('json', { org: `urn:vcloud:org:${cloud.orgId('globex')}` });
  publish('vcx.events', 'vcx.events.local', foreign.body, foreign.headers);
  const refused = () => metricOf(live.host, 'vcx_events_total', 'plugin="local",outcome="foreign"');
  await waitFor(async () => (await refused()) === 1);
  expect(said('local')).toEqual([ours.eventId]);

  await askOperator(live.host, path, { orgs: [] });
  await waitFor(async () => (await bound()).length === 0);
});

test('what can not be read is parked with its code; what lacks headers or names an unknown object is handled', async () => {
  const key = `true.x.${cloud.orgId('acme')}.x.com.vmware.vcloud.event.vm.create`;
  publish(XML, key, '<Notification');
  publish(XML, key, '<!DOCTYPE a [<!ENTITY b "&c;&c;"><!ENTITY c "&d;">]><a>&b;</a>');
  publish(JSON_FORM, key, '{"eventId": 1');
  publish(JSON_FORM, key, '');
  const bare = eventMessage('xml', {
    eventId: 'no-headers',
    type: 'com/vmware/vcloud/event/vm/resolves',
    org: `urn:vcloud:org:${cloud.orgId('acme')}`,
  });
  publish(XML, bare.routingKey, bare.body);
  await waitFor(() => said('witness').includes('no-headers'));
  // The unknown object is resolved to nothing.
  expect(said('witness').at(-2)).toBe('null');
  const list = () => askOperator(live.host, 'GET /api/v1/events/witness');
  await waitFor(async () => ((await list()).body as { total: number }).total === 4);
  const { body } = await list();
  expect((body as { events: { code: string }[] }).events.map(({ code }) => code)).toEqual(
    Array(4).fill('EVENT_INVALID'),
  );
  expect(await askOperator(live.host, 'DELETE /api/v1/events/witness', { ids: 'all' })).toEqual({
    status: 200,
    body: { done: 4, failed: [] },
  });
});

test('an event on which the plug-in fails is tried again, parked, and replayed when an operator says so', async () => {
  const type = 'com/vmware/vcloud/event/vm/throws';
  const entity = 'urn:vcloud:vm:00000000-0000-4000-8000-0000000000aa';
  const { eventId } = await cloud.emit({ type, org: 'acme', entity });
  const next = await cloud.emit({ type: 'com/vmware/vcloud/event/vm/modify', org: 'acme', entity });
  const spins = await cloud.emit({ type: 'com/vmware/vcloud/event/vm/spins', org: 'acme' });
  const parked = async () => {
    const { body } = await askOperator(live.host, 'GET /api/v1/events/witness');
    return (body as { events: { id: string; reason: string; attempts: number }[] }).events;
  };
  await waitFor(async () => (await parked()).length >= 2);
  // Two tries, not one for each form; and nothing of the entity came before it was given up on.
  await waitFor(() => said('witness').includes(next.eventId));
  expect(tries('witness', type).map(({ call }) => call?.method)).toEqual(['EVENT', 'EVENT(2)']);
  const all = await parked();
  const reasons = all.map(({ reason }) => reason).toSorted();
  expect(reasons).toEqual([
    expect.stringMatching(/CPU_EXCEEDED/),
    expect.stringMatching(/PLUGIN_THREW/),
  ]);
  const id = all.find(({ reason }) => reason.includes('THREW'))?.id ?? '';
  const shown = await askOperator(live.host, `GET /api/v1/events/witness/${id}`);
  expect(shown.body).toMatchObject({ id, event: { eventId, type, entity: { id: entity } } });
  expect(JSON.stringify(shown.body)).not.toContain('<vmext');

  const replay = { ids: [id] };
  expect(await askOperator(live.host, 'POST /api/v1/events/witness/replay', replay)).toMatchObject({
    status: 200,
    body: { done: 1 },
  });
  await waitFor(() => tries('witness', type).length === 4);
  await waitFor(async () => (await parked()).length === 2);
  expect(spins.eventId).not.toBe(eventId);
  await askOperator(live.host, 'DELETE /api/v1/events/witness', { ids: 'all' });
});

test('a pattern that matches everything holds no more than its window, and others go on', async () => {
  const type = 'com/vmware/vcloud/event/datastore/flood';
  const count = 1_500;
  let most = 0;
  await cloud.emit({ type, org: 'globex', count, entities: 300 });
  const vm = await cloud.emit({ type: 'com/vmware/vcloud/event/vm/create', org: 'acme' });
  await waitFor(async () => {
    most = Math.max(most, (await subscription('everything')).unsettled);
    return said('witness').includes(vm.eventId);
  });
  await waitFor(
    async () => {
      const { unsettled, queue } = await subscription('everything');
      most = Math.max(most, unsettled);
      return unsettled === 0 && (await channel.checkQueue(queue)).messageCount === 0;
    },
    undefined,
    60_000,
  );
  expect(most).toBeGreaterThan(0);
  expect(most).toBeLessThanOrEqual(8);
});
