/** What is bound follows the plug-ins and their orgs. */
import { expect, test } from 'vitest';

import { eventMessage } from '../../support/pipeline/events.ts';
import { metricOf } from '../../support/operator/operator.ts';
import { waitFor } from '../../support/wait.ts';
import { EXCHANGE, type World } from './world.ts';

export function changeCases(world: () => World): void {
  test('an org that does not have the plug-in is not even bound, and its events never reach it', async () => {
    const { live, cloud, said, give, publish, bound } = world();
    const all = () => bound('local', EXCHANGE.xml);
    expect(await all()).toEqual([]);
    await give('local', [cloud.orgId('acme')]);
    await expect
      .poll(all, { timeout: 30_000 })
      .toEqual([`*.*.${cloud.orgId('acme')}.*.com.vmware.vcloud.event.vm.#`]);
    const type = 'com/vmware/vcloud/event/vm/modify';
    const theirs = await cloud.emit({ type, org: 'globex' });
    const ours = await cloud.emit({ type, org: 'acme' });
    await waitFor(() => said('local').includes(ours.eventId));
    expect(said('local')).toEqual([ours.eventId]);
    await waitFor(() => said('witness', 'globex').includes(theirs.eventId));
    // Given past the bindings too: the host itself looks whose it is.
    const foreign = eventMessage('json', { org: `urn:vcloud:org:${cloud.orgId('globex')}` });
    publish('vcx.events', 'vcx.events.local', foreign.body, foreign.headers);
    const refused = () =>
      metricOf(live.host, 'vcx_events_total', 'plugin="local",outcome="foreign"');
    await waitFor(async () => (await refused()) === 1);
    expect(said('local')).toEqual([ours.eventId]);

    await give('local', []);
    await expect.poll(all, { timeout: 30_000 }).toEqual([]);
  });

  test('a plug-in that is changed is bound anew, and to nothing when it does not listen any more', async () => {
    const { channel, said, edit, publish, bound } = world();
    const all = () => bound('witness', EXCHANGE.late);
    const send = (eventId: string, type: string) => {
      const { routingKey, headers, body } = eventMessage('json', { eventId, type });
      publish(EXCHANGE.late, routingKey, body, headers);
    };
    expect(await all()).toEqual(['*.*.*.*.com.vmware.vcloud.event.vm.#', '*.*.*.*.org.example.#']);
    edit('witness', (manifest) => {
      manifest['version'] = '1.1.0';
      manifest['notifications'] = [{ types: ['vapp.#'], success: 'only' }];
    });
    await expect
      .poll(all, { timeout: 30_000 })
      .toEqual(['true.*.*.*.com.vmware.vcloud.event.vapp.#']);
    send('not-any-more', 'com/vmware/vcloud/event/vm/create');
    send('from-now-on', 'com/vmware/vcloud/event/vapp/create');
    await waitFor(() => said('witness').includes('from-now-on'));
    expect(said('witness')).not.toContain('not-any-more');

    edit('witness', (manifest) => {
      manifest['version'] = '1.2.0';
      manifest['notifications'] = [];
    });
    await expect.poll(all, { timeout: 30_000 }).toEqual([]);
    expect((await channel.checkQueue('vcx.events.witness')).messageCount).toBe(0);
  });
}
