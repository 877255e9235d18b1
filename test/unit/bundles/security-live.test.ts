/** What an org brings itself, or stays with, takes nothing of the provider's out of the way. */
import { expect, test } from 'vitest';

import { createCatalogue } from '../../../host/bundles/live/catalogue.ts';
import type { LivePlugin } from '../../../host/bundles/live/plugin.ts';
import { createMetrics } from '../../../host/kernel/metrics.ts';
import type { Call } from '../../../host/message/call.ts';
import { filterResponse, type FilterRooms } from '../../../host/pipeline/filter-response.ts';
import { livePlugin } from '../../support/plugins/live-plugins.ts';

const ORG = 'urn:vcloud:org:00000000-0000-4000-8000-00000000000a';
const shelf = (current: LivePlugin) => ({
  name: current.manifest.name,
  current,
  pinned: new Map<string, LivePlugin>(),
});

/** Every plug-in is everybody's; those named stay with a version that is not live. */
function open(lost: readonly string[], failClosed = false) {
  const catalogue = createCatalogue({
    view: (plugin) => ({
      enabled: true,
      config: null,
      limits: {},
      version: lost.includes(plugin) ? '0.9.0' : null,
    }),
  });
  const plain = livePlugin({ name: 'host', tenantRoutes: { prefix: '/api/host/x' } });
  const manifest = { ...plain.manifest, responseFilter: { failClosed } };
  const host: LivePlugin = { ...plain, manifest, handlers: ['fetch', 'response'] };
  const guest = livePlugin({
    name: 'a-guest',
    key: 'host',
    owner: { id: ORG, kind: 'org' },
    extends: 'org.example.host',
    paths: ['/api/host/x/own'],
  });
  catalogue.replace('host', shelf(host));
  catalogue.replace('a-guest', shelf(guest));
  return catalogue;
}
const namesOf = (catalogue: ReturnType<typeof open>) => {
  const serving = catalogue.serving('sdkext', 'host', ORG);
  return serving.kind === 'found' ? serving.plugins.map((one) => one.manifest.name) : serving;
};

test('an org’s own plug-in in a version that is not live leaves the provider’s service and filter to the org', () => {
  expect(namesOf(open([]))).toEqual(['host', 'a-guest']);
  expect(namesOf(open(['a-guest']))).toEqual(['host']);
  expect(namesOf(open(['host']))).toMatchObject({ kind: 'unavailable', plugin: 'host' });
});

test('a filter that fails closed does so too for an org whose version of it is not live', async () => {
  const call = {
    id: 'c',
    exchange: 'sdkext',
    routingKey: 'host',
    accept: '',
    statusCode: 200,
    headers: [],
    body: 'c2VjcmV0',
    identity: { org: ORG },
  } as unknown as Call;
  const filtered = async (failClosed: boolean) => {
    const rooms = { catalogue: () => open(['host'], failClosed), metrics: createMetrics() };
    return filterResponse(rooms as unknown as FilterRooms, call, performance.now() + 1_000);
  };
  expect((await filtered(false)).reply).toMatchObject({ status: 200, body: 'c2VjcmV0' });
  const closed = await filtered(true);
  expect(closed.refusal?.code).toBe('PLUGIN_UNAVAILABLE');
  expect(closed.reply.body).not.toContain('c2VjcmV0');
});
