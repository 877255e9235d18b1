/** The log of the example plug-in `audit-trail`, over a store in memory. */
import { expect, test } from 'vitest';

import { createLog, type Entry } from '../../../plugins/audit-trail/log.ts';
import type { KvNamespace } from '../../../sdk/src/index.ts';

interface Kept {
  readonly value: unknown;
  readonly version: number;
}

function createKv() {
  const held = new Map<string, Kept>();
  let last = 0;
  const kv = {
    get: async (key: string) => held.get(key)?.value ?? null,
    getWithVersion: async (key: string) => held.get(key) ?? null,
    async put(key: string, value: unknown, { ifVersion }: { ifVersion?: number } = {}) {
      if (ifVersion !== undefined && (held.get(key)?.version ?? 0) !== ifVersion) return null;
      held.set(key, { value, version: ++last });
      return last;
    },
    delete: async (key: string) => held.delete(key),
  };
  return { held, kv: kv as unknown as KvNamespace };
}

const entry = (n: number): Entry => ({
  eventId: `e${n}`,
  at: '',
  type: '',
  success: true,
  user: null,
  entity: '',
  name: null,
});

test('the log of an org is bounded: the oldest page gives way', async () => {
  const { held, kv } = createKv();
  const log = createLog(kv);
  for (let n = 0; n < 5_250; n += 1) await log.add(entry(n));
  expect(held.size).toBe(51);
  const newest = await log.read(null);
  expect(newest).toMatchObject({ page: 53, older: 52 });
  expect(newest?.entries[0]?.eventId).toBe('e5249');
  expect(await log.read(4)).toMatchObject({ page: 4, older: null });
  expect([await log.read(3), await log.read(54)]).toEqual([null, null]);
});

test('an event that comes again is not written twice, over the edge of a page either', async () => {
  const { kv } = createKv();
  const log = createLog(kv);
  for (let n = 0; n < 101; n += 1) await log.add(entry(n));
  await log.add(entry(99));
  expect((await log.read(null))?.entries).toHaveLength(1);
});

test('a page shows the newest first, in whatever order its events came', async () => {
  const log = createLog(createKv().kv);
  for (const minute of [2, 3, 1])
    await log.add({ ...entry(minute), at: `2026-01-01T00:0${minute}:00.000Z` });
  const shown = await log.read(null);
  expect(shown?.entries.map(({ eventId }) => eventId)).toEqual(['e3', 'e2', 'e1']);
});
