/** `vcx storage migrate` between a real SQLite file and a real nats-server, both ways, interrupted and refused. */
import { createServer } from 'node:net';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, expect, test } from 'vitest';

import { openStores, type Stores } from '../../../host/cli/storage-stores.ts';
import { readConfig } from '../../../host/config.ts';
import { openLink } from '../../../host/cluster/link/link.ts';
import { openPulse } from '../../../host/cluster/pulse.ts';
import { openOperator } from '../../../host/operator/server.ts';
import { writeOperatorUrl } from '../../../host/operator/url-file.ts';
import type { MovedItem } from '../../../host/storage/moving.ts';
import { loadSeal } from '../../../host/storage/seal.ts';
import { openDatabase } from '../../../host/storage/sqlite/database.ts';
import { openSqliteInstalled } from '../../../host/storage/sqlite/installed.ts';
import { openSqliteKv } from '../../../host/storage/sqlite/kv.ts';
import { createSqliteTenants } from '../../../host/storage/sqlite/tenants.ts';
import { openNats, type NatsNode } from '../../../sdk/localcloud/nats.ts';
import { createOperatorParts, OPERATOR_TOKEN } from '../../support/operator/kit.ts';
import { runProgram, type Program } from '../../support/program.ts';
import { waitFor } from '../../support/wait.ts';

const ORG = 'urn:vcloud:org:00000000-0000-4000-8000-00000000000a';
const MIGRATE = ['storage', 'migrate'];

let folder: string;
let node: NatsNode;
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'vcx-migrate-'));
  writeFileSync(join(folder, 'shared.key'), Buffer.alloc(32, 7).toString('base64'));
  node = await openNats();
});
afterEach(async () => {
  await node[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true });
});

/** The environment of a host whose state is in this folder. */
function hostIn(state: string, rest: Record<string, string> = {}): Record<string, string> {
  mkdirSync(join(folder, state), { recursive: true });
  return {
    CWD: folder,
    VCX_AMQP_URL: 'amqp://localhost',
    VCX_STATE_DIR: join(folder, state),
    VCX_CLUSTER_SERVERS: `[${node.url}]`,
    VCX_SECRETS_KEY_FILE: join(folder, 'shared.key'),
    ...rest,
  };
}

async function run(args: string[], env: Record<string, string>) {
  await using program = runProgram([...MIGRATE, ...args], env);
  const code = await program.exited;
  return { code, output: program.output() };
}

interface Moved {
  readonly ok: boolean;
  readonly migrated: boolean;
  readonly done: number;
  readonly written: number;
  readonly next: string;
}

async function runJson(args: string[], env: Record<string, string>) {
  const { code, output } = await run([...args, '--json'], env);
  return { code, ...(JSON.parse(output) as Moved) };
}

/** What a host that was alone has kept, sealed with a key that it made for itself. */
async function fill(state: string, values: number): Promise<void> {
  const database = openDatabase(join(folder, state, 'vcx.sqlite'));
  const kv = openSqliteKv(database);
  const seal = loadSeal(join(folder, state, 'secrets.key'));
  const tenants = createSqliteTenants({ database, seal });
  const installed = openSqliteInstalled(database);
  database.exec('BEGIN');
  const insert = database.prepare(`INSERT INTO kv VALUES ('demo', ?, ?, ?, 1, NULL)`);
  for (let i = 0; i < values; i += 1) insert.run(ORG, `key ${i} ä/.*>`, JSON.stringify({ i }));
  database.exec('COMMIT');
  await kv.put({ plugin: 'demo', org: '' }, 'ends', { value: '1', expiresAt: 4e12 });
  await tenants.adopt('demo', { owner: 'provider', orgs: [ORG] }, 'operator');
  await tenants.setConfig({ plugin: 'demo', org: ORG }, { color: 'red' }, 'operator');
  await tenants.setSecret({ plugin: 'demo', org: ORG }, { name: 'key', value: 's3cret' }, 'me');
  const archive = await installed.putBlob(Buffer.alloc(300_000, 'x'));
  const version = { version: '1.0.0', digest: 'd', archive, sourceMap: null, unsigned: false };
  await installed.save({
    plugin: 'demo',
    revision: 0,
    owner: 'provider',
    ownerKind: 'provider',
    enabled: true,
    current: '1.0.0',
    history: [],
    waiting: null,
    allowed: ['binding kv'],
    halted: null,
    versions: [{ ...version, installedAt: 1, by: 'operator' }],
  });
  await kv[Symbol.asyncDispose]();
  await installed[Symbol.asyncDispose]();
  database.close();
}

/** Look into both stores as the command does. */
async function open(env: Record<string, string>): Promise<Stores> {
  return openStores(readConfig(env, folder), 'nats', new AbortController().signal);
}

/** All items of a store, without what each store numbers for itself. */
async function contents(store: Stores['sqlite']): Promise<string[]> {
  const found: string[] = [];
  for await (const item of store.items()) found.push(printOf(item));
  return found.toSorted();
}

function printOf(item: MovedItem): string {
  if (item.kind === 'blob') return `blob ${item.hash} ${item.bytes.length}`;
  if (item.kind === 'change') return JSON.stringify({ ...item.change, id: 0 });
  if (item.kind === 'installed') return JSON.stringify({ ...item.record, revision: 0 });
  // The server's time is ours but for a moment.
  if (item.kind === 'kv' && item.expiresAt !== null)
    return JSON.stringify({ ...item, expiresAt: Math.round(item.expiresAt / 60_000) });
  return JSON.stringify(Object.entries(item).toSorted());
}

test('everything arrives on NATS, and on another SQLite from there; a second time nothing is written, and what the target alone had stays', async () => {
  const alone = hostIn('alone');
  await fill('alone', 200);
  const planned = await run(['--to', 'nats'], alone);
  expect(planned).toEqual({
    code: 0,
    output: expect.stringMatching(
      /about 209 items would be copied from SQLite\nthe target is empty/,
    ),
  });
  expect(await runJson(['--to', 'nats', '--yes'], alone)).toMatchObject({
    code: 0,
    ok: true,
    migrated: true,
    written: 209,
    next: expect.stringContaining('cluster.servers'),
  });
  const again = await run(['--to', 'nats', '--yes'], alone);
  expect(again).toMatchObject({
    code: 0,
    output: expect.stringMatching(/209 items of SQLite are there \(0 written, 209 were there\)/),
  });

  const back = hostIn('back');
  const returned = await run(['--to', 'sqlite', '--yes'], back);
  expect(returned.output).toMatch(/209 items of NATS are there \(209 written, 0 were there\)/);
  expect(returned.output).toMatch(/next: take cluster\.servers out/);

  const { output } = await run(['--to', 'nats', '--yes'], hostIn('empty'));
  expect(output).toContain('0 items of SQLite are there');
  expect(output).toContain('what only it had stays there');

  await using before = await open(alone);
  await using after = await open(back);
  const all = await contents(before.sqlite);
  expect(all).toHaveLength(209);
  expect(all.join('\n')).toContain('s3cret');
  expect(await contents(before.nats)).toEqual(all);
  expect(await contents(after.sqlite)).toEqual(all);
});

/** Wait until it copied some, but by far not all. */
async function midway(program: Program, store: Stores['nats']): Promise<void> {
  await waitFor(
    async () => (await store.count()) > 100,
    () => program.output(),
  );
}

test('Ctrl-C and SIGKILL in the middle lose nothing: run again, it goes on, in both directions', async () => {
  const alone = hostIn('alone');
  const back = hostIn('back');
  await fill('alone', 2_500);
  await using stores = await open(alone);
  await using target = await open(back);
  // Those who look are hosts, too, as far as the command can see.
  const force = ['--yes', '--force'];

  await using first = runProgram([...MIGRATE, '--to', 'nats', ...force], alone);
  await midway(first, stores.nats);
  first.signal('SIGINT');
  expect(await first.exited).toBe(1);
  expect(first.output()).toMatch(/interrupted: \d+ of about 2509 items are there, nothing is lost/);
  expect(first.output()).toMatch(/next: .* storage migrate --to nats --yes goes on/);
  const rest = await runJson(['--to', 'nats', ...force], alone);
  expect(rest).toMatchObject({ code: 0, done: 2_509 });
  expect(rest.written).toBeLessThan(2_509 - 100);

  await using second = runProgram([...MIGRATE, '--to', 'sqlite', ...force], back);
  await midway(second, target.sqlite);
  second.signal('SIGKILL');
  await second.exited;
  const restBack = await runJson(['--to', 'sqlite', ...force], back);
  expect(restBack).toMatchObject({ code: 0, done: 2_509 });
  expect(restBack.written).toBeLessThan(2_509 - 100);
  expect(await contents(target.sqlite)).toEqual(await contents(stores.sqlite));
});

/** A state folder of its own with an operator endpoint in it, and a cluster of its own, so that several can run at once. */
function besideHost(name: string, url: string, token = OPERATOR_TOKEN) {
  const env = hostIn(name, { VCX_CLUSTER_PREFIX: name });
  const place = writeOperatorUrl(join(folder, name), url);
  writeFileSync(join(folder, name, 'operator.token'), token);
  return { env, [Symbol.dispose]: () => place[Symbol.dispose]() };
}

test('without servers, without a shared key, or while a host of the folder runs, it is refused', async () => {
  const to = ['--to', 'nats'];
  const { VCX_SECRETS_KEY_FILE: _, ...keyless } = hostIn('keyless');
  await using kit = createOperatorParts();
  await using operator = await openOperator({ ...kit.options, host: '127.0.0.1', port: 0 });
  const silent = createServer((socket) => socket.on('error', () => undefined).resume());
  await using mute = silent.listen(0, '127.0.0.1');
  await new Promise((listening) => mute.once('listening', listening));
  const { port } = mute.address() as { port: number };
  using running = besideHost('running', operator.url);
  using forced = besideHost('forced', operator.url);
  // Somebody else has the port by now: another token opens there.
  using replaced = besideHost('replaced', operator.url, 'another');
  using mutes = besideHost('mute', `http://127.0.0.1:${port}`);
  using nobody = besideHost('nobody', 'http://127.0.0.1:9');
  const refused = (name: string) => ({
    code: 2,
    output: expect.stringMatching(new RegExp(`a host runs on .*${name}: end it first`)),
  });
  const fine = expect.objectContaining({ code: 0 });
  expect(
    await Promise.all([
      run(to, hostIn('without', { VCX_CLUSTER_SERVERS: '[]' })),
      run(to, keyless),
      run(to, running.env),
      run(to, mutes.env),
      run([...to, '--force'], forced.env),
      run(to, replaced.env),
      run(to, nobody.env),
    ]),
  ).toEqual([
    { code: 2, output: expect.stringContaining('CONFIG_INVALID: cluster.servers: missing') },
    { code: 2, output: expect.stringContaining('secrets.keyFile') },
    refused('running'),
    refused('mute'),
    fine,
    fine,
    fine,
  ]);
});

test('while a host serves from this NATS it is refused, by the name of the host, until that ends', async () => {
  const alone = hostIn('alone');
  await using link = await openLink({ servers: [node.url] });
  const pulse = await openPulse({ link, about: { name: 'alpha' } });
  const both = await Promise.all(
    ['nats', 'sqlite'].map((to) => run(['--to', to, '--yes'], hostIn(to))),
  );
  // They see each other, too.
  for (const refused of both)
    expect(refused).toEqual({
      code: 2,
      output: expect.stringMatching(/hosts run on this NATS: .*\balpha\b.*: end them first/),
    });
  await pulse[Symbol.asyncDispose]();
  expect((await run(['--to', 'nats', '--yes'], alone)).code).toBe(0);
});
