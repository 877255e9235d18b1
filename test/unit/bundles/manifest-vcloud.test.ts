import { readFileSync } from 'node:fs';

import { expect, test } from 'vitest';

import { parseManifest } from '../../../host/bundles/manifest/manifest.ts';
import { serviceSpec } from '../../../host/bundles/registration/service-spec.ts';

const read = (name: string) =>
  JSON.parse(
    readFileSync(new URL(`../../../plugins/${name}/plugin.json`, import.meta.url), 'utf8'),
  ) as Record<string, Record<string, unknown>>;
const hello = read('hello');
const withVcloud = (vcloud: Record<string, unknown>, rest: Record<string, unknown> = {}) =>
  parseManifest({ ...hello, ...rest, vcloud: { ...hello['vcloud'], ...vcloud } });

test("the backup plug-in registers the programming guide's example", () => {
  const spec = serviceSpec(parseManifest(read('backup')));
  expect(spec).toMatchObject({ namespace: 'org.example.vcd.backup', enabled: true });
  const [filter] = spec.apiFilters ?? [];
  expect(filter?.urlPattern?.split('|')).toHaveLength(4);
  expect(spec.serviceLinks?.map(({ rel, resourceType }) => [rel, resourceType])).toEqual([
    ['down', 'application/vnd.vmware.vcloud.org+xml'],
    ['down', 'application/vnd.vmware.vcloud.vApp+xml'],
    ['backup', 'application/vnd.vmware.vcloud.vApp+xml'],
  ]);
});

test('resource classes, definitions and response filters reach the service as they are', () => {
  const resourceClasses = [
    {
      name: 'org',
      mimeType: 'application/vnd.vmware.admin.organization+xml',
      nid: 'x',
      actions: [
        {
          name: 'read',
          httpMethod: 'GET',
          urlPattern: '/api/x/(?<id>.*)',
          aclRules: [{ name: 'a', organization: 'shared', principal: { right: 'View' } }],
        },
      ],
    },
  ];
  const apiDefinitions = [{ name: 'a', entryPoint: '{baseUri}x', namespace: 'n' }];
  const filters = [{ responseContentType: 'application/vnd.vmware.vcloud.org+xml' }];
  const spec = serviceSpec(
    withVcloud({
      resourceClasses,
      apiDefinitions,
      apiFilters: filters,
      rights: [{ name: 'View' }],
    }),
  );
  expect(spec).toMatchObject({ resourceClasses, apiDefinitions });
  expect(spec.apiFilters).toEqual([{ responseContentType: filters[0]?.responseContentType }]);
});

test('texts become property files that java.util.Properties reads back', () => {
  const { localization } = serviceSpec(
    withVcloud({ localization: { de: { 'a key=1': ' Grüße\n\\ 😀', b: 'c' } } }),
  );
  expect(localization?.files).toEqual({
    'de.properties': 'a\\ key\\=1=\\ Gr\\u00fc\\u00dfe\\n\\\\ \\ud83d\\ude00\nb=c\n',
  });
});

test('who is asked about calls is told by the plug-in, and by a route for itself', () => {
  const routes = [
    { method: 'GET', path: '/api/hello' },
    { method: 'POST', path: '/api/hello', authorizationCheck: 'always' },
  ];
  expect(withVcloud({}).authorizationCheck).toBe('never');
  const manifest = withVcloud({}, { authorizationCheck: 'writes', routes });
  expect(manifest.routes.map((route) => route.authorizationCheck)).toEqual([undefined, 'always']);
});

test('a plug-in that only looks at responses needs no routes', () => {
  const apiFilters = [{ responseContentType: 'application/vnd.vmware.vcloud.org+xml' }];
  expect(withVcloud({ apiFilters }, { routes: [] }).routes).toEqual([]);
});

test.each([
  ['a filter of both kinds', { apiFilters: [{ urlPattern: '/a', responseContentType: 'b' }] }],
  ["vCloud's own namespace", { namespace: 'com.vmware.vcloud.x' }],
  [
    'an org that is no id',
    {
      resourceClasses: [
        {
          name: 'a',
          mimeType: 'b',
          resources: [{ name: 'r', org: 'acme', externalObjectId: '1' }],
        },
      ],
    },
  ],
  [
    'a method without rules',
    {
      resourceClasses: [
        {
          name: 'a',
          mimeType: 'b',
          actions: [{ name: 'r', httpMethod: 'PATCH', urlPattern: '/' }],
        },
      ],
    },
  ],
  ["an exchange of vcx's own", { exchange: 'vcx.events' }],
  ['an exchange whose queue would be that of notifications', { exchange: 'events' }],
  ['an exchange of two lines', { exchange: 'a\nb' }],
  ['a routing key of two lines', { routingKey: 'a\nb' }],
  ['a locale that is a path', { localization: { '../x': { a: 'b' } } }],
])('%s is refused', (_, vcloud) => {
  expect(() => withVcloud(vcloud)).toThrow(expect.objectContaining({ code: 'BUNDLE_INVALID' }));
});

test.each(['GET /etc/passwd', 'PATCH /api/x', 'GET /api/{other}', 'GET /api/x?y', '/api/x'])(
  'a template such as %s is refused',
  (path) => {
    expect(() => withVcloud({}, { vcloudPaths: [path] })).toThrow(
      expect.objectContaining({ code: 'BUNDLE_INVALID' }),
    );
  },
);
