/** Events on their way to a handler: each once, in order, tried again, parked, and never in the way of others. */
import { expect, test } from 'vitest';

import { eventMessage } from '../../support/pipeline/events.ts';
import { askOperator } from '../../support/operator/operator.ts';
import { waitFor } from '../../support/wait.ts';
import { EXCHANGE, type World } from './world.ts';

export function deliveryCases(world: () => World): void {
  /** Calls of the notification handler. */
  const tries = (plugin: string, type: string) =>
    world()
      .live.host.logbook.read({ plugin, limit: 2_000 })
      .filter(({ kind, call }) => kind === 'call' && call?.path === type);

  test("a new vApp is in its own org's audit log, and in no other's", async () => {
    const { cloud } = world();
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
    const { cloud, channel, said, subscription } = world();
    const type = 'com/vmware/vcloud/event/vm/create';
    const { eventIds } = await cloud.emit({ type, org: 'acme', count: 200, entities: 20 });
    await waitFor(() => said('witness', 'acme').length >= 200);
    // Both copies are acknowledged.
    await waitFor(async () => {
      const { unsettled, queue } = await subscription('witness');
      return unsettled === 0 && (await channel.checkQueue(queue)).messageCount === 0;
    });
    expect(said('witness', 'acme').toSorted()).toEqual(eventIds.toSorted());
  });

  test('what can not be read is parked with its code; what lacks headers or names an unknown object is handled', async () => {
    const { live, cloud, said, publish } = world();
    const key = `true.x.${cloud.orgId('acme')}.x.com.vmware.vcloud.event.vm.create`;
    publish(EXCHANGE.xml, key, '<Notification');
    publish(EXCHANGE.xml, key, '<!DOCTYPE a [<!ENTITY b "&c;&c;"><!ENTITY c "&d;">]><a>&b;</a>');
    publish(EXCHANGE.json, key, '{"eventId": 1');
    publish(EXCHANGE.json, key, '');
    const bare = eventMessage('xml', {
      eventId: 'no-headers',
      type: 'com/vmware/vcloud/event/vm/resolves',
      org: `urn:vcloud:org:${cloud.orgId('acme')}`,
    });
    publish(EXCHANGE.xml, bare.routingKey, bare.body);
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
    const { live, cloud, said } = world();
    const type = 'com/vmware/vcloud/event/vm/throws';
    const entity = 'urn:vcloud:vm:00000000-0000-4000-8000-0000000000aa';
    const { eventId } = await cloud.emit({ type, org: 'acme', entity });
    const next = await cloud.emit({
      type: 'com/vmware/vcloud/event/vm/modify',
      org: 'acme',
      entity,
    });
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
    expect(
      await askOperator(live.host, 'POST /api/v1/events/witness/replay', replay),
    ).toMatchObject({
      status: 200,
      body: { done: 1 },
    });
    await waitFor(() => tries('witness', type).length === 4);
    await waitFor(async () => (await parked()).length === 2);
    expect(spins.eventId).not.toBe(eventId);
    await askOperator(live.host, 'DELETE /api/v1/events/witness', { ids: 'all' });
  });

  test('a pattern that matches everything holds no more than its window, and others go on', async () => {
    const { cloud, channel, said, subscription } = world();
    const type = 'com/vmware/vcloud/event/datastore/flood';
    const count = 600;
    let most = 0;
    await cloud.emit({ type, org: 'globex', count, entities: 150 });
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
}
