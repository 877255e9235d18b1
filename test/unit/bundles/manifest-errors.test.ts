import { readFileSync } from 'node:fs';

import { expect, test } from 'vitest';

import { parseManifest } from '../../../host/bundles/manifest/manifest.ts';
import { nearestName } from '../../../host/bundles/manifest/errors.ts';
import { manifestOf } from '../../support/plugins/bundles.ts';
import { pluginSchema, SCHEMA_FILE } from '../../support/plugins/schema.ts';

const vcloud = manifestOf()['vcloud'] as Record<string, unknown>;

test.each<[Record<string, unknown>, string]>([
  [{ rutes: [] }, '(top): unknown key "rutes": did you mean "routes"?'],
  [
    { vcloud: { ...vcloud, routingkey: 'x' } },
    'vcloud: unknown key "routingkey": did you mean "routingKey"?',
  ],
  [{ limits: { memoryMB: 1 } }, 'limits: unknown key "memoryMB": did you mean "memoryMb"?'],
  [
    { routes: [{ method: 'GET', path: '/a', righst: [] }] },
    'routes.0: unknown key "righst": did you mean "rights"?',
  ],
  [
    { vcloud: { ...vcloud, apiFilters: [{ urlPatern: '/a' }] } },
    'vcloud.apiFilters.0: unknown key "urlPatern": did you mean "urlPattern"?',
  ],
  [{ somethingElse: 1 }, 'unknown key "somethingElse" (known are '],
])('%j is refused with what may have been meant', (changes, message) => {
  expect(() => parseManifest(manifestOf(changes))).toThrow(
    expect.objectContaining({ code: 'BUNDLE_INVALID', message: expect.stringContaining(message) }),
  );
});

test('an error names the path, the value and what was expected', () => {
  expect(() => parseManifest(manifestOf({ version: '1' }))).toThrow(
    'plugin.json: version: a version such as 1.2.0 (found "1")',
  );
});

test('the nearest name is found by its distance, and none when all are far', () => {
  expect(nearestName('bindigns', ['bindings', 'routes'])).toBe('bindings');
  expect(nearestName('x', ['bindings', 'routes'])).toBeNull();
  expect(nearestName('a'.repeat(100_000), ['bindings'])).toBeNull();
});

test('the published JSON Schema is that of the manifest (else: node test/support/plugins/schema.ts)', () => {
  expect(readFileSync(SCHEMA_FILE, 'utf8')).toBe(pluginSchema());
});
