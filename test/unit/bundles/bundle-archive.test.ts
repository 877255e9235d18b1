import { expect, test } from 'vitest';

import { readArchive, writeArchive } from '../../../host/bundles/archive/zip.ts';
import { readBundle } from '../../../host/bundles/archive/bundle.ts';
import { bundleOf, filesOf, manifestOf, SCRIPT } from '../../support/plugins/bundles.ts';
import { rawZip, type RawEntry } from '../../support/plugins/zip.ts';

const code = (code: string, message = '') =>
  expect.objectContaining({ code, message: expect.stringContaining(message) });

test('a bundle is read back as it was written, whatever the order of its files was', () => {
  const files = filesOf({ 'assets/icon.svg': '<svg/>', 'assets/a/b.txt': 'b' });
  const backwards = new Map([...files].toReversed());
  expect(writeArchive(backwards).equals(writeArchive(files))).toBe(true);
  const bundle = readBundle(writeArchive(files));
  expect(bundle).toMatchObject({ mainJs: SCRIPT, signature: null, manifest: { name: 'demo' } });
  expect([...bundle.files.keys()]).toEqual([
    'assets/a/b.txt',
    'assets/icon.svg',
    'main.js',
    'plugin.json',
  ]);
  expect(bundle.digest).toMatch(/^[0-9a-f]{64}$/);
});

test('the digest depends on every path and content, and not on the signature', () => {
  const digests = [
    bundleOf(),
    bundleOf({ 'main.js': `${SCRIPT};` }),
    bundleOf({ 'assets/a': '' }),
    bundleOf({ 'assets/b': '' }),
    bundleOf({ 'assets/b': ' ' }),
  ].map((bytes) => readBundle(bytes).digest);
  expect(new Set(digests).size).toBe(5);
  expect(readBundle(bundleOf({ 'signature.json': '{}' })).digest).toBe(digests[0]);
});

test('texts beside the manifest become part of it, and may not contradict it', () => {
  const { manifest } = readBundle(bundleOf({ 'localization/de.json': '{"name":"Beispiel"}' }));
  expect(manifest.vcloud.localization).toEqual({ de: { name: 'Beispiel' } });
  const vcloud = {
    ...(manifestOf()['vcloud'] as object),
    localization: { de: { name: 'Muster' } },
  };
  const files = {
    'plugin.json': JSON.stringify(manifestOf({ vcloud })),
    'localization/de.json': '{"name":"Beispiel"}',
  };
  expect(() => readBundle(bundleOf(files))).toThrow(code('BUNDLE_INVALID', '"name" is in plugin'));
  for (const text of ['[]', '{', '{"a":1}', '{"__proto__":{}}'])
    expect(() => readBundle(bundleOf({ 'localization/de.json': text }))).toThrow(
      code('BUNDLE_INVALID'),
    );
});

test.each([
  ['/etc/passwd', 'absolute'],
  ['C:/windows/x', 'absolute'],
  ['../main.js', 'leaves the bundle'],
  ['assets/../../x', 'leaves the bundle'],
  ['assets/./x', 'holds a dot'],
  ['assets/', 'no entry of their own'],
  ['assets//x', 'names are ASCII'],
  ['assets\\x', 'names are ASCII'],
  ['assets/x\u0000.txt', 'names are ASCII'],
  ['assets/caf\u00e9', 'names are ASCII'],
  ['assets/.hidden', 'names are ASCII'],
  ['assets/x.', 'names are ASCII'],
  [`assets/${'a'.repeat(300)}`, 'at most 200'],
  ['node_modules/x.js', 'has no place'],
  ['Plugin.json', 'has no place'],
  ['main.js.map', 'has no place'],
  ['localization/de/x.json', 'has no place'],
  ['', 'names are ASCII'],
])('the name %j is refused', (name, why) => {
  expect(() => readArchive(rawZip([{ name, data: 'x' }]))).toThrow(code('BUNDLE_ARCHIVE', why));
  expect(() => writeArchive(new Map([[name, Buffer.from('x')]]))).toThrow(code('BUNDLE_ARCHIVE'));
});

const whole: RawEntry[] = [
  { name: 'main.js', data: SCRIPT },
  { name: 'plugin.json', data: JSON.stringify(manifestOf()) },
];

test.each<[string, RawEntry[], string]>([
  ['a name twice', [whole[0]!, whole[0]!], 'stands twice'],
  [
    'names that differ in case',
    [
      { name: 'assets/A', data: '1' },
      { name: 'assets/a', data: '2' },
    ],
    'only in case',
  ],
  [
    'a file that is a folder too',
    [
      { name: 'assets/a', data: '1' },
      { name: 'assets/a/b', data: '2' },
    ],
    'a file and a folder',
  ],
  ['a symbolic link', [{ name: 'assets/l', data: '/etc/passwd', mode: 0o120_777 }], 'is a link'],
  ['a deflated entry', [{ name: 'assets/x', data: 'x', method: 8, size: 2 ** 31 }], 'compressed'],
  ['an encrypted entry', [{ name: 'assets/x', data: 'x', flags: 0x0801 }], 'encrypted'],
  ['two sizes', [{ name: 'assets/x', data: 'x', size: 1, packedSize: 2 }], 'two sizes'],
  ['more content than there is', [{ name: 'assets/x', data: 'x', size: 9_000 }], 'cut short'],
  ['less content than there is', [{ name: 'assets/x', data: 'xyz', size: 1 }], 'one form'],
  ['another name inside', [{ name: 'assets/x', data: 'x', localName: 'assets/y' }], 'one form'],
  ['a file mode', [{ ...whole[0]!, mode: 0o100_755 }, whole[1]!], 'one form'],
  ['files in another order', [whole[1]!, whole[0]!], 'one form'],
  ['a name that is not UTF-8', [{ name: new Uint8Array([0xff, 0xfe]) }], 'not UTF-8'],
])('%s is refused', (_, entries, why) => {
  expect(() => readArchive(rawZip(entries))).toThrow(code('BUNDLE_ARCHIVE', why));
});

test('an archive with a comment, a gap, a tail or a wrong count is refused', () => {
  expect(() => readArchive(rawZip(whole))).not.toThrow();
  for (const bytes of [
    rawZip(whole, { comment: 'hello' }),
    rawZip(whole, { gap: 'hidden' }),
    rawZip(whole, { count: 1 }),
    rawZip(whole, { count: 3 }),
    Buffer.concat([rawZip(whole), Buffer.from('x')]),
    Buffer.concat([Buffer.from('#!/bin/sh\n'), rawZip(whole)]),
    Buffer.alloc(0),
    Buffer.from('not an archive'),
  ])
    expect(() => readArchive(bytes)).toThrow(code('BUNDLE_ARCHIVE'));
});

test('an archive that was cut short anywhere is refused', () => {
  const bytes = bundleOf();
  for (let length = 0; length < bytes.length; length++)
    expect(() => readBundle(bytes.subarray(0, length))).toThrow(code('BUNDLE_ARCHIVE'));
});

test('sizes and counts over a cap are refused by what the headers claim', () => {
  const large = { name: 'assets/x', size: 0xff_ff_ff_f0 };
  expect(() => readArchive(rawZip([large]))).toThrow(code('BUNDLE_TOO_LARGE', 'assets/x'));
  const many = Array.from({ length: 1_001 }, (_, index) => ({ name: `assets/${index}` }));
  expect(() => readArchive(rawZip(many))).toThrow(code('BUNDLE_TOO_LARGE', '1001 entries'));
  const half = { data: 'x'.repeat(60) };
  const two = rawZip([
    { name: 'assets/a', ...half },
    { name: 'assets/b', ...half },
  ]);
  expect(() => readArchive(two, { totalBytes: 100 })).toThrow(code('BUNDLE_TOO_LARGE', 'together'));
  expect(() => readArchive(two, { entryBytes: 50 })).toThrow(code('BUNDLE_TOO_LARGE', 'assets/a'));
  expect(() => readArchive(two, { archiveBytes: 50 })).toThrow(code('BUNDLE_TOO_LARGE', 'archive'));
});

test.each<[string, Record<string, string>, string]>([
  ['a manifest that is not JSON', { 'plugin.json': '{' }, 'plugin.json is not JSON'],
  [
    'a manifest of another entry',
    { 'plugin.json': JSON.stringify(manifestOf({ main: 'x.js' })) },
    'main',
  ],
  [
    'a manifest with an unknown key',
    { 'plugin.json': JSON.stringify(manifestOf({ rutes: 1 })) },
    'routes',
  ],
])('%s is refused', (_, changes, why) => {
  expect(() => readBundle(bundleOf(changes))).toThrow(code('BUNDLE_INVALID', why));
});

test('a bundle without script or manifest, or with a script that is not UTF-8, is refused', () => {
  const files = filesOf();
  for (const name of ['main.js', 'plugin.json']) {
    const rest = new Map([...files].filter(([one]) => one !== name));
    expect(() => readBundle(writeArchive(rest))).toThrow(code('BUNDLE_INVALID', name));
  }
  files.set('main.js', new Uint8Array([0xff]));
  expect(() => readBundle(writeArchive(files))).toThrow(code('BUNDLE_INVALID', 'not UTF-8'));
});
