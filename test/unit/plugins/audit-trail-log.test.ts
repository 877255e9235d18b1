/** The log of the example plug-in `audit-trail`, over a store in memory. */
import { expect, test } from 'vitest';

import { createLog, type Entry } from '../../../plugins/audit-trail/log.ts';
import type { KvNamespace } from '../../../sdk/src/index.ts';

interface Wish {
  readonly limit: number;
  readonly cursor?: string;
}

function createKv() {
  const held = new Map<string, unknown>();
  const kv = {
    get: async (key: string) => held.get(key) ?? null,
    async put(key: string, value: unknown) {
      if (held.has(key)) return null;
      held.set(key, value);
      return 1;
    },
    delete: async (key: string) => held.delete(key),
    async list({ limit, cursor = '' }: Wish) {
      const keys = [...held.keys()].filter((key) => key > cursor).toSorted();
      const page = keys.slice(0, limit);
      return { keys: page, cursor: keys.length > limit ? page.at(-1) : null };
    },
  };
  return { held, kv: kv as unknown as KvNamespace };
}

const entry = (second: number): Entry => ({
  eventId: `e${second}`,
  at: new Date(1_800_000_000_000 + second * 1_000).toISOString(),
  type: '',
  success: true,
  user: null,
  entity: '',
  name: null,
});
const idsOf = (entries: readonly Entry[] = []) => entries.map(({ eventId }) => eventId);

test('the log of an org is bounded: the oldest give way', async () => {
  const { held, kv } = createKv();
  const log = createLog(kv, { most: 60, chance: 1 });
  for (let n = 0; n < 200; n += 1) await log.add(entry(n));
  expect(held.size).toBe(60);
  const newest = await log.read(null);
  expect(idsOf(newest?.entries).slice(0, 2)).toEqual(['e199', 'e198']);
  const last = await log.read(newest?.older ?? null);
  expect(idsOf(last?.entries)).toEqual(Array.from({ length: 10 }, (_, n) => `e${149 - n}`));
  expect(last?.older).toBe(null);
});

test('an event that comes again is not written twice', async () => {
  const { held, kv } = createKv();
  const log = createLog(kv);
  for (const n of [1, 2, 1]) await log.add(entry(n));
  expect(held.size).toBe(2);
});

test('the newest come first, in whatever order the events came', async () => {
  const log = createLog(createKv().kv);
  for (const second of [2, 3, 1]) await log.add(entry(second));
  expect(idsOf((await log.read(null))?.entries)).toEqual(['e3', 'e2', 'e1']);
});

test.each(['', 'x', '../other', '1/e1'])('%j is no place to go on from', async (behind) => {
  expect(await createLog(createKv().kv).read(behind)).toBe(null);
});
