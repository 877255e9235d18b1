import { expect, test } from 'vitest';

import { createKvBinding } from '../../../host/bindings/kv/index.ts';
import { createRegistry } from '../../../host/bindings/registry.ts';
import { silentLog } from '../../../host/kernel/log.ts';
import { createMetrics } from '../../../host/kernel/metrics.ts';
import { openMemoryKv } from '../../../host/storage/memory-kv.ts';

const grant = { plugin: 'p', version: '1.0.0', org: 'a', user: 'u', callId: 'c' };
const { signal } = new AbortController();

function kv(limits = {}) {
  let now = 1_000;
  const clock = { now: () => now, monotonic: () => now };
  const binding = createKvBinding(openMemoryKv(clock), limits, clock);
  const call = (method: string, args: unknown, org = 'a') =>
    binding.call({ ...grant, org }, method, args, signal);
  return { call, later: (ms: number) => (now += ms) };
}

test('values come back, keys are listed in order and by page', async () => {
  const { call } = kv();
  for (const name of ['b', 'a', 'c', 'x']) await call('put', [name, { name }]);
  expect(await call('get', ['a'])).toEqual({ name: 'a' });
  expect(await call('get', ['nothing'])).toBe(null);
  expect(await call('list', [{ limit: 2 }])).toEqual({ keys: ['a', 'b'], cursor: 'b' });
  expect(await call('list', [{ limit: 2, cursor: 'b' }])).toEqual({
    keys: ['c', 'x'],
    cursor: null,
  });
  expect(await call('list', [])).toMatchObject({ keys: ['a', 'b', 'c', 'x'] });
  expect(await call('delete', ['a'])).toBe(true);
  expect(await call('delete', ['a'])).toBe(false);
});

test('one org never sees what another keeps', async () => {
  const { call } = kv();
  await call('put', ['k', 'secret'], 'a');
  expect(await call('get', ['k'], 'b')).toBe(null);
  expect(await call('list', [{}], 'b')).toEqual({ keys: [], cursor: null });
});

test('compare-and-set writes only over the version that was read', async () => {
  const { call } = kv();
  const version = await call('put', ['k', 1, { ifVersion: 0 }]);
  expect(await call('put', ['k', 2, { ifVersion: 0 }])).toBe(null);
  expect(await call('getWithVersion', ['k'])).toEqual({ value: 1, version });
  expect(await call('put', ['k', 2, { ifVersion: version }])).not.toBe(null);
  expect(await call('get', ['k'])).toBe(2);
});

test('a time beyond the numbers of the store is refused, and not written', async () => {
  const { call } = kv();
  for (const expiresInMs of [Number.MAX_SAFE_INTEGER, 1e300, 4e12])
    await expect(call('put', ['k', 1, { expiresInMs }])).rejects.toMatchObject({
      code: 'BINDING_ARGUMENT',
    });
  expect(await call('get', ['k'])).toBe(null);
});

test('a value is gone when its time is over', async () => {
  const { call, later } = kv();
  await call('put', ['k', 1, { expiresInMs: 500 }]);
  later(499);
  expect(await call('get', ['k'])).toBe(1);
  later(1);
  expect(await call('get', ['k'])).toBe(null);
});

test.each([
  ['get', []],
  ['get', [5]],
  ['get', ['']],
  ['get', ['a\nb']],
  ['get', ['x'.repeat(600)]],
  ['get', null],
  ['put', ['k', 'v'.repeat(200_000)]],
  ['put', ['k', 1, { ifVersion: -1 }]],
  ['put', ['k', 1, { expiresInMs: 'soon' }]],
  ['list', [{ limit: 0 }]],
  ['drop', ['k']],
  ['constructor', ['k']],
])('%s with %j is refused', async (method, args) => {
  await expect(kv().call(method, args)).rejects.toMatchObject({ code: 'BINDING_ARGUMENT' });
});

test.each([
  ['put', ['k', 1, { expirationTtl: 60 }], 'there is no option expirationTtl: put has expiresInMs'],
  ['put', ['k', 1, { ifVersion: 'x' }], 'the option ifVersion has no such value'],
  ['put', ['k', 1, 60], 'the options are of the wrong type'],
  ['list', [{ startAfter: 'x' }], 'there is no option startAfter'],
  ['get', [''], 'the key is empty'],
  ['get', [5], 'the key, or what list takes, is of the wrong type'],
])('%s with %j is refused by name', async (method, args, why) => {
  await expect(kv().call(method, args)).rejects.toThrow(`kv: ${why}`);
});

test('the store of an org is bounded in keys and bytes, and full for nobody else', async () => {
  const { call } = kv({ keys: 2, bytes: 100 });
  await call('put', ['a', 1]);
  await call('put', ['b', 1]);
  await call('put', ['b', 2]);
  await expect(call('put', ['c', 1])).rejects.toMatchObject({ code: 'BINDING_ARGUMENT' });
  await expect(call('put', ['a', 'x'.repeat(200)])).rejects.toMatchObject({
    code: 'BINDING_ARGUMENT',
  });
  await call('put', ['c', 1], 'b');
});

test('what the manifest does not grant is denied, and a failing service tells the guest nothing', async () => {
  const failing = {
    name: 'broken',
    call: () => Promise.reject(new Error('password is 1234 in /etc/secret')),
  };
  const metrics = createMetrics();
  const registry = createRegistry([failing], { log: silentLog, metrics });
  const serve = (granted: string[], binding: string) =>
    registry.serve(granted, grant, { binding, method: 'm', argsJson: '[]' }, signal);
  expect(JSON.parse(await serve([], 'broken'))).toMatchObject({
    ok: false,
    code: 'BINDING_DENIED',
  });
  expect(JSON.parse(await serve(['other'], 'other'))).toMatchObject({
    ok: false,
    code: 'BINDING_DENIED',
  });
  expect(JSON.parse(await serve(['broken'], 'broken'))).toEqual({
    ok: false,
    code: 'BINDING_FAILED',
    message: 'broken failed',
  });
  expect(await metrics.total('vcx_host_calls_total', { code: 'BINDING_DENIED' })).toBe(2);
});

test('a key that is no Unicode text is refused: as UTF-8 two of them would be one', async () => {
  const { call } = kv();
  for (const [method, args] of [
    ['put', ['\ud800', 1]],
    ['get', ['a\udfff']],
    ['delete', ['\ud800']],
  ] as const)
    await expect(call(method, args)).rejects.toMatchObject({ code: 'BINDING_ARGUMENT' });
  expect(await call('put', ['\u{1F600}', 1])).toBeGreaterThan(0);
});
