import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { DatabaseSync } from 'node:sqlite';

import { afterEach, beforeEach, expect, test } from 'vitest';

import { openDatabase } from '../../../host/storage/sqlite/database.ts';
import { openSqliteHandledEvents } from '../../../host/storage/sqlite/handled-events.ts';
import { waitFor } from '../../support/wait.ts';
import { handledEventsCases } from './handled-events-cases.ts';

let folder: string;
const opened: Disposable[] = [];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'vcx-handled-'));
});
afterEach(() => {
  for (const one of opened.splice(0).toReversed()) one[Symbol.dispose]();
  rmSync(folder, { recursive: true });
});

function use<T extends Disposable>(one: T): T {
  opened.push(one);
  return one;
}
const database = (): DatabaseSync => use(openDatabase(join(folder, 'vcx.sqlite')));

handledEventsCases(
  'SQLite',
  async () => async () => use(openSqliteHandledEvents({ database: database() })),
);

test('events that are too old, and the oldest of too many, are swept away', async () => {
  const parts = { keepMs: 1_000, maxEntries: 5_000, sweepMs: 20, clock };
  const store = use(openSqliteHandledEvents({ database: database(), ...parts }));
  const events = Array.from({ length: 9_000 }, (_, i) => ({ key: `e${i}`, at: 100_000 + i }));
  const old = { key: 'old', at: 98_999 };
  await store.add([old, ...events]);
  await waitFor(async () => !(await store.has(old)));
  await waitFor(async () => !(await store.has({ key: 'e3999', at: 103_999 })));
  expect(await store.has({ key: 'e4000', at: 104_000 })).toBe(true);
  expect(await store.has({ key: 'e8999', at: 108_999 })).toBe(true);
});

const clock = { now: () => 100_000, monotonic: () => 0 };
