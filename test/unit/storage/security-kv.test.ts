/** The store of one org is as large as its quota says, whatever a plug-in does at once or lets expire. */
import { expect, test } from 'vitest';

import { createKvBinding } from '../../../host/bindings/kv/index.ts';
import { openDatabase } from '../../../host/storage/sqlite/database.ts';
import { openSqliteKv } from '../../../host/storage/sqlite/kv.ts';

const grant = { plugin: 'p', version: '1.0.0', org: 'a', user: 'u', callId: 'c' };
const { signal } = new AbortController();

function openKv(limits: Record<string, number>) {
  let now = 1_000_000;
  const clock = { now: () => now, monotonic: () => now };
  const database = openDatabase(':memory:');
  const store = openSqliteKv(database, clock);
  const binding = createKvBinding(store, limits, clock);
  return {
    rows: () => (database.prepare('SELECT count(*) AS n FROM kv').get() as { n: number }).n,
    store,
    put: (key: string, value: unknown, options = {}) =>
      binding.call(grant, 'put', [key, value, options], signal),
    later: (ms: number) => (now += ms),
    async [Symbol.asyncDispose]() {
      await store[Symbol.asyncDispose]();
      database.close();
    },
  };
}

test('puts at the same moment do not all get in by the same free room', async () => {
  await using kv = openKv({ keys: 1_000, bytes: 10_000 });
  const value = 'x'.repeat(1_000);
  const puts = Array.from({ length: 100 }, (_, i) => kv.put(`k${i}`, value));
  const got = await Promise.allSettled(puts);
  expect(got.filter(({ status }) => status === 'fulfilled')).toHaveLength(9);
  expect((await kv.store.usage(grant)).bytes).toBeLessThanOrEqual(10_000);
  await using few = openKv({ keys: 5 });
  await Promise.allSettled(Array.from({ length: 50 }, (_, i) => few.put(`k${i}`, 1)));
  expect(few.rows()).toBe(5);
});

test('a refused put gives back the room that it asked for', async () => {
  await using kv = openKv({ bytes: 150 });
  for (let i = 0; i < 5; i += 1)
    await expect(kv.put('big', 'x'.repeat(200))).rejects.toThrow('full');
  await kv.put('small', 'x'.repeat(50));
  await kv.put('small', 'y'.repeat(60));
});

test('values that end at once do not pile up until somebody sweeps', async () => {
  await using kv = openKv({ bytes: 5_000 });
  for (let i = 0; i < 50; i += 1) {
    await kv.put(`k${i}`, 'x'.repeat(1_000), { expiresInMs: 1 });
    kv.later(1);
  }
  expect(kv.rows()).toBe(1);
});

test('sizes are counted in bytes of UTF-8, of keys and values', async () => {
  await using kv = openKv({});
  await kv.put('é', '€');
  await kv.put('gone', 'x', { expiresInMs: 5 });
  expect(await kv.store.usage(grant)).toEqual({ keys: 2, bytes: 2 + 5 + 4 + 3 });
  kv.later(5);
  expect(await kv.store.usage(grant)).toEqual({ keys: 1, bytes: 7 });
});
