/** What an author sends is read by the host itself: no manifest, text or source map may cost it more than it is worth. */
import { expect, test } from 'vitest';

import { readBundle } from '../../../host/bundles/archive/bundle.ts';
import { mapPlaces } from '../../../host/bundles/source/source-map.ts';
import { bundleOf, manifestOf } from '../../support/plugins/bundles.ts';

const codeOf = (work: () => unknown) => {
  try {
    work();
    return null;
  } catch (error) {
    return error as Error & { code: string };
  }
};
const listing = (key: string, items: number) =>
  JSON.stringify(manifestOf({ [key]: [] })).replace(
    `"${key}":[]`,
    `"${key}":[${Array(items).fill(0).join(',')}]`,
  );
const texts = (count: number) =>
  JSON.stringify(Object.fromEntries(Array.from({ length: count }, (_, i) => [`k${i}`, ''])));

test('a manifest with a million wrong entries is refused by its size, and one with thousands in a short message', () => {
  const huge = codeOf(() => readBundle(bundleOf({ 'plugin.json': listing('routes', 1_000_000) })));
  expect(huge?.code).toBe('BUNDLE_TOO_LARGE');
  const many = codeOf(() => readBundle(bundleOf({ 'plugin.json': listing('bindings', 20_000) })));
  expect(many?.code).toBe('BUNDLE_INVALID');
  expect(many?.message.length).toBeLessThan(4_000);
  expect(many?.message).toContain('and 19980 more');
  const strange = Object.fromEntries(Array.from({ length: 5_000 }, (_, i) => [`zz${i}`, 1]));
  const keys = codeOf(() =>
    readBundle(bundleOf({ 'plugin.json': JSON.stringify(manifestOf(strange)) })),
  );
  expect(keys?.code).toBe('BUNDLE_INVALID');
  expect(keys?.message.length).toBeLessThan(20_000);
});

test('texts beside the manifest are bounded in bytes and in number', () => {
  const of = (json: string) =>
    codeOf(() => readBundle(bundleOf({ 'localization/en.json': json })))?.code ?? null;
  expect(of(texts(200))).toBeNull();
  expect(of(texts(20_000))).toBe('BUNDLE_TOO_LARGE');
  expect(of(JSON.stringify({ key: 'x'.repeat(1_100_000) }))).toBe('BUNDLE_TOO_LARGE');
});

const PLACE = 'Error at plugin:main.js:1:1';
const map = (changes: Record<string, unknown> = {}) =>
  JSON.stringify({ version: 3, sources: ['main.ts'], names: [], mappings: 'AAAA', ...changes });

test('a source map that is too large, nested or of other types than a map has costs its author the places only', () => {
  expect(mapPlaces(PLACE, map())).toBe('Error at main.ts:1:1');
  const hostile = [
    map({ mappings: Array(400_000).fill('AAAA').join(',') }),
    map({ mappings: ';'.repeat(400_000) }),
    map({ padding: 'x'.repeat(9_000_000) }),
    map({ mappings: undefined, sections: [{ offset: { line: 0, column: 0 }, map: {} }] }),
    map({ sources: [{ toString: 1 }] }),
    map({ sources: 'main.ts' }),
    map({ mappings: 7 }),
    'null',
    '[]',
    '{',
  ];
  for (const text of hostile) expect(mapPlaces(PLACE, text)).toBe(PLACE);
});

test('a source with an endless name does not multiply a line of a log', () => {
  const text = `${PLACE} `.repeat(100);
  const mapped = mapPlaces(text, map({ sources: ['n'.repeat(1_000_000)] }));
  expect(mapped.length).toBeLessThan(30_000);
});
