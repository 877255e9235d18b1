import { expect, test } from 'vitest';

import { subscriptionsFor } from '../../../host/compose/events.ts';
import { ORG, PLUGIN, testEvents } from '../../support/pipeline/event-corridor.ts';

const notifications = { exchanges: ['systemExchange'], prefetch: 64, retryMs: [1_000] };
const bare = ORG.slice(ORG.lastIndexOf(':') + 1);

/** Of one plug-in that is enabled for these orgs. */
function subscriptions(
  manifest: object,
  orgs: 'all' | readonly string[],
  heard: readonly string[] = [],
) {
  const { catalogue } = testEvents(() => Promise.reject(new Error('not asked')), { manifest });
  const tenants = {
    tenancy: () => ({ owner: 'provider' as const, orgs }),
  };
  const parts = { catalogue, tenants, notifications };
  return subscriptionsFor(parts, new Set(heard));
}

test('a plug-in for all orgs is bound to what it wants, one for a few to the events of these', () => {
  expect(subscriptions({}, 'all')).toMatchObject([
    { plugin: PLUGIN, bindings: ['*.*.*.*.com.vmware.vcloud.event.vm.#'], maxAttempts: 5 },
  ]);
  expect(subscriptions({}, [ORG])).toMatchObject([
    { bindings: [`*.*.${bare}.*.com.vmware.vcloud.event.vm.#`] },
  ]);
});

test('held operations are heard of for every org, since they are held for every org', () => {
  const blockingTasks = { operations: ['vdcInstantiateVapp'], onFailure: 'resume' };
  const [only] = subscriptions({ blockingTasks, notifications: [] }, [ORG]);
  expect(only?.bindings).toEqual(['*.*.*.*.com.vmware.vcloud.event.blockingtask.create.#']);
});

test('a plug-in that hears of nothing any more loses its bindings, and what waits for it is looked at', () => {
  expect(subscriptions({}, [])).toEqual([]);
  expect(subscriptions({}, [], [PLUGIN])).toMatchObject([{ plugin: PLUGIN, bindings: [] }]);
  const silent = { notifications: [] };
  expect(subscriptions(silent, 'all', [PLUGIN])).toMatchObject([{ bindings: [] }]);
});

test('the operator’s prefetch is the most, the manifest’s may be less', () => {
  const prefetch = (wanted: number) =>
    subscriptions({ notificationDelivery: { prefetch: wanted } }, 'all')[0]?.prefetch;
  expect([prefetch(5), prefetch(500)]).toEqual([5, 64]);
});
