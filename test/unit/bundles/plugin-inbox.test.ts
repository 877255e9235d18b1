import {
  appendFileSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, expect, test } from 'vitest';

import { openInbox, type Inbox } from '../../../host/bundles/change/inbox.ts';
import type { UploadOptions } from '../../../host/bundles/change/admin.ts';
import { HostError, type Code } from '../../../host/kernel/errors.ts';
import { silentLog } from '../../../host/kernel/log.ts';
import { waitFor } from '../../support/wait.ts';

let folder: string;
let refuses: Code | null;
const taken: { text: string; options: UploadOptions }[] = [];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'vcx-inbox-'));
  taken.length = 0;
  refuses = null;
});
afterEach(() => rmSync(folder, { recursive: true }));

const admin = {
  async upload(archive: Uint8Array, options: UploadOptions) {
    const text = Buffer.from(archive).toString();
    taken.push({ text, options });
    if (refuses) throw new HostError(refuses, 'refused');
    if (text.startsWith('bad')) throw new HostError('BUNDLE_ARCHIVE', `broken: ${text}`);
    return { name: 'p', version: '1.0.0', digest: '', state: 'live' as const, asks: [] };
  },
};
const open = (): Promise<Inbox> => openInbox({ folder, admin, log: silentLog, everyMs: 5 });
const put = (name: string, text: string) => writeFileSync(join(folder, name), text);
const texts = () => taken.map(({ text }) => text);

test('files are taken once, in order, with the map beside them, and what is no bundle is not', async () => {
  put('b.vcx', 'b');
  put('b.vcx.map', 'map of b');
  put('a.vcx', 'a');
  put('c.txt', 'c');
  await using inbox = await open();
  await waitFor(() => taken.length === 2);
  put('d.vcx', 'd');
  await waitFor(() => taken.length === 3);
  expect(texts()).toEqual(['a', 'b', 'd']);
  expect(Buffer.from(taken[1]?.options.sourceMap ?? []).toString()).toBe('map of b');
  expect(taken.every(({ options }) => options.onlyNew)).toBe(true);
  expect(inbox.problems()).toEqual([]);
});

test('a file that still grows is not read before it stands still', async () => {
  await using _inbox = await open();
  put('a.vcx', '');
  for (let turn = 0; turn < 20; turn += 1) {
    appendFileSync(join(folder, 'a.vcx'), 'x');
    await new Promise((resolve) => setImmediate(resolve));
  }
  await waitFor(() => texts().includes('x'.repeat(20)));
});

test('why a file was refused is shown until it changes or is gone', async () => {
  put('a.vcx', 'bad 1');
  put('b.vcx', 'good');
  await using inbox = await open();
  await waitFor(() => inbox.problems().length === 1 && texts().includes('good'));
  expect(inbox.problems()).toEqual([
    { file: 'a.vcx', code: 'BUNDLE_ARCHIVE', reason: 'broken: bad 1' },
  ]);
  put('a.vcx', 'bad once more');
  await waitFor(() => inbox.problems()[0]?.reason === 'broken: bad once more');
  put('a.vcx', 'good too');
  await waitFor(() => inbox.problems().length === 0);
  put('a.vcx', 'bad at last');
  await waitFor(() => inbox.problems().length === 1);
  rmSync(join(folder, 'a.vcx'));
  await waitFor(() => inbox.problems().length === 0);
  expect(texts()).toEqual(['bad 1', 'good', 'bad once more', 'good too', 'bad at last']);
});

test('links to nothing, folders and pipes are refused, and keep nobody else out', async () => {
  symlinkSync(join(folder, 'nowhere'), join(folder, 'a.vcx'));
  mkdirSync(join(folder, 'b.vcx'));
  symlinkSync('/dev/zero', join(folder, 'c.vcx'));
  put('d.vcx', 'good');
  await using inbox = await open();
  await waitFor(() => texts().includes('good') && inbox.problems().length === 3);
  expect(inbox.problems().map(({ file, code }) => `${file} ${code}`)).toEqual(
    ['a', 'b', 'c'].map((name) => `${name}.vcx BUNDLE_ARCHIVE`),
  );
});

test.each(['RUNNER_UNAVAILABLE', 'PLUGIN_CHANGED'] as const)(
  'what was no fault of the file (%s) is tried again',
  async (code) => {
    refuses = code;
    put('a.vcx', 'a');
    await using inbox = await open();
    await waitFor(() => taken.length > 2);
    expect(inbox.problems()).toMatchObject([{ code }]);
    refuses = null;
    await waitFor(() => inbox.problems().length === 0);
  },
);

test('a folder that is not there is a configuration error; one that goes away later is none', async () => {
  await expect(
    openInbox({ folder: join(folder, 'none'), admin, log: silentLog }),
  ).rejects.toMatchObject({ code: 'CONFIG_INVALID' });
  const own = join(folder, 'own');
  mkdirSync(own);
  await using _inbox = await openInbox({ folder: own, admin, log: silentLog, everyMs: 5 });
  rmSync(own, { recursive: true });
  await new Promise((resolve) => setImmediate(resolve));
  mkdirSync(own);
  writeFileSync(join(own, 'a.vcx'), 'a');
  await waitFor(() => taken.length === 1);
});
