import { readFileSync } from 'node:fs';

import { expect, test } from 'vitest';

import { parseManifest } from '../../../host/bundles/manifest/manifest.ts';

const hello = JSON.parse(
  readFileSync(new URL('../../../plugins/hello/plugin.json', import.meta.url), 'utf8'),
) as Record<string, Record<string, unknown>>;

test('the example manifests are valid and defaults are filled in', () => {
  expect(parseManifest(hello)).toMatchObject({
    main: 'main.ts',
    isolation: 'plugin',
    bindings: [],
    vcloud: { priority: 50, authorizationEnabled: false, rights: [] },
  });
});

test.each([
  ['nothing at all', undefined, '(top)'],
  ['an unknown key', { ...hello, extra: 1 }, 'extra'],
  ['a name with capitals', { ...hello, name: 'Hello' }, 'name'],
  ['a version without dots', { ...hello, version: '1' }, 'version'],
  ['no routes', { ...hello, routes: [] }, 'routes'],
  [
    'a right that is not declared',
    { ...hello, routes: [{ method: 'GET', path: '/a', rights: ['X'] }] },
    'routes.0.rights',
  ],
  ['a limit with a unit', { ...hello, limits: { memoryMb: '64 MB' } }, 'limits.memoryMb'],
  [
    'a filter that is too long',
    { ...hello, vcloud: { ...hello['vcloud'], apiFilters: [{ urlPattern: 'a'.repeat(1_025) }] } },
    'vcloud.apiFilters.0.urlPattern',
  ],
])('%s is refused naming the place', (_, value, expected) => {
  expect(() => parseManifest(value)).toThrow(
    expect.objectContaining({ code: 'BUNDLE_INVALID', message: expect.stringContaining(expected) }),
  );
});
