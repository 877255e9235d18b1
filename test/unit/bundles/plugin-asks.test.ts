import { expect, test } from 'vitest';

import { asksOf, growthOf, termsOf } from '../../../host/bundles/change/asks.ts';
import { parseManifest } from '../../../host/bundles/manifest/manifest.ts';
import { manifestOf } from '../../support/plugins/bundles.ts';

const asks = (changes: Record<string, unknown> = {}) => asksOf(parseManifest(manifestOf(changes)));

test('a plain plug-in asks for its filters and nothing else', () => {
  expect(asks()).toEqual(['api-filter /api/demo']);
  expect(asks({ limits: { cpuMs: 50, memoryMb: 16 } })).toEqual(asks());
});

test('each power is a line, in order and once', () => {
  const vcloud = {
    ...(manifestOf()['vcloud'] as object),
    rights: [{ name: 'View' }],
    priority: 60,
    serviceLinks: [
      {
        rel: 'down',
        linkHref: '{baseUri}demo/{resourceId}',
        mimeType: 'application/json',
        resourceType: 'application/vnd.vmware.vcloud.vApp+xml',
      },
    ],
    apiFilters: [{ urlPattern: '/api/demo' }, { urlPattern: '/api/demo' }],
  };
  expect(
    asks({
      vcloud,
      bindings: ['kv', 'fetch'],
      fetch: { origins: ['https://a.example.com'], methods: ['POST'] },
      limits: { memoryMb: 128 },
      tenantRoutes: { prefix: '/api/demo/x' },
      vcloudPaths: ['GET /api/org/{org}'],
    }),
  ).toEqual([
    'api-filter /api/demo',
    'binding fetch',
    'binding kv',
    'fetch-method POST',
    'limit memoryMb 128',
    'origin https://a.example.com',
    'priority 60',
    'right View',
    'service-link application/vnd.vmware.vcloud.vApp+xml down {baseUri}demo/{resourceId}',
    'tenant-routes /api/demo/x',
    'vcloud-path GET /api/org/{org}',
  ]);
});

test('a filter that can not be compared with the paths of others says so', () => {
  const vcloud = { ...(manifestOf()['vcloud'] as object) };
  const urlPatterns = ['/api/(?:(?:(?:a?b?c?)?){25}){36}', '/api/demo/(?=x).*', '/api/demo/.*'];
  const apiFilters = urlPatterns.map((urlPattern) => ({ urlPattern }));
  const compared = asks({ vcloud: { ...vcloud, apiFilters } }).map(
    (line) => !line.includes('not compared'),
  );
  expect(compared).toEqual([false, false, true]);
});

test.each([
  { now: ['binding kv'], allowed: ['binding kv', 'binding fetch'], grows: [] },
  { now: ['binding kv', 'right View'], allowed: ['binding kv'], grows: ['right View'] },
  { now: ['limit cpuMs 200'], allowed: ['limit cpuMs 300'], grows: [] },
  { now: ['limit cpuMs 300'], allowed: ['limit cpuMs 300'], grows: [] },
  { now: ['limit cpuMs 301'], allowed: ['limit cpuMs 300'], grows: ['limit cpuMs 301'] },
  { now: ['limit cpuMs 301'], allowed: ['limit wallMs 900'], grows: ['limit cpuMs 301'] },
  { now: ['limit cpuMs 500'], allowed: ['limit cpuMs 300', 'limit cpuMs 600'], grows: [] },
  { now: ['priority 60'], allowed: ['priority 70', 'limit cpuMs 300'], grows: [] },
  { now: ['priority 71'], allowed: ['priority 70'], grows: ['priority 71'] },
  { now: [], allowed: ['binding kv'], grows: [] },
])('of $now, with $allowed allowed, $grows is new', ({ now, allowed, grows }) => {
  expect(growthOf(now, allowed)).toEqual(grows);
});

const ROUTE = { method: 'GET', path: '/api/demo' };
const guarded = (changes: Record<string, unknown> = {}) =>
  termsOf(parseManifest(manifestOf({ authorizationCheck: 'always', ...changes })));

test.each<[string, Record<string, unknown>, string[]]>([
  ['none left', { authorizationCheck: 'never' }, ['authorization-check never']],
  ['none for reads', { authorizationCheck: 'writes' }, ['authorization-check never GET /api/demo']],
  [
    'none on a new route',
    { routes: [ROUTE, { method: 'POST', path: '/api/demo/x', authorizationCheck: 'never' }] },
    ['authorization-check never POST /api/demo/x'],
  ],
  ['as before', {}, []],
  [
    'as before, but said on the route',
    { authorizationCheck: 'never', routes: [{ ...ROUTE, authorizationCheck: 'always' }] },
    [],
  ],
])('of a plug-in all of whose calls vCloud is asked about, %s', (_, changes, grows) => {
  expect(growthOf(guarded(changes), guarded())).toEqual(grows);
});

test('fewer questions to vCloud are new only where they were not allowed before', () => {
  const plain = termsOf(parseManifest(manifestOf()));
  const both = [...plain, ...guarded()];
  expect(growthOf(guarded(), plain)).toEqual([]);
  expect(growthOf(plain, both)).toEqual([]);
  expect(growthOf(guarded({ authorizationCheck: 'writes' }), both)).toEqual([]);
  const any = guarded({ routes: [{ ...ROUTE, method: '*', authorizationCheck: 'never' }] });
  expect(growthOf(guarded({ authorizationCheck: 'writes' }), any)).toEqual([]);
  // What an older host wrote down says nothing about it.
  expect(growthOf(plain, asks())).toEqual([]);
});

const provider = (vcloud: object = {}, rest: Record<string, unknown> = {}) => {
  const own = manifestOf()['vcloud'] as object;
  const rights = [{ name: 'View' }, { name: 'Edit' }];
  return termsOf(parseManifest(manifestOf({ vcloud: { ...own, rights, ...vcloud }, ...rest })));
};
const LINK = { rel: 'down', linkHref: 'x', mimeType: 'a/b', resourceType: 'c/d' };
const EVENTS = { types: ['vapp.create'] };
const ORG = '00000000-0000-4000-8000-00000000000a';

test.each<[string, readonly string[], readonly string[], string[]]>([
  [
    'another exchange or routing key',
    provider(),
    provider({ exchange: 'systemExchange', routingKey: '#' }),
    ['service-address ["systemExchange","#"]'],
  ],
  [
    'a link on all objects instead of one',
    provider({ serviceLinks: [{ ...LINK, resourceId: 'one' }] }),
    provider({ serviceLinks: [LINK] }),
    ['service-link c/d down x'],
  ],
  [
    'an entry in the list of all APIs',
    provider(),
    provider({ apiDefinitions: [{ name: 'a', namespace: 'n', entryPoint: 'https://e' }] }),
    ['api-definition n https://e'],
  ],
  [
    'events of more orgs and kinds',
    provider({}, { notifications: [{ ...EVENTS, orgs: [ORG], entityTypes: ['vapp'] }] }),
    provider({}, { notifications: [EVENTS] }),
    ['events vapp.create'],
  ],
  [
    'events of fewer orgs',
    provider({}, { notifications: [EVENTS] }),
    provider({}, { notifications: [{ ...EVENTS, orgs: [ORG] }] }),
    [],
  ],
])('a version that wants %s is compared', (_what, before, now, grows) => {
  expect(growthOf(now, before)).toEqual(grows);
  expect(growthOf(now, [...before, ...now])).toEqual([]);
  expect(growthOf(now, now)).toEqual([]);
});

const routes = (...list: [method: string, path: string, ...rights: string[]][]) =>
  provider({}, { routes: list.map(([method, path, ...rights]) => ({ method, path, rights })) });

test.each<[string, readonly string[], readonly string[], string[]]>([
  [
    'is asked for no more',
    routes(['GET', '/api/demo/{id}', 'View']),
    routes(['GET', '/api/demo/{other}']),
    ['route-rights ["GET","/api/demo/{other}"]'],
  ],
  [
    'is not asked for on a new path below',
    routes(['*', '/api/demo/*', 'View', 'Edit']),
    routes(['*', '/api/demo/*', 'Edit', 'View'], ['HEAD', '/api/demo/x', 'View']),
    ['route-rights ["HEAD","/api/demo/x","View"]'],
  ],
  [
    'is asked for beside another',
    routes(['GET', '/a', 'View']),
    routes(['GET', '/a', 'Edit', 'View']),
    [],
  ],
  ['is not asked for elsewhere', routes(['GET', '/a', 'View']), routes(['GET', '/b']), []],
  [
    'was not asked for once',
    [...routes(['GET', '/a', 'View']), ...routes(['GET', '/a'])],
    routes(['GET', '/a']),
    [],
  ],
  ['was not known then', asks(), routes(['GET', '/api/demo']), ['right Edit', 'right View']],
])('a right that %s is compared', (_what, before, now, grows) => {
  expect(growthOf(now, before)).toEqual(grows);
});

const RULE = { name: 'all', organization: 'shared', principal: { right: 'View' } };
const classed = (rules: unknown[], more: object = {}) => ({
  vcloud: {
    ...(manifestOf()['vcloud'] as object),
    authorizationEnabled: true,
    resourceClasses: [
      {
        name: 'c',
        mimeType: 'application/x',
        actions: [
          { name: 'read', httpMethod: 'GET', urlPattern: '/api/(?<id>.*)', aclRules: rules },
        ],
      },
    ],
    ...more,
  },
});

test('a rule that lets others in is new, one that is gone or has another name is not', () => {
  const one = guarded(classed([RULE]));
  const line = 'acl-rule application/x GET /api/(?<id>.*) resource=shared';
  expect(growthOf(guarded(classed([{ ...RULE, principal: 'shared' }])), one)).toEqual([
    `${line} org=shared principal=shared`,
  ]);
  expect(growthOf(guarded(classed([RULE, { ...RULE, organization: 'published' }])), one)).toEqual([
    `${line} org=published principal=right:View`,
  ]);
  expect(growthOf(guarded(classed([])), one)).toEqual([]);
  expect(growthOf(guarded(classed([{ ...RULE, name: 'other' }])), one)).toEqual([]);
  expect(growthOf(guarded(classed([RULE], { authorizationEnabled: false })), one)).toEqual([
    'vcloud-authorization off',
  ]);
});
