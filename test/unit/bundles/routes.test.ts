import { expect, test } from 'vitest';

import { compilePattern, createRouteTable } from '../../../host/bundles/live/routes.ts';
import type { ManifestRoute } from '../../../host/bundles/manifest/manifest.ts';

const route = (method: ManifestRoute['method'], path: string): ManifestRoute => ({
  method,
  path,
  rights: [],
});
const table = (...routes: ManifestRoute[]) => createRouteTable([{ target: null, routes }]);

test('parameters are taken from whole segments and from parts of them', () => {
  const find = table(route('GET', '/api/vApp/vapp-{id}/backups'));
  expect(find('GET', '/api/vApp/vapp-17/backups')).toMatchObject({
    kind: 'found',
    params: { id: '17' },
  });
  expect(find('GET', '/api/vApp/vapp-/backups')).toEqual({ kind: 'none' });
  expect(find('GET', '/api/vApp/vm-17/backups')).toEqual({ kind: 'none' });
  expect(find('GET', '/api/vApp/vapp-17/backups/1')).toEqual({ kind: 'none' });
});

test('the most specific route wins whatever the order', () => {
  const find = table(
    route('GET', '/api/*'),
    route('GET', '/api/{a}'),
    route('GET', '/api/x-{a}'),
    route('GET', '/api/x-1'),
    route('*', '/api/{a}'),
  );
  const pathOf = (method: string, path: string) => {
    const match = find(method, path);
    return match.kind === 'found'
      ? `${match.route.route.method} ${match.route.route.path}`
      : match.kind;
  };
  expect(pathOf('GET', '/api/x-1')).toBe('GET /api/x-1');
  expect(pathOf('GET', '/api/x-2')).toBe('GET /api/x-{a}');
  expect(pathOf('GET', '/api/y')).toBe('GET /api/{a}');
  expect(pathOf('PUT', '/api/y')).toBe('* /api/{a}');
  expect(pathOf('GET', '/api/y/z')).toBe('GET /api/*');
  expect(find('GET', '/api/y/z')).toMatchObject({ params: { rest: 'y/z' } });
});

test('a known path with another method says which are allowed, and HEAD goes where GET does', () => {
  const find = table(route('GET', '/api/a'), route('DELETE', '/api/a'));
  expect(find('POST', '/api/a')).toEqual({ kind: 'wrongMethod', allowed: ['GET', 'DELETE'] });
  expect(find('HEAD', '/api/a')).toMatchObject({ kind: 'found' });
  expect(find('GET', '/api/b')).toEqual({ kind: 'none' });
});

test('two routes that match the same calls are refused', () => {
  expect(() => table(route('GET', '/api/{a}'), route('GET', '/api/{b}'))).toThrow(
    expect.objectContaining({ code: 'BUNDLE_INVALID' }),
  );
});

test.each(['/api/{a}{b}', '/api/{a}/{a}', '/api/{1}', '/api//x', '/a*b'])(
  'the pattern %s is refused',
  (path) => {
    expect(() => compilePattern(path)).toThrow(expect.objectContaining({ code: 'BUNDLE_INVALID' }));
  },
);
