/** What the stores on NATS must do beyond their ports: outages, foreign hands, wrong clocks, moving. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, expect, test } from 'vitest';

import { openBucket } from '../../../host/cluster/link/bucket.ts';
import { keyOf } from '../../../host/cluster/link/keys.ts';
import type { ClusterOptions } from '../../../host/cluster/link/options.ts';
import { migrateStorage } from '../../../host/cluster/migrate.ts';
import { openPulse } from '../../../host/cluster/pulse.ts';
import { openNatsChanges } from '../../../host/cluster/stores/changes.ts';
import { openNatsInstalled } from '../../../host/cluster/stores/installed.ts';
import { openNatsJournal } from '../../../host/cluster/stores/journal.ts';
import { openNatsKv } from '../../../host/cluster/stores/kv.ts';
import { openNatsMovable } from '../../../host/cluster/stores/moving.ts';
import { openNatsTenants } from '../../../host/cluster/stores/tenants.ts';
import type { MovedItem } from '../../../host/storage/moving.ts';
import { createSeal } from '../../../host/storage/seal.ts';
import { openDatabase } from '../../../host/storage/sqlite/database.ts';
import { openSqliteInstalled } from '../../../host/storage/sqlite/installed.ts';
import { openSqliteKv } from '../../../host/storage/sqlite/kv.ts';
import { createSqliteMovable } from '../../../host/storage/sqlite/moving.ts';
import { createSqliteTenants } from '../../../host/storage/sqlite/tenants.ts';
import { installedRecord } from '../../contract/storage/installed-cases.ts';
import { useNats } from '../../support/cluster/nats.ts';
import { openTcpProxy } from '../../support/broker/tcp-proxy.ts';
import { waitFor } from '../../support/wait.ts';

const nats = useNats();
const seal = createSeal(Buffer.alloc(32, 1));
const CALL = { key: 'k', digest: 'd' };
const A = { plugin: 'p', org: 'urn:vcloud:org:a' };
const put = (value: string, expiresAt: number | null = null) => ({ value, expiresAt });
let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'vcx-moving-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

async function host(options: Partial<ClusterOptions> = {}) {
  const link = await nats.link(options);
  return { link, pulse: nats.use(await openPulse({ link, everyMs: 200 })) };
}

test('a reply larger than a message comes back whole, and is sealed on the server', async () => {
  const prefix = nats.prefix();
  const [one, two] = [await host({ prefix }), await host({ prefix })];
  const journal = await openNatsJournal({ ...one, seal });
  const reply = 'must not be read '.repeat(180_000);
  await journal.begin(CALL);
  await journal.finish(CALL.key, reply);
  const other = await openNatsJournal({ ...two, seal });
  expect(await other.look(CALL)).toEqual({ kind: 'answered', reply });
  const kept = await (await openBucket(one.link, 'journal', { maxAgeMs: 600_000 })).entries('>');
  expect(kept.length).toBeGreaterThan(3);
  for (const { value } of kept)
    expect(Buffer.from(value ?? []).includes('must not be read')).toBe(false);
  // A host with another key can not answer with it, and does not run the call either.
  const stranger = await openNatsJournal({ ...two, seal: createSeal(Buffer.alloc(32, 2)) });
  expect(await stranger.begin(CALL)).toEqual({ kind: 'begun', alive: false });
});

test('a call whose beginning got no answer is refused, and can be begun once NATS is back', async () => {
  const prefix = nats.prefix();
  await using proxy = await openTcpProxy(nats.node.port);
  const cut = await host({ prefix, servers: [`nats://127.0.0.1:${proxy.port}`], requestMs: 500 });
  const journal = await openNatsJournal({ ...cut, seal });
  proxy.freeze();
  await expect(journal.begin(CALL)).rejects.toThrow(
    expect.objectContaining({ code: 'CLUSTER_UNAVAILABLE' }),
  );
  proxy.cut();
  await waitFor(() => cut.link.status().reconnects > 0);
  expect(await journal.begin(CALL)).toEqual({ kind: 'new' });
  expect(await journal.begin(CALL)).toEqual({ kind: 'begun', alive: true });
});

test('a full journal begins no call that must not run twice', async () => {
  const { link, pulse } = await host({ bytes: { journal: 4_000, members: 4_194_304 } });
  const journal = await openNatsJournal({ link, pulse, seal });
  async function fill(): Promise<void> {
    for (let call = 0; call < 100; call += 1) await journal.begin({ key: `k${call}`, digest: 'd' });
  }
  await expect(fill()).rejects.toThrow(expect.objectContaining({ code: 'CLUSTER_STORE_FULL' }));
  expect(await journal.look({ key: 'k0', digest: 'd' })).toMatchObject({ kind: 'begun' });
});

test('a store that is full of bundles refuses the next one whole, and takes it when there is room', async () => {
  const { link } = await host({ bytes: { bundles: 500_000, members: 4_194_304 } });
  const installed = nats.use(await openNatsInstalled(link));
  const [first, second] = [Buffer.alloc(300_000, 1), Buffer.alloc(300_000, 2)];
  const kept = await installed.putBlob(first);
  for (let attempt = 0; attempt < 2; attempt += 1)
    await expect(installed.putBlob(second)).rejects.toThrow(
      expect.objectContaining({ code: 'CLUSTER_STORE_FULL' }),
    );
  expect(await installed.getBlob(kept)).toHaveLength(300_000);
  await installed.dropBlob(kept);
  // Nothing was left of what did not fit.
  expect(await installed.getBlob(await installed.putBlob(second))).toHaveLength(300_000);
});

test('a host whose clock is a day off neither ends what others keep nor keeps what has ended', async () => {
  const prefix = nats.prefix();
  const day = 86_400_000;
  const clock = { now: () => Date.now() + day, monotonic: () => performance.now() };
  const [right, wrong] = [await host({ prefix }), await host({ prefix, clock })];
  await using kv = await openNatsKv(right);
  await using other = await openNatsKv(wrong);
  await kv.put(A, 'k', put('1', Date.now() + 3_600_000));
  expect((await other.get(A, 'k'))?.value).toBe('1');
  await other.put(A, 'short', put('1', Date.now() + day + 300));
  await waitFor(async () => (await kv.get(A, 'short')) === null);
  const journal = await openNatsJournal({ ...right, seal });
  await journal.begin(CALL);
  const late = await openNatsJournal({ ...wrong, seal });
  expect(await late.begin(CALL)).toEqual({ kind: 'begun', alive: true });
});

test('usage and lists of one host count what another host writes, deletes and forgets', async () => {
  const prefix = nats.prefix();
  await using kv = await openNatsKv(await host({ prefix }));
  await using other = await openNatsKv(await host({ prefix }));
  const B = { plugin: 'p', org: 'urn:vcloud:org:b' };
  await kv.put(A, 'a', put('"1"'));
  expect(await other.usage(A)).toEqual({ keys: 1, bytes: 4 });
  // In memory from here on.
  await kv.put(A, 'é.*>', put('"22"'));
  await kv.put(B, 'a', put('"3"'));
  await waitFor(async () => (await other.usage(A)).keys === 2);
  expect((await other.list(A, { prefix: '', limit: 9, cursor: null })).keys).toEqual(['a', 'é.*>']);
  await kv.delete(A, 'a');
  await waitFor(async () => (await other.usage(A)).keys === 1);
  expect(await other.usage(B)).toEqual({ keys: 1, bytes: 4 });
  await kv.forget('p');
  await waitFor(async () => (await other.usage(A)).keys === 0);
  expect(await other.usage(B)).toEqual({ keys: 0, bytes: 0 });
  const long = 'ü'.repeat(512);
  await kv.put(A, long, put('1'));
  expect((await other.get(A, long))?.value).toBe('1');
  await waitFor(
    async () => (await other.list(A, { prefix: 'ü', limit: 9, cursor: null })).keys[0] === long,
  );
});

test('an entry of a tenant that was altered by hand is left out, and the others stay', async () => {
  const { link, pulse } = await host();
  const changes = await openNatsChanges({ link, pulse });
  const bucket = await openBucket(link, 'tenants');
  await bucket.put(`plugin.${keyOf('bad')}`, 'not JSON');
  await bucket.put(`plugin.${keyOf('worse')}`, '{"plugin":"worse","owner":null,"orgs":"{"}');
  const setting = `set.${keyOf('p', A.org)}.config`;
  await bucket.put(setting, JSON.stringify({ ...A, setting: 'config', value: '{' }));
  await bucket.put(`secret.${keyOf('p', A.org, 's')}`, JSON.stringify({ ...A, sealed: 7 }));
  const tenants = nats.use(await openNatsTenants({ link, seal, changes }));
  await tenants.adopt('p', { owner: 'provider', orgs: 'all' }, 'admin');
  expect([tenants.tenancy('bad'), tenants.tenancy('worse')]).toEqual([null, null]);
  expect(tenants.view('worse', A.org).enabled).toBe(false);
  expect(tenants.view('p', A.org)).toMatchObject({ enabled: true, config: null });
  expect(tenants.secrets(A)).toEqual([]);
  await tenants.setConfig(A, { a: 1 }, 'admin');
  expect(tenants.view('p', A.org).config).toEqual({ a: 1 });
});

test('what a foreign hand wrote among the kv entries and the journal harms nobody', async () => {
  const { link, pulse } = await host();
  const kv = nats.use(await openNatsKv({ link, pulse }));
  await kv.put(A, 'k', put('"fine"'));
  await kv.usage(A);
  const bucket = await openBucket(link, 'kv');
  const heads = ['[]', 'null', '5', '{', '[1,2,3,4]', '["p","a","k2","soon"]', '["p","a",{},null]'];
  for (const [i, head] of heads.entries())
    await bucket.put(`d.${keyOf(A.plugin, A.org, `x${i}`)}`, `${head}\n1`);
  await bucket.put('strange', 'x');
  await kv.put(A, 'last', put('1'));
  // Both what was read before and what is read anew after them.
  const fresh = nats.use(await openNatsKv({ link, pulse }));
  for (const store of [kv, fresh]) {
    await waitFor(async () => (await store.usage(A)).keys === 2);
    expect((await store.list(A, { prefix: '', limit: 9, cursor: null })).keys).toEqual([
      'k',
      'last',
    ]);
    expect(await store.get(A, 'x0')).toBe(null);
  }
  const entries = await openBucket(link, 'journal', { maxAgeMs: 600_000 });
  const journal = await openNatsJournal({ link, pulse, seal });
  const head = { digest: 'd', owner: 'o', pieces: 4_000_000_000, answered: true };
  await entries.put(`e.${keyOf(CALL.key)}`, `${JSON.stringify(head)}\n`);
  expect(await journal.look(CALL)).toBe(null);
  expect(await journal.begin(CALL)).toEqual({ kind: 'begun', alive: false });
});

test('removed keys leave no more than a bounded number of markers, and those soon go', async () => {
  const { link, pulse } = await host();
  const markers = { most: 3, keepMs: 200 };
  const kv = nats.use(await openNatsKv({ link, pulse, markers }));
  const B = { plugin: 'p', org: 'urn:vcloud:org:b' };
  const cycle = async (scope: typeof A, key: string) => {
    await kv.put(scope, key, put('1'));
    return kv.delete(scope, key);
  };
  for (const key of ['a', 'b', 'c']) expect(await cycle(A, key)).toBe(true);
  await expect(cycle(A, 'd')).rejects.toMatchObject({ code: 'BINDING_ARGUMENT' });
  expect(await cycle(B, 'a')).toBe(true);
  const bucket = await openBucket(link, 'kv');
  await waitFor(async () => (await bucket.size()).entries === 1);
  expect(await kv.delete(A, 'd')).toBe(true);
});

test('a record of a plug-in that was altered is told of, and the others are found', async () => {
  const { link } = await host();
  const installed = nats.use(await openNatsInstalled(link));
  await installed.save(installedRecord('fine'));
  const bucket = await openBucket(link, 'installed');
  const altered = [
    ['a', '{'],
    ['b', JSON.stringify({ plugin: 'b', versions: [] })],
    ['c', JSON.stringify(installedRecord('other'))],
  ] as const;
  for (const [name, text] of altered) await bucket.put(name, text);
  expect((await installed.list()).map(({ plugin }) => plugin)).toEqual(['fine']);
  for (const [name] of altered)
    await expect(installed.get(name)).rejects.toMatchObject({ code: 'STORE_BLOB_ALTERED' });
});

test('the audit log is read back page by page, by plug-in, and its oldest entries go', async () => {
  const { link, pulse } = await host();
  const changes = await openNatsChanges({ link, pulse, maxEntries: 1_500 });
  for (let i = 0; i < 1_600; i += 1)
    await changes.record({ who: 'w', action: `a${i}`, plugin: i % 400 === 0 ? 'rare' : 'p' });
  const page = await changes.list({ limit: 2 });
  expect(page.map(({ action }) => action)).toEqual(['a1599', 'a1598']);
  const next = await changes.list({ limit: 1, before: page[1]?.id ?? 0 });
  expect(next.map(({ action }) => action)).toEqual(['a1597']);
  const rare = await changes.list({ plugin: 'rare' });
  expect(rare.map(({ action }) => action)).toEqual(['a1200', 'a800', 'a400']);
  expect(await changes.list({ plugin: 'none' })).toEqual([]);
});

async function natsStore() {
  const { link, pulse } = await host();
  const ownSeal = createSeal(Buffer.alloc(32, 7));
  const changes = await openNatsChanges({ link, pulse });
  const kv = nats.use(await openNatsKv({ link, pulse }));
  const installed = nats.use(await openNatsInstalled(link));
  const tenants = nats.use(await openNatsTenants({ link, seal: ownSeal, changes }));
  const movable = await openNatsMovable({ link, seal: ownSeal, kv, changes, installed });
  return { kv, installed, tenants, movable };
}

function sqliteStore(name: string, key: number) {
  const database = openDatabase(join(folder, name));
  const ownSeal = createSeal(Buffer.alloc(32, key));
  const installed = nats.use(openSqliteInstalled(database));
  const kv = nats.use(openSqliteKv(database));
  const tenants = createSqliteTenants({ database, seal: ownSeal });
  const movable = createSqliteMovable({ database, seal: ownSeal, installed });
  return { kv, installed, tenants, movable };
}

async function everything(items: AsyncIterable<MovedItem>): Promise<string[]> {
  const all: string[] = [];
  for await (const item of items) {
    const text = JSON.stringify(item, (field, value: unknown) =>
      // Each store counts for itself, and has a clock of its own.
      ['id', 'revision', 'expiresAt'].includes(field) ? undefined : value,
    );
    all.push(text);
  }
  return all.toSorted();
}

test('a store is moved from SQLite to NATS and back, also in pieces, with other keys', async () => {
  const [from, to, back] = [sqliteStore('a', 1), await natsStore(), sqliteStore('b', 2)];
  await from.tenants.adopt('p', { owner: 'provider', orgs: [A.org] }, 'admin');
  await from.tenants.setConfig(A, { level: 1 }, 'admin');
  await from.tenants.pinVersion(A, '1.0.0', 'admin');
  await from.tenants.setSecret(A, { name: 'key', value: 'hunter2' }, 'admin');
  for (let i = 0; i < 300; i += 1) await from.kv.put(A, `k${i}`, put(`${i}`));
  await from.kv.put(A, 'ends', put('1', Date.now() + 3_600_000));
  const archive = await from.installed.putBlob(Buffer.alloc(300_000, 5));
  await from.installed.save({ ...installedRecord('p'), history: [archive] });
  const total = await from.movable.count();
  expect(total).toBe(300 + 1 + 1 + 2 + 1 + 4 + 1 + 1);

  const stop = new AbortController();
  const seen: number[] = [];
  const part = await migrateStorage(from.movable, to.movable, {
    signal: stop.signal,
    onProgress({ done }) {
      seen.push(done);
      if (done >= 200) stop.abort();
    },
  });
  expect(part).toMatchObject({ complete: false, done: 200, written: 200, total });
  expect(seen).toEqual([0, 100, 200]);
  const rest = await migrateStorage(from.movable, to.movable);
  expect(rest).toMatchObject({ complete: true, done: total, written: total - 200 });
  const again = await migrateStorage(from.movable, to.movable);
  expect(again).toMatchObject({ complete: true, written: 0 });
  await waitFor(() => to.tenants.view('p', A.org).enabled);
  expect(await to.tenants.readSecret(A, 'key')).toBe('hunter2');

  await migrateStorage(to.movable, back.movable);
  const twice = await migrateStorage(to.movable, back.movable);
  expect(twice).toMatchObject({ complete: true, done: total, written: 0 });
  expect(await everything(back.movable.items())).toEqual(await everything(from.movable.items()));
  expect(await back.tenants.readSecret(A, 'key')).toBe('hunter2');
  expect((await back.kv.get(A, 'k7'))?.value).toBe('7');
  const changed = (await back.tenants.changes.list()).map(({ action }) => action);
  expect(changed).toEqual(['secret', 'version', 'config', 'adopt']);
});
