import { expect, test } from 'vitest';

import { checkClaims } from '../../../host/bundles/live/claims.ts';
import { createCatalogue } from '../../../host/bundles/live/catalogue.ts';
import type { LivePlugin } from '../../../host/bundles/live/plugin.ts';
import { livePlugin, type LiveSpec } from '../../support/plugins/live-plugins.ts';

const ORG = 'urn:vcloud:org:00000000-0000-4000-8000-00000000000a';
const OTHER = 'urn:vcloud:org:00000000-0000-4000-8000-00000000000b';
const host = livePlugin({ name: 'host', tenantRoutes: { prefix: '/api/host/x' } });

/** Of an org, below the prefix of `host`. */
function guest(spec: Partial<LiveSpec> = {}): LivePlugin {
  return livePlugin({
    name: 'guest',
    key: 'host',
    owner: { id: ORG, kind: 'org' },
    extends: 'org.example.host',
    paths: ['/api/host/x/own'],
    ...spec,
  });
}

const refusal = (plugin: LivePlugin, others: readonly LivePlugin[] = [host]) => {
  try {
    checkClaims(plugin, others);
    return null;
  } catch (error) {
    const { code, message } = error as { code: string; message: string };
    return `${code}: ${message}`;
  }
};

test('what nobody holds may be claimed, and other versions of the same plug-in hold nothing against it', () => {
  expect(refusal(livePlugin({ name: 'new' }))).toBe(null);
  expect(refusal(livePlugin({ name: 'host', version: '2.0.0' }))).toBe(null);
});

test.each([
  ['the namespace', { namespace: 'org.example.host' }],
  ['the namespace in another case', { namespace: 'org.example.HOST' }],
  ['the routing key', { key: 'host' }],
])('%s of another is refused with the name of its holder', (_what, spec) => {
  expect(refusal(livePlugin({ name: 'new', ...spec }))).toMatch(
    /^BUNDLE_NAME_TAKEN: .* is held by host already$/,
  );
});

test('another address with the same queue is refused', () => {
  const dotted = livePlugin({ name: 'held', exchange: 'sdkext.org', key: 'example' });
  const other = livePlugin({ name: 'new', exchange: 'sdkext', key: 'org.example' });
  expect(refusal(other, [dotted])).toMatch(/^BUNDLE_NAME_TAKEN: the routing key .* held by held/);
});

const B = { id: 'b', kind: 'provider' } as const;

test.each([
  ['/api/held/{id}', '/api/held/7'],
  ['/api/held/7', '/api/held/{id}'],
  ['/api/held/*', '/api/held/a/b'],
  ['/api/held/a-{id}', '/api/held/{id}-z'],
  ['/api/{any}/list', '/api/held/{id}'],
  ['/api/*', '/api/held/*'],
])('a path that meets one of another owner is refused: %s and %s', (held, claimed) => {
  const holder = livePlugin({ name: 'held', paths: [held] });
  expect(refusal(livePlugin({ name: 'new', owner: B, paths: [claimed] }), [holder])).toBe(
    `BUNDLE_NAME_TAKEN: the route ${claimed}, which meets ${held}, is held by held already`,
  );
});

test.each([
  ['/api/held/{id}', '/api/held'],
  ['/api/held/{id}', '/api/held/a/b'],
  ['/api/held/*', '/api/held'],
  ['/api/held/a-{id}', '/api/held/b-{id}'],
  ['/api/held/a-{id}', '/api/held/a-'],
  ['/api/held/{id}-a', '/api/held/{id}-b'],
])('paths that have no call in common may be of two owners: %s and %s', (held, claimed) => {
  const holder = livePlugin({ name: 'held', paths: [held], filters: ['/api/none'] });
  expect(refusal(livePlugin({ name: 'new', owner: B, paths: [claimed] }), [holder])).toBe(null);
});

test.each([
  ['/api/.*', '/api/held/list'],
  ['/api/(?:held|new)/[^/]+', '/api/held/{id}'],
  ['/api/held/\\d+/disks', '/api/held/{id}/disks'],
  ['/api/held/[0-9a-f-]{36}', '/api/held/{id}'],
  ['(/api/held/.*)?', '/api/held/*'],
])(
  'a filter that takes calls of another owner is refused, and so are routes in its way: %s takes %s',
  (filter, path) => {
    const served = livePlugin({ name: 'served', paths: [path] });
    const taking = livePlugin({ name: 'taking', owner: B, filters: [filter] });
    expect(refusal(taking, [served])).toMatch(/^BUNDLE_NAME_TAKEN: the path .* held by served/);
    expect(refusal(served, [taking])).toMatch(/^BUNDLE_NAME_TAKEN: the path .* held by taking/);
    expect(refusal(livePlugin({ name: 'own', filters: [filter] }), [served])).toBe(null);
    expect(refusal(livePlugin({ name: 'far', owner: B, filters: ['/api/far/.*'] }), [served])).toBe(
      null,
    );
  },
);

test('a filter takes what lies in the place for orgs of another owner', () => {
  const taking = livePlugin({ name: 'taking', owner: B, filters: ['/api/host/x/.+'] });
  expect(refusal(taking)).toMatch(/^BUNDLE_NAME_TAKEN: the path \/api\/host\/x\/x/);
});

test('a place that is kept for orgs is claimed too, and one owner may layer services but not double a path', () => {
  const into = livePlugin({ name: 'new', owner: B, paths: ['/api/host/x/{id}'] });
  expect(refusal(into)).toContain('which meets /api/host/x/*, is held by host');
  const keeps = { tenantRoutes: { prefix: '/api/host' } };
  expect(refusal(livePlugin({ name: 'new', owner: B, ...keeps }))).toContain('held by host');
  const holder = livePlugin({ name: 'held', paths: ['/api/held/{id}'] });
  const own = (path: string) => refusal(livePlugin({ name: 'new', paths: [path] }), [holder]);
  expect(own('/api/held/7')).toBe(null);
  expect(own('/api/held/{name}')).toContain('held by held already');
});

test('of two plug-ins that would decide on one operation the second is refused', () => {
  const decides = (name: string, operations: string[]) => {
    const plugin = livePlugin({ name });
    const blockingTasks = { operations, onFailure: 'resume' as const, decideWithinMs: 1_000 };
    return { ...plugin, manifest: { ...plugin.manifest, blockingTasks } };
  };
  const first = decides('first', ['vdcInstantiateVapp']);
  expect(refusal(decides('second', ['vdcInstantiateVapp', 'vdcUploadMedia']), [first])).toBe(
    'BUNDLE_NAME_TAKEN: the decision on vdcInstantiateVapp is held by first already',
  );
  expect(refusal(decides('second', ['vdcUploadMedia']), [first])).toBe(null);
});

test('a service whose plug-in is not live is kept: unavailable to those who have it, nothing to others', () => {
  const catalogue = createCatalogue({
    view: (_plugin, org) => ({ enabled: org === ORG, config: null, limits: {}, version: null }),
  });
  const plugin = livePlugin({ name: 'away' });
  const { exchange, routingKey } = plugin.manifest.vcloud;
  let changes = 0;
  using _watch = catalogue.watch(() => (changes += 1));
  catalogue.reserve('away', { address: plugin.manifest.vcloud, version: '1.0.0' });
  expect(changes).toBe(1);
  expect(catalogue.services).toEqual([{ exchange, routingKey }]);
  expect(catalogue.serving(exchange, routingKey, ORG)).toEqual({
    kind: 'unavailable',
    plugin: 'away',
    version: '1.0.0',
  });
  expect(catalogue.serving(exchange, routingKey, OTHER).kind).toBe('none');
  catalogue.reserve('away', { address: plugin.manifest.vcloud, version: null });
  expect(catalogue.serving(exchange, routingKey, ORG).kind).toBe('none');
  catalogue.replace('away', { name: 'away', current: plugin, pinned: new Map() });
  expect(catalogue.serving(exchange, routingKey, ORG).kind).toBe('found');
  expect(catalogue.services).toHaveLength(1);
});

test('the same routing key at another exchange is another service', () => {
  expect(refusal(livePlugin({ name: 'new', key: 'host', exchange: 'other' }))).toBe(null);
});

test.each([['/api/host/x/mine'], ['/api/host/{any}/own'], ['/api/*'], ['/api/host/x/*']])(
  'a service does not route %s below the prefix that it leaves to orgs',
  (path) => {
    const plugin = livePlugin({
      name: 'self',
      paths: [path],
      tenantRoutes: { prefix: '/api/host/x' },
    });
    expect(refusal(plugin, [])).toContain('lies in tenantRoutes.prefix');
  },
);

test('an org’s plug-in extends a service that keeps a place for it, and adds routes there only', () => {
  expect(refusal(guest())).toBe(null);
  expect(refusal(guest(), [])).toContain('no live service org.example.host');
  expect(refusal(guest(), [livePlugin({ name: 'host' })])).toContain('keeps tenantRoutes');
  expect(refusal(guest({ paths: ['/api/host/x'] }))).toContain('is not below /api/host/x');
  expect(refusal(guest({ paths: ['/api/host/xx/y'] }))).toContain('is not below');
  expect(refusal(guest({ paths: ['/api/other'] }))).toContain('is not below');
  expect(refusal(guest({ key: 'elsewhere' }))).toContain('must be those of host');
  expect(refusal(guest({ extends: undefined, key: 'own' }))).toContain('BUNDLE_INVALID');
  expect(refusal(guest({ owner: { id: 'provider', kind: 'provider' } }))).toContain(
    'is for plug-ins of orgs',
  );
});

test('two plug-ins of one org do not share a route; those of two orgs may', () => {
  const held = guest({ name: 'held', paths: ['/api/host/x/{id}'] });
  const others = [host, held];
  expect(refusal(guest({ paths: ['/api/host/x/{name}'] }), others)).toContain('held by held');
  expect(refusal(guest({ paths: ['/api/host/x/other'] }), others)).toContain('held by held');
  expect(refusal(guest({ paths: ['/api/host/x/*'] }), others)).toContain('held by held');
  expect(refusal(guest({ paths: ['/api/host/x/other/{id}'] }), others)).toBe(null);
  const foreign = guest({ owner: { id: OTHER, kind: 'org' }, paths: ['/api/host/x/{id}'] });
  expect(refusal(foreign, others)).toBe(null);
});

const everybody = { view: () => ({ enabled: true, config: null, limits: {}, version: null }) };
const shelf = (current: LivePlugin | null, pinned: LivePlugin[] = []) => ({
  name: current?.manifest.name ?? pinned[0]?.manifest.name ?? '',
  current,
  pinned: new Map(pinned.map((plugin) => [plugin.manifest.version, plugin])),
});

test('the catalogue serves each org its version, and nobody what is not theirs', () => {
  const views = new Map([
    [ORG, { enabled: true, config: null, limits: {}, version: '1.0.0' }],
    [OTHER, { enabled: false, config: null, limits: {}, version: null }],
  ]);
  const catalogue = createCatalogue({
    view: (_plugin, org) => views.get(org) ?? everybody.view(),
  });
  const [one, two] = ['1.0.0', '2.0.0'].map((version) => livePlugin({ name: 'host', version }));
  if (!one || !two) throw new Error('two versions are needed');
  catalogue.replace('host', shelf(two, [one]));
  const served = (org: string) => {
    const serving = catalogue.serving('sdkext', 'host', org);
    return serving.kind === 'found' ? serving.plugins[0] : serving.kind;
  };
  expect([served(ORG), served(OTHER), served('third')]).toEqual([one, 'none', two]);
  expect(catalogue.versionFor('host', ORG)).toBe(one);
  expect(catalogue.versionFor('host', OTHER)).toBe(null);
  catalogue.replace('host', shelf(two));
  expect(served(ORG)).toBe('unavailable');
  catalogue.replace('host', null);
  expect([served(ORG), catalogue.services, catalogue.live]).toEqual(['none', [], []]);
});

test('a shelf that claims what another holds is refused, pinned versions too, and nothing is changed', () => {
  const catalogue = createCatalogue(everybody);
  catalogue.replace('host', shelf(livePlugin({ name: 'host', key: 'new' }), [host]));
  const thief = livePlugin({ name: 'thief', key: 'host' });
  expect(() => catalogue.replace('thief', shelf(thief))).toThrow(/held by host/);
  expect(() => catalogue.replace('thief', shelf(livePlugin({ name: 'thief' }), [thief]))).toThrow();
  expect(catalogue.names).toEqual(['host']);
});

test('what extends a service comes and goes with the place that is kept for it, in whatever order they are loaded', () => {
  const catalogue = createCatalogue(everybody);
  const org = () => {
    const serving = catalogue.serving('sdkext', 'host', ORG);
    return serving.kind === 'found' ? serving.plugins.map(({ manifest }) => manifest.name) : [];
  };
  let changes = 0;
  using _watching = catalogue.watch(() => (changes += 1));
  catalogue.replace('guest', shelf(guest()));
  expect([org(), catalogue.unfit('guest')]).toEqual([[], expect.stringContaining('no live')]);
  expect(catalogue.versionFor('guest', ORG)).toBe(null);
  catalogue.replace('host', shelf(host));
  expect([org(), catalogue.unfit('guest')]).toEqual([['host', 'guest'], null]);
  catalogue.replace('host', shelf(livePlugin({ name: 'host', version: '2.0.0' })));
  expect([org(), catalogue.live.length]).toEqual([['host'], 1]);
  catalogue.replace('host', shelf(host));
  expect(org()).toEqual(['host', 'guest']);
  catalogue.replace('host', null);
  expect([org(), catalogue.services]).toEqual([[], []]);
  expect(changes).toBe(5);
});

test('of two plug-ins of one org that claim the same route, one is served and not neither', () => {
  const catalogue = createCatalogue(everybody);
  catalogue.replace('host', shelf(host));
  catalogue.replace('b', shelf(guest({ name: 'b' })));
  catalogue.replace('a', shelf(guest({ name: 'a' })));
  expect(catalogue.live.map(({ manifest }) => manifest.name)).toEqual(['a', 'host']);
  expect(catalogue.unfit('b')).toContain('held by a');
});
