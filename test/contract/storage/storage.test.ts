import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';

import { afterEach, beforeEach, expect, test } from 'vitest';

import { openMemoryKv } from '../../../host/storage/memory-kv.ts';
import { createSeal, loadSeal } from '../../../host/storage/seal.ts';
import { openDatabase } from '../../../host/storage/sqlite/database.ts';
import { openSqliteInstalled } from '../../../host/storage/sqlite/installed.ts';
import { openSqliteJournal } from '../../../host/storage/sqlite/journal.ts';
import { openSqliteKv } from '../../../host/storage/sqlite/kv.ts';
import { createSqliteOpenBlocking } from '../../../host/storage/sqlite/open-blocking.ts';
import { createSqliteOpenTasks } from '../../../host/storage/sqlite/open-tasks.ts';
import { waitFor } from '../../support/wait.ts';
import { installedCases } from './installed-cases.ts';
import { journalCases } from './journal-cases.ts';
import { kvCases } from './kv-cases.ts';
import { openBlockingCases } from './open-blocking-cases.ts';
import { openTaskCases } from './open-tasks-cases.ts';

let folder: string;
const opened: DatabaseSync[] = [];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'vcx-storage-'));
});
afterEach(() => {
  // Journals are disposed by their tests; afterEach hooks run last registered first.
  for (const database of opened.splice(0)) database.close();
  rmSync(folder, { recursive: true });
});

function database(): DatabaseSync {
  const made = openDatabase(join(folder, 'vcx.sqlite'));
  opened.push(made);
  return made;
}

kvCases('memory', async (clock) => openMemoryKv(clock));
kvCases('SQLite', async (clock) => openSqliteKv(database(), clock));
journalCases('SQLite', async (clock, options) => {
  const seal = loadSeal(join(folder, 'journal.key'));
  return async () => openSqliteJournal({ ...options, database: database(), seal, clock });
});

openBlockingCases('SQLite', async () => async () => createSqliteOpenBlocking(database()));
openTaskCases('SQLite', async () => async () => createSqliteOpenTasks(database()));
installedCases('SQLite', async () => ({
  another: async () => openSqliteInstalled(database(), { pollMs: 20 }),
  async alter(hash) {
    database().prepare('UPDATE blobs SET bytes = ? WHERE hash = ?').run(Buffer.from('x'), hash);
  },
}));

test('replies are sealed on disk, and the key is for its owner only', async () => {
  const seal = loadSeal(join(folder, 'journal.key'));
  const journal = openSqliteJournal({ database: database(), seal });
  await journal.begin({ key: 'k', digest: 'd' });
  await journal.finish('k', 'a reply that must not be read');
  const bytes = ['vcx.sqlite', 'vcx.sqlite-wal']
    .map((name) => readFileSync(join(folder, name), 'latin1'))
    .join('');
  expect(bytes).not.toContain('must not be read');
  expect(statSync(join(folder, 'journal.key')).mode & 0o777).toBe(0o600);
  expect(await journal.look({ key: 'k', digest: 'd' })).toMatchObject({ kind: 'answered' });
  await journal[Symbol.asyncDispose]();
});

test('sealed bytes that were altered, moved or sealed with another key are not opened', () => {
  const seal = createSeal(Buffer.alloc(32, 1));
  const sealed = seal.seal('text', 'place');
  expect(seal.open(sealed, 'place')).toBe('text');
  expect(seal.open(sealed, 'elsewhere')).toBe(null);
  expect(createSeal(Buffer.alloc(32, 2)).open(sealed, 'place')).toBe(null);
  for (let i = 0; i < sealed.length; i += 1) {
    const altered = Uint8Array.from(sealed);
    altered[i] = (altered[i] ?? 0) ^ 1;
    expect(seal.open(altered, 'place')).toBe(null);
  }
});

test('the journal is bounded: the oldest answered entries go first', async () => {
  const seal = createSeal(Buffer.alloc(32));
  const journal = openSqliteJournal({ database: database(), seal, maxEntries: 5, aliveMs: 30 });
  for (let i = 0; i < 20; i += 1) {
    await journal.begin({ key: `k${i}`, digest: 'd' });
    if (i > 0) await journal.finish(`k${i}`, 'x');
  }
  await waitFor(async () => (await journal.status()).entries < 20);
  expect(await journal.look({ key: 'k0', digest: 'd' })).toMatchObject({ kind: 'begun' });
  await journal[Symbol.asyncDispose]();
});

test('what an older version of the file kept is counted too', async () => {
  const first = database();
  first.exec('DROP TABLE kv_usage; DROP TRIGGER kv_added; DROP TRIGGER kv_changed');
  first.exec('DROP TRIGGER kv_removed; DROP INDEX kv_by_key; DROP INDEX kv_by_end');
  first.exec("INSERT INTO kv VALUES ('p', 'o', 'k', '12345', 1, NULL)");
  first.exec('PRAGMA user_version = 7');
  const again = database();
  const kv = openSqliteKv(again);
  expect(await kv.usage({ plugin: 'p', org: 'o' })).toEqual({ keys: 1, bytes: 6 });
  await kv[Symbol.asyncDispose]();
});

test('a file of a newer version is refused, not touched', () => {
  const file = join(folder, 'newer.sqlite');
  const raw = new DatabaseSync(file);
  raw.exec('PRAGMA user_version = 99');
  raw.close();
  expect(() => openDatabase(file)).toThrow(expect.objectContaining({ code: 'CONFIG_INVALID' }));
});

test('a folder that can not be written is a configuration error', () => {
  expect(() => openDatabase('/dev/null/vcx.sqlite')).toThrow(
    expect.objectContaining({
      code: 'CONFIG_INVALID',
      message: expect.stringContaining('stateDir'),
    }),
  );
});
