import { expect, test } from 'vitest';

import { createLogbook, type NewLine } from '../../../host/bundles/live/logbook.ts';
import { mapPlaces } from '../../../host/bundles/source/source-map.ts';
import { changesOfOwner } from '../../../host/bundles/change/changes-of-owner.ts';
import type { Change, ChangeQuery } from '../../../host/storage/changes.ts';

const line = (changes: Partial<NewLine> = {}): NewLine => ({
  plugin: 'p',
  version: '1.0.0',
  org: 'a',
  callId: 'c',
  kind: 'log',
  level: 'info',
  text: 'x',
  ...changes,
});

test('lines come back oldest first, of one plug-in, of one org, after an id', () => {
  const book = createLogbook({ now: () => 7, monotonic: () => 7 });
  for (const [org, text] of [
    ['a', '1'],
    ['b', '2'],
    ['a', '3'],
  ] as const)
    book.write(line({ org, text }));
  book.write(line({ plugin: 'q', text: 'other' }));
  const texts = (query: object) =>
    book.read({ plugin: 'p', ...query }).map((one) => `${one.id} ${one.text} ${one.at}`);
  expect(texts({})).toEqual(['1 1 7', '2 2 7', '3 3 7']);
  expect(texts({ org: 'a' })).toEqual(['1 1 7', '3 3 7']);
  expect(texts({ after: 1, limit: 1 })).toEqual(['3 3 7']);
  expect(book.read({ plugin: 'nobody' })).toEqual([]);
});

test('a plug-in that writes without end keeps its latest lines, cut to size, and takes none of others', () => {
  const book = createLogbook();
  book.write(line({ plugin: 'quiet', text: 'still here' }));
  for (let turn = 0; turn < 10_000; turn += 1)
    book.write(line({ text: `${turn} ${'x'.repeat(10_000)}` }));
  const kept = book.read({ plugin: 'p', limit: 1_000_000 });
  expect(kept.length).toBeGreaterThanOrEqual(2_000);
  expect(kept.length).toBeLessThanOrEqual(2_500);
  expect(kept.at(-1)?.text.startsWith('9999 ')).toBe(true);
  expect(Math.max(...kept.map(({ text }) => text.length))).toBe(4_096);
  expect(book.read({ plugin: 'quiet' })).toHaveLength(1);
});

test('followers hear what fits, until they leave or the plug-in is forgotten', () => {
  const book = createLogbook();
  const heard: string[] = [];
  const one = book.follow({ plugin: 'p', org: 'a' }, ({ text }) => heard.push(`a ${text}`));
  const two = book.follow({ plugin: 'p' }, ({ text }) => heard.push(`all ${text}`));
  book.write(line({ text: '1' }));
  book.write(line({ org: 'b', text: '2' }));
  one[Symbol.dispose]();
  one[Symbol.dispose]();
  book.write(line({ text: '3' }));
  expect(heard).toEqual(['a 1', 'all 1', 'all 2', 'all 3']);
  book.forget('p');
  expect(book.read({ plugin: 'p' })).toEqual([]);
  book.write(line({ text: 'of the next owner' }));
  expect(heard).toHaveLength(4);
  // Who left too late does not take the place of who came after.
  using _next = book.follow({ plugin: 'p' }, ({ text }) => heard.push(text));
  two[Symbol.dispose]();
  book.write(line({ text: '4' }));
  expect(heard.at(-1)).toBe('4');
});

/** `main.js:1:1` is `src/a.ts:1:1`, `main.js:2:1` is `src/a.ts:3:1`. */
const MAP = JSON.stringify({
  version: 3,
  sources: ['src/a.ts'],
  names: [],
  mappings: 'AAAA;AAEA',
});

test('places of the script become those of the author’s files, also twice in one text', () => {
  const text = 'Error: x\n  at f (plugin:main.js:2:1)\n  at plugin:main.js:1:1';
  expect(mapPlaces(text, MAP)).toBe('Error: x\n  at f (src/a.ts:3:1)\n  at src/a.ts:1:1');
  expect(mapPlaces(text, null)).toBe(text);
  expect(mapPlaces('nothing', MAP)).toBe('nothing');
});

test.each([
  '',
  '{',
  'null',
  '[]',
  '7',
  '{"version":3}',
  '{"version":3,"sources":[],"mappings":"AAAA"}',
  '{"version":3,"sources":null,"mappings":";;;;"}',
  '{"version":3,"sources":[1],"mappings":"!!!!"}',
  '{"version":3,"sources":["a"],"mappings":"gggggggggggggggggggg"}',
  '{"version":3,"sections":[{"offset":null,"map":null}]}',
  `{"version":3,"sections":${'[{"offset":{"line":0,"column":0},"map":{"sections":'.repeat(2_000)}`,
])('a source map that is %j costs the author the places, and nobody anything', (map) => {
  expect(mapPlaces('at plugin:main.js:1:1', map)).toMatch(/^at /);
});

test('places that no source has are left as they are', () => {
  for (const place of ['plugin:main.js:0:0', 'plugin:main.js:999999999999:1'])
    expect(mapPlaces(`at ${place}`, MAP)).toMatch(/^at /);
});

const change = (id: number, action: string, org: string | null = null): Change => ({
  id,
  at: id,
  who: 'w',
  action,
  plugin: 'p',
  org,
  subject: null,
  before: null,
  after: null,
});

test('an owner reads the changes since nobody else had the name, page by page', async () => {
  const all = [
    change(1, 'install'),
    change(2, 'remove'),
    ...Array.from({ length: 2_500 }, (_, index) => change(index + 3, 'config', `o${index % 2}`)),
  ].toReversed();
  const log = {
    record: async () => undefined,
    list: async ({ before = Infinity, limit = 100 }: ChangeQuery = {}) =>
      all.filter(({ id }) => id < before).slice(0, limit),
  };
  const ids = async (query: object) =>
    (await changesOfOwner(log, { plugin: 'p', ...query })).map(({ id }) => id);
  expect(await ids({ limit: 2 })).toEqual([2_502, 2_501]);
  expect(await ids({})).toHaveLength(100);
  expect(await ids({ limit: 5_000 })).toHaveLength(2_500);
  expect(await ids({ before: 5 })).toEqual([4, 3]);
  expect(await ids({ before: 6, org: 'o0' })).toEqual([5, 3]);
  expect(await ids({ before: 3 })).toEqual([]);
});
