/** What every implementation of the kv port promises. */
import { expect, test } from 'vitest';

import type { Clock } from '../../../host/kernel/time.ts';
import type { KvStore } from '../../../host/storage/kv-store.ts';

const A = { plugin: 'p', org: 'a' };

export function kvCases(name: string, open: (clock: Clock) => Promise<KvStore>): void {
  async function store() {
    let now = 1_000_000;
    const clock = { now: () => now, monotonic: () => now };
    return { kv: await open(clock), now, later: (ms: number) => (now += ms) };
  }
  const put = (value: string) => ({ value, expiresAt: null });

  test(`${name}: a value comes back with a version that grows`, async () => {
    const { kv } = await store();
    const first = await kv.put(A, 'k', put('1'));
    const second = await kv.put(A, 'k', put('2'));
    expect(second).toBeGreaterThan(first ?? Infinity);
    expect(await kv.get(A, 'k')).toEqual({ value: '2', version: second, expiresAt: null });
    expect(await kv.get(A, 'other')).toBe(null);
    await kv[Symbol.asyncDispose]();
  });

  test(`${name}: scopes of other plug-ins and orgs are apart, whatever their names`, async () => {
    const { kv } = await store();
    await kv.put({ plugin: 'p', org: 'a' }, 'k', put('1'));
    for (const scope of [
      { plugin: 'p', org: 'b' },
      { plugin: 'pa', org: '' },
      { plugin: '', org: 'pa' },
    ])
      expect(await kv.get(scope, 'k')).toBe(null);
    await kv[Symbol.asyncDispose]();
  });

  test(`${name}: a plug-in that is forgotten leaves nothing behind, and others keep theirs`, async () => {
    const { kv } = await store();
    const B = { plugin: 'p', org: 'b' };
    const other = { plugin: 'pp', org: 'a' };
    for (const scope of [A, B, other]) await kv.put(scope, 'k', put('1'));
    await kv.forget('p');
    expect(await kv.get(A, 'k')).toBe(null);
    expect(await kv.usage(B)).toEqual({ keys: 0, bytes: 0 });
    expect((await kv.get(other, 'k'))?.value).toBe('1');
    await kv[Symbol.asyncDispose]();
  });

  test(`${name}: compare-and-set writes over the expected version only; 0 means not there`, async () => {
    const { kv } = await store();
    const version = (await kv.put(A, 'k', { ...put('1'), ifVersion: 0 })) ?? -1;
    expect(await kv.put(A, 'k', { ...put('2'), ifVersion: 0 })).toBe(null);
    expect(await kv.put(A, 'k', { ...put('2'), ifVersion: version })).toBeGreaterThan(version);
    expect(await kv.put(A, 'k', { ...put('3'), ifVersion: version })).toBe(null);
    expect(await kv.delete(A, 'k')).toBe(true);
    expect(await kv.delete(A, 'k')).toBe(false);
    expect(await kv.put(A, 'k', { ...put('4'), ifVersion: 0 })).toBeGreaterThan(version);
    await kv[Symbol.asyncDispose]();
  });

  test(`${name}: an expired value is not there, is not counted, and can be written anew`, async () => {
    const { kv, now, later } = await store();
    await kv.put(A, 'k', { value: '1', expiresAt: now + 500 });
    expect(await kv.get(A, 'k')).not.toBe(null);
    later(500);
    expect(await kv.get(A, 'k')).toBe(null);
    expect((await kv.list(A, { prefix: '', limit: 10, cursor: null })).keys).toEqual([]);
    expect(await kv.usage(A)).toEqual({ keys: 0, bytes: 0 });
    expect(await kv.delete(A, 'k')).toBe(false);
    expect(await kv.put(A, 'k', { ...put('2'), ifVersion: 0 })).not.toBe(null);
    await kv[Symbol.asyncDispose]();
  });

  test(`${name}: keys are listed by prefix, in order, page by page`, async () => {
    const { kv } = await store();
    for (const key of ['b/2', 'a/1', 'b/1', 'b%', 'b/é', 'c']) await kv.put(A, key, put('x'));
    const first = await kv.list(A, { prefix: 'b/', limit: 2, cursor: null });
    expect(first).toEqual({ keys: ['b/1', 'b/2'], cursor: 'b/2' });
    expect(await kv.list(A, { prefix: 'b/', limit: 2, cursor: first.cursor })).toEqual({
      keys: ['b/é'],
      cursor: null,
    });
    expect((await kv.list(A, { prefix: 'b%', limit: 2, cursor: null })).keys).toEqual(['b%']);
    await kv[Symbol.asyncDispose]();
  });

  test(`${name}: prefixes and order go by code points, beyond the basic plane too`, async () => {
    const { kv } = await store();
    for (const key of ['😀/b', '😀/a', '\u{1F601}', '\uFF5E', 'a']) await kv.put(A, key, put('x'));
    const list = (prefix: string, cursor: string | null = null) =>
      kv.list(A, { prefix, limit: 2, cursor });
    expect(await list('😀')).toEqual({ keys: ['😀/a', '😀/b'], cursor: null });
    expect((await list('😀/b')).keys).toEqual(['😀/b']);
    expect(await list('')).toEqual({ keys: ['a', '\uFF5E'], cursor: '\uFF5E' });
    expect(await list('', '\uFF5E')).toEqual({ keys: ['😀/a', '😀/b'], cursor: '😀/b' });
    expect((await list('\0')).keys).toEqual([]);
    await kv[Symbol.asyncDispose]();
  });

  test(`${name}: usage counts keys and UTF-8 bytes`, async () => {
    const { kv } = await store();
    await kv.put(A, 'é', put('"ü"'));
    await kv.put(A, 'x', put('1'));
    expect(await kv.usage(A)).toEqual({ keys: 2, bytes: 2 + 4 + 1 + 1 });
    expect(await kv.usage({ plugin: 'p', org: 'b' })).toEqual({ keys: 0, bytes: 0 });
    await kv[Symbol.asyncDispose]();
  });

  test(`${name}: usage and lists stay true through writes, expiry, deletion and forgetting`, async () => {
    const { kv, now, later } = await store();
    const B = { plugin: 'p', org: 'b' };
    for (let i = 0; i < 40; i += 1) {
      const expiresAt = i % 4 === 0 ? now + 100 : null;
      await kv.put(i % 2 === 0 ? A : B, `k${i % 15}`, { value: '"é"'.repeat(i), expiresAt });
      if (i % 5 === 0) await kv.delete(A, `k${i % 7}`);
    }
    later(200);
    for (const scope of [A, B]) {
      const { keys } = await kv.list(scope, { prefix: 'k', limit: 100, cursor: null });
      let bytes = 0;
      for (const key of keys) {
        const { value = '' } = (await kv.get(scope, key)) ?? {};
        bytes += Buffer.byteLength(key) + Buffer.byteLength(value);
      }
      expect(keys.length).toBeGreaterThan(3);
      expect(await kv.usage(scope)).toEqual({ keys: keys.length, bytes });
      expect((await kv.list(scope, { prefix: 'k1', limit: 100, cursor: null })).keys).toEqual(
        keys.filter((key) => key.startsWith('k1')),
      );
    }
    await kv.forget('p');
    expect(await kv.usage(A)).toEqual({ keys: 0, bytes: 0 });
    await kv[Symbol.asyncDispose]();
  });
}
