/** An exchange of vCloud that is not there: waited for, shown, and never made. */
import { expect, test } from 'vitest';

import { eventMessage } from '../../support/pipeline/events.ts';
import { metricOf } from '../../support/operator/operator.ts';
import { exchangesOf } from '../../support/rabbit/facts.ts';
import { waitFor } from '../../support/wait.ts';
import { EXCHANGE, type World } from './world.ts';

const LATE = EXCHANGE.late;

export function exchangeCases(world: () => World): void {
  test('while it is not there the host waits, says so, makes none, and serves calls', async () => {
    const { live, cloud, notifications, subscription } = world();
    const waiting = expect.stringContaining(`waiting for the exchange ${LATE}`) as string;
    await expect
      .poll(() => live.host.health(), { timeout: 20_000 })
      .toMatchObject({
        ready: true,
        dependencies: { notifications: { ok: false, reason: waiting } },
      });
    const ready = await fetch(`${live.host.operatorUrl}/readyz`);
    expect(await ready.json()).toMatchObject({ dependencies: { notifications: { ok: false } } });
    await expect.poll(() => subscription('witness')).toMatchObject({ missing: [LATE] });
    expect(await notifications()).toMatchObject({ consuming: false, reason: waiting });
    expect(await metricOf(live.host, 'vcx_events_missing_exchanges', 'plugin="witness"')).toBe(1);
    const alice = await cloud.as('alice@acme');
    expect((await alice.get('/api/hello?name=you')).status).toBe(200);
    const exchanges = await exchangesOf(live.rabbit);
    expect(exchanges).toContain(EXCHANGE.xml);
    expect(exchanges).not.toContain(LATE);
  });

  test('when it appears, events are served', async () => {
    const { live, channel, publish, said } = world();
    await channel.assertExchange(LATE, 'topic', { durable: true });
    await waitFor(
      () => live.host.health().dependencies['notifications']?.ok === true,
      () => JSON.stringify(live.host.health()),
    );
    const type = 'com/vmware/vcloud/event/vm/create';
    const { routingKey, headers, body } = eventMessage('json', { eventId: 'first', type });
    publish(LATE, routingKey, body, headers);
    await waitFor(() => said('witness').includes('first'));
  });
}
