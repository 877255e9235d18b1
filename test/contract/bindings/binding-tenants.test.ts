import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { DatabaseSync } from 'node:sqlite';

import { afterEach, beforeEach, expect, test } from 'vitest';

import { createConfigs, createConfigSchema } from '../../../host/bindings/config/index.ts';
import { createSecretsBinding } from '../../../host/bindings/secrets/index.ts';
import { createLog } from '../../../host/kernel/log.ts';
import { createSeal, loadSeal, sealFromText } from '../../../host/storage/seal.ts';
import { openDatabase } from '../../../host/storage/sqlite/database.ts';
import { createSqliteChanges } from '../../../host/storage/sqlite/changes.ts';
import { createSqliteTenants } from '../../../host/storage/sqlite/tenants.ts';
import { tenantCases } from '../storage/tenant-cases.ts';

let folder: string;
const opened: DatabaseSync[] = [];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'vcx-tenants-'));
});
afterEach(() => {
  for (const database of opened.splice(0)) database.close();
  rmSync(folder, { recursive: true });
});

function database(): DatabaseSync {
  const made = openDatabase(join(folder, 'vcx.sqlite'));
  opened.push(made);
  return made;
}

const A = { plugin: 'p', org: 'urn:vcloud:org:a' };
const B = { plugin: 'p', org: 'urn:vcloud:org:b' };
const grant = { ...A, version: '1.0.0', user: 'u', callId: 'c-1' };
const { signal } = new AbortController();

tenantCases('SQLite', async (clock, caps) => {
  const seal = loadSeal(join(folder, 'secrets.key'));
  return async () => createSqliteTenants({ ...caps, database: database(), seal, clock });
});

test('secrets lie on the disk sealed, and survive the process', async () => {
  const seal = loadSeal(join(folder, 'secrets.key'));
  const secret = { name: 'key', value: 'a secret that must not be read' };
  await createSqliteTenants({ database: database(), seal }).setSecret(A, secret, 'admin');
  const bytes = readdirSync(folder).map((name) => readFileSync(join(folder, name), 'latin1'));
  expect(bytes.join('')).not.toContain('must not be read');
  const again = createSqliteTenants({
    database: database(),
    seal: loadSeal(join(folder, 'secrets.key')),
  });
  expect(await again.readSecret(A, 'key')).toBe(secret.value);
});

test('a sealed secret that somebody moves to another org, plug-in or name does not open', async () => {
  const shared = database();
  const tenants = createSqliteTenants({ database: shared, seal: createSeal(Buffer.alloc(32, 1)) });
  await tenants.setSecret(A, { name: 'key', value: 'of a' }, 'admin');
  const move = shared.prepare(
    'INSERT INTO tenant_secrets SELECT ?, ?, ?, sealed, changed_at FROM tenant_secrets LIMIT 1',
  );
  for (const [plugin, org, name] of [
    ['p', B.org, 'key'],
    ['q', A.org, 'key'],
    ['p', A.org, 'other'],
  ] as const) {
    move.run(plugin, org, name);
    await expect(tenants.readSecret({ plugin, org }, name)).rejects.toThrow(
      expect.objectContaining({ code: 'SECRET_UNREADABLE' }),
    );
  }
});

test('another key opens nothing, and says so without the value', async () => {
  const shared = database();
  const with1 = createSqliteTenants({ database: shared, seal: createSeal(Buffer.alloc(32, 1)) });
  const with2 = createSqliteTenants({ database: shared, seal: createSeal(Buffer.alloc(32, 2)) });
  await with1.setSecret(A, { name: 'key', value: 'v' }, 'admin');
  await expect(with2.readSecret(A, 'key')).rejects.toThrow(/the secret key can not be decrypted/);
  await with2.setSecret(A, { name: 'key', value: 'new' }, 'admin');
  expect(await with2.readSecret(A, 'key')).toBe('new');
});

test('a key may come from the environment, and a wrong one is named', () => {
  const seal = sealFromText(Buffer.alloc(32, 7).toString('base64'), 'VCX_SECRETS_KEY');
  expect(seal.open(seal.seal('x', 'y'), 'y')).toBe('x');
  expect(() => sealFromText('c2hvcnQ=', 'VCX_SECRETS_KEY')).toThrow(/VCX_SECRETS_KEY/);
});

test('through the bindings one org reaches neither config nor secrets of another', async () => {
  const tenants = createSqliteTenants({ database: database(), seal: createSeal(Buffer.alloc(32)) });
  await tenants.setSecret(A, { name: 'key', value: 'of a' }, 'admin');
  await tenants.setSecret(B, { name: 'only-b', value: 'of b' }, 'admin');
  await tenants.setConfig(B, { x: 'of b' }, 'admin');
  const secrets = createSecretsBinding(tenants);
  const get = (...args: unknown[]) => secrets.call(grant, 'get', args, signal);
  expect(await get('key')).toBe('of a');
  expect(await get('only-b')).toBe(null);
  for (const name of ["x' OR '1'='1", '%', `${B.org}/only-b`, '../b/only-b'])
    expect(await get(name)).toBe(null);
  for (const args of [
    [],
    [null],
    ['only-b', B.org],
    [{ org: B.org, name: 'only-b' }],
    [['only-b']],
    [''],
  ])
    await expect(get(...args)).rejects.toThrow(
      expect.objectContaining({ code: 'BINDING_ARGUMENT' }),
    );
  for (const method of ['list', 'set', 'delete', 'constructor', '__proto__'])
    await expect(secrets.call(grant, method, ['key'], signal)).rejects.toThrow(
      expect.objectContaining({ code: 'BINDING_ARGUMENT' }),
    );
  const schema = createConfigSchema({
    schema: { type: 'object', properties: { x: { type: 'string' } } },
  });
  const configs = createConfigs(tenants);
  expect(configs.configOf(schema, A)).toEqual({});
  expect(configs.configOf(schema, B)).toEqual({ x: 'of b' });
});

test('every read of a secret leaves a line with the name and without the value', async () => {
  const lines: string[] = [];
  const log = createLog({ write: (line) => void lines.push(line) });
  const shared = database();
  const tenants = createSqliteTenants({ database: shared, seal: createSeal(Buffer.alloc(32)) });
  await tenants.setSecret(A, { name: 'key', value: 'hunter2' }, 'admin');
  const read = (name: string, seal = createSeal(Buffer.alloc(32))) =>
    createSecretsBinding(createSqliteTenants({ database: shared, seal }), { log }).call(
      grant,
      'get',
      [name],
      signal,
    );
  await read('key');
  await read('other');
  await expect(read('key', createSeal(Buffer.alloc(32, 9)))).rejects.toThrow();
  const base = { event: 'secret.read', ...A, user: 'u', callId: 'c-1' };
  expect(lines.map((line) => JSON.parse(line) as unknown)).toEqual([
    expect.objectContaining({ ...base, name: 'key', result: 'given' }),
    expect.objectContaining({ ...base, name: 'other', result: 'none' }),
    expect.objectContaining({ ...base, name: 'key', result: 'SECRET_UNREADABLE' }),
  ]);
  expect(lines.join('')).not.toContain('hunter2');
});

test('the audit log is bounded: the oldest entries go', async () => {
  const changes = createSqliteChanges(database(), { maxEntries: 3 });
  for (let i = 0; i < 10; i += 1) await changes.record({ who: 'w', action: `a${i}` });
  expect((await changes.list()).map(({ action }) => action)).toEqual(['a9', 'a8', 'a7']);
});

test('a change that can not be recorded is not made', async () => {
  const shared = database();
  const tenants = createSqliteTenants({ database: shared, seal: createSeal(Buffer.alloc(32)) });
  await tenants.setConfig(A, 1, 'admin');
  shared.exec(
    `CREATE TRIGGER full BEFORE INSERT ON changes BEGIN SELECT RAISE(ABORT, 'full'); END`,
  );
  await expect(tenants.setConfig(A, 2, 'admin')).rejects.toThrow(/full/);
  expect(tenants.view('p', A.org).config).toBe(1);
});
