/** One org reads nothing of another, and one owner nothing of another's plug-ins: by any call that there is. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';

import type { Actor } from '../../../host/bundles/change/admin.ts';
import type { Sandbox } from '../../../host/sandbox/sandbox.ts';
import { ORG_A, ownerOf, signedBundle, trustOf } from '../../support/plugins/bundles.ts';
import {
  openPluginKit,
  openTestSandbox,
  OPERATOR,
  type PluginKit,
} from '../../support/plugins/plugin-kit.ts';
import { waitFor } from '../../support/wait.ts';

const ORG_B = 'urn:vcloud:org:00000000-0000-4000-8000-00000000000b';
const MARK = 'belongs-to-b-alone';
const provider = ownerOf();
const ofA = ownerOf({ id: ORG_A, kind: 'org', namespaces: ['com.a'] });
const ofB = ownerOf({ id: ORG_B, kind: 'org', namespaces: ['com.b'] });
const ownerA: Actor = { who: 'admin@a', owner: ORG_A };
const ownerB: Actor = { who: 'admin@b', owner: ORG_B };

let dir: string;
let sandbox: Sandbox;
let kit: PluginKit;
beforeAll(async () => {
  sandbox = await openTestSandbox();
});
afterAll(() => sandbox[Symbol.asyncDispose]());
beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'vcx-orgs-'));
  kit = await open();
});
afterEach(async () => {
  await kit[Symbol.asyncDispose]();
  rmSync(dir, { recursive: true });
});

const open = () => openPluginKit({ dir, sandbox, trust: () => trustOf([provider, ofA, ofB]) });
const reopen = async () => {
  await kit[Symbol.asyncDispose]();
  kit = await open();
};

/** A guest that does with its bindings whatever the request says. */
const PUPPET = `
  const [what, ...args] = JSON.parse(await request.text());
  let target = env;
  const path = what.split('.');
  const last = path.pop();
  for (const part of path) target = target[part];
  console.log('asked for ' + what + ' ' + JSON.stringify(args));
  try {
    const value = typeof target[last] === 'function' ? await target[last](...args) : target[last];
    return Response.json(value ?? null);
  } catch (error) {
    return Response.json({ error: String(error.code ?? error) });
  }`;
const CONFIG = {
  schema: { type: 'object', properties: { note: { type: 'string' } } },
};

const tenantRoutes = { prefix: '/api/demo/x' };
const routes = [
  { method: 'POST', path: '/api/demo' },
  { method: 'GET', path: '/api/demo' },
];
const puppet = (version = '1.0.0') =>
  signedBundle({
    key: provider.key,
    version,
    handler: PUPPET,
    manifest: { bindings: ['kv', 'secrets'], config: CONFIG, tenantRoutes, routes },
  });

/** A plug-in of one org below the prefix of `demo`. */
function extension(
  owner: typeof ofA,
  { name, version = '1.0.0', path = '/api/demo/x/own', handler = PUPPET }: ExtensionSpec,
): Buffer {
  const vcloud = {
    name,
    namespace: `${owner.namespaces[0]}.${name}`,
    exchange: 'sdkext',
    routingKey: 'demo',
    apiFilters: [],
  };
  const manifest = {
    name,
    extends: 'org.example.demo',
    vcloud,
    routes: [{ method: 'POST', path }],
    bindings: ['kv', 'secrets'],
    config: CONFIG,
  };
  return signedBundle({ key: owner.key, version, handler, manifest });
}

interface ExtensionSpec {
  readonly name: string;
  readonly version?: string;
  readonly path?: string;
  readonly handler?: string;
}

async function puppetCall(org: string, path: string, ...order: unknown[]): Promise<unknown> {
  const answer = await kit.call({ org, path, method: 'POST', body: JSON.stringify(order) });
  return answer.status === 200 ? JSON.parse(answer.body) : answer.status;
}
const play = (org: string, ...order: unknown[]) => puppetCall(org, '/api/demo', ...order);

test('no key, argument or trick of a guest reaches the kv, config, secrets or logs of another org', async () => {
  await kit.upload(puppet());
  const scopeB = { plugin: 'demo', org: ORG_B };
  await kit.admin.setConfig(scopeB, { note: MARK }, OPERATOR);
  await kit.admin.setSecret(scopeB, { name: 'token', value: MARK }, OPERATOR);
  await play(ORG_B, 'kv.put', 'key', MARK);
  expect(await play(ORG_B, 'kv.get', 'key')).toEqual(MARK);
  expect(await play(ORG_B, 'config')).toEqual({ note: MARK });
  expect(await play(ORG_B, 'secrets.get', 'token')).toBe(MARK);

  const keys = ['key', `${ORG_B}/key`, `demo\n${ORG_B}\nkey`, '../key', "key' OR '1'='1", '%', '*'];
  const orders: unknown[][] = [
    ...keys.map((key) => ['kv.get', key]),
    ...keys.map((key) => ['kv.get', key, { org: ORG_B }]),
    ...['', 'k', '%', ORG_B].map((prefix) => ['kv.list', { prefix }]),
    ['kv.list', { prefix: '', cursor: '' }],
    ['kv.list', { prefix: '', cursor: 'kex', org: ORG_B, scope: { org: ORG_B } }],
    ['kv.put', 'key', 1, { ifVersion: 1 }],
    ['kv.delete', 'key'],
    ['config'],
    ['secrets.get', 'token'],
    ['secrets.get', `${ORG_B}/token`],
    ['secrets.get', 'token', { org: ORG_B }],
    ['secrets.list'],
  ];
  for (const order of orders)
    expect(JSON.stringify(await play(ORG_A, ...order))).not.toContain(MARK);
  expect(await play(ORG_B, 'kv.get', 'key')).toEqual(MARK);
  const lines = kit.logbook.read({ plugin: 'demo', org: ORG_A, limit: 2_000 });
  expect(lines.length).toBeGreaterThan(orders.length);
  expect(JSON.stringify(lines)).not.toContain(MARK);
  expect(new Set(lines.map(({ org }) => org))).toEqual(new Set([ORG_A]));
});

test('an org whose plug-in it is not gets 404, and a plug-in of an org is that org’s alone', async () => {
  await kit.upload(puppet());
  await kit.upload(extension(ofB, { name: 'bees' }));
  expect(await puppetCall(ORG_B, '/api/demo/x/own', 'config')).toEqual({});
  expect(await puppetCall(ORG_A, '/api/demo/x/own', 'config')).toBe(404);
  await expect(kit.admin.setOrg({ plugin: 'bees', org: ORG_A }, true, OPERATOR)).rejects.toThrow();
  await expect(kit.admin.setOrgs('bees', 'all', OPERATOR)).rejects.toThrow();
  // Two orgs may use the same path: each has its own.
  await kit.upload(extension(ofA, { name: 'ays' }));
  expect(await puppetCall(ORG_A, '/api/demo/x/own', 'config')).toEqual({});
  expect(kit.logbook.read({ plugin: 'bees' }).some(({ org }) => org === ORG_A)).toBe(false);
  await kit.admin.setOrgs('demo', [ORG_A], OPERATOR);
  expect(await play(ORG_B, 'config')).toBe(404);
  expect(await play(ORG_A, 'config')).toEqual({});
});

test('an owner sees and changes what is theirs; of the rest they do not even learn that it is there', async () => {
  await kit.upload(puppet());
  await kit.upload(extension(ofA, { name: 'ays' }));
  await kit.upload(extension(ofB, { name: 'bees' }));
  const scopeB = { plugin: 'bees', org: ORG_B };
  await kit.admin.setConfig(scopeB, { note: MARK }, ownerB);
  await kit.admin.setSecret(scopeB, { name: MARK, value: 'v' }, ownerB);

  const { admin } = kit;
  expect((await admin.list(ownerA)).map(({ name }) => name)).toEqual(['ays']);
  expect((await admin.list(OPERATOR)).map(({ name }) => name)).toEqual(['ays', 'bees', 'demo']);
  const attempts: Record<string, (plugin: string) => Promise<unknown>> = {
    show: (plugin) => admin.show(plugin, ownerA),
    rollback: (plugin) => admin.rollback(plugin, null, ownerA),
    disable: (plugin) => admin.setEnabled(plugin, false, ownerA),
    remove: (plugin) => admin.remove(plugin, ownerA),
    tenants: (plugin) => admin.tenants(plugin, ownerA),
    changes: (plugin) => admin.changes({ plugin }, ownerA),
    pin: (plugin) => admin.pin({ plugin, org: ORG_B }, '1.0.0', ownerA),
    config: (plugin) => admin.setConfig({ plugin, org: ORG_B }, {}, ownerA),
    ownConfig: (plugin) => admin.setConfig({ plugin, org: ORG_A }, {}, ownerA),
    secret: (plugin) => admin.setSecret({ plugin, org: ORG_B }, { name: 'a', value: 'b' }, ownerA),
    unsecret: (plugin) => admin.deleteSecret({ plugin, org: ORG_B }, MARK, ownerA),
  };
  for (const [name, attempt] of Object.entries(attempts)) {
    const results = await Promise.allSettled(['bees', 'demo', 'nothing'].map(attempt));
    const texts = results.map((one) => (one.status === 'rejected' ? String(one.reason) : 'done'));
    const told = texts.map((text) => text.replace(/bees|demo|nothing/, 'NAME'));
    expect([name, ...new Set(told)], name).toHaveLength(2);
    expect(results[0], name).toMatchObject({ reason: { code: 'PLUGIN_UNKNOWN' } });
  }
  for (const attempt of [
    () => admin.changes({}, ownerA),
    () => admin.setOrgs('ays', [ORG_A], ownerA),
    () => admin.setOrg({ plugin: 'ays', org: ORG_A }, false, ownerA),
    () => admin.setLimits({ plugin: 'ays', org: ORG_A }, { cpuMs: 1 }, ownerA),
    () => admin.approve('ays', '1.0.0', ownerA),
  ])
    await expect(attempt()).rejects.toMatchObject({ code: 'BUNDLE_OWNER_FOREIGN' });
  for (const attempt of [
    () => admin.setConfig({ plugin: 'ays', org: ORG_B }, {}, ownerA),
    () => admin.pin({ plugin: 'ays', org: ORG_B }, null, ownerA),
    () => admin.setSecret({ plugin: 'ays', org: ORG_B }, { name: 'a', value: 'b' }, OPERATOR),
    () => admin.deleteSecret({ plugin: 'ays', org: ORG_B }, 'a', ownerA),
  ])
    await expect(attempt()).rejects.toMatchObject({ code: 'TENANT_INVALID' });
  const own = [
    await admin.show('ays', ownerA),
    await admin.tenants('ays', ownerA),
    await admin.changes({ plugin: 'ays' }, ownerA),
    await admin.changes({ plugin: 'ays', org: ORG_B }, ownerA),
  ];
  expect(JSON.stringify(own)).not.toContain(MARK);
  expect(JSON.stringify(await admin.tenants('bees', OPERATOR))).toContain(MARK);
});

test('who takes the name of a plug-in that was removed inherits nothing of it, and reads nothing', async () => {
  await kit.upload(puppet());
  await kit.upload(extension(ofB, { name: 'shared' }));
  const scopeB = { plugin: 'shared', org: ORG_B };
  await kit.admin.setConfig(scopeB, { note: MARK }, ownerB);
  await kit.admin.setSecret(scopeB, { name: MARK, value: MARK }, ownerB);
  await puppetCall(ORG_B, '/api/demo/x/own', 'kv.put', MARK, MARK);
  const heard: string[] = [];
  using _following = kit.logbook.follow({ plugin: 'shared' }, ({ org }) => heard.push(org));
  await expect(kit.upload(extension(ofA, { name: 'shared' }))).rejects.toMatchObject({
    code: 'BUNDLE_NAME_TAKEN',
  });
  await kit.admin.remove('shared', ownerB);
  expect(await puppetCall(ORG_B, '/api/demo/x/own', 'config')).toBe(404);

  await kit.upload(extension(ofA, { name: 'shared' }), {}, OPERATOR);
  const seen = [
    kit.logbook.read({ plugin: 'shared' }),
    await kit.admin.show('shared', ownerA),
    await kit.admin.tenants('shared', ownerA),
    await kit.admin.changes({ plugin: 'shared' }, ownerA),
    await kit.admin.changes({ plugin: 'shared', limit: 1_000 }, ownerA),
    await puppetCall(ORG_A, '/api/demo/x/own', 'kv.list', { prefix: '' }),
    await puppetCall(ORG_A, '/api/demo/x/own', 'secrets.get', MARK),
  ];
  expect(JSON.stringify(seen)).not.toContain(ORG_B);
  expect(JSON.stringify(seen.slice(0, 6))).not.toContain(MARK);
  expect(heard).not.toContain(ORG_A);
  expect(JSON.stringify(await kit.admin.changes({ plugin: 'shared' }, OPERATOR))).toContain(MARK);
});

test('what a call writes that was under way when its plug-in was removed is gone too', async () => {
  const late =
    'await new Promise(r => setTimeout(r, 300)); await env.kv.put("late", 1); console.log("late"); return new Response("");';
  await kit.upload(puppet());
  await kit.upload(extension(ofB, { name: 'shared', handler: late }));
  const call = puppetCall(ORG_B, '/api/demo/x/own', 'config').catch(() => null);
  await waitFor(() => sandbox.status().runners.some(({ inFlight }) => inFlight > 0));
  await kit.admin.remove('shared', OPERATOR);
  await call;
  expect(kit.logbook.read({ plugin: 'shared' })).toEqual([]);
  await kit.upload(extension(ofB, { name: 'shared' }));
  expect(await puppetCall(ORG_B, '/api/demo/x/own', 'kv.get', 'late')).toBe(null);
});

test('settings, pins, secrets and data are all there after a restart, and so is what extends another', async () => {
  await kit.upload(puppet());
  await kit.upload(extension(ofB, { name: 'a-before-demo' }));
  await kit.upload(puppet('1.1.0'));
  const scopeB = { plugin: 'demo', org: ORG_B };
  await kit.admin.pin(scopeB, '1.0.0', OPERATOR);
  await kit.admin.setConfig(scopeB, { note: 'kept' }, OPERATOR);
  await kit.admin.setSecret(scopeB, { name: 'token', value: 'kept' }, OPERATOR);
  await play(ORG_B, 'kv.put', 'key', 'kept');
  const before = await kit.admin.list(OPERATOR);
  for (let turn = 0; turn < 3; turn += 1) {
    await reopen();
    expect(await kit.admin.list(OPERATOR)).toEqual(before);
    expect(await play(ORG_B, 'config')).toEqual({ note: 'kept' });
    expect(await play(ORG_B, 'secrets.get', 'token')).toBe('kept');
    expect(await play(ORG_B, 'kv.get', 'key')).toBe('kept');
    expect(await puppetCall(ORG_B, '/api/demo/x/own', 'config')).toEqual({});
    expect(kit.catalogue.versionFor('demo', ORG_B)?.manifest.version).toBe('1.0.0');
    expect(kit.catalogue.versionFor('demo', ORG_A)?.manifest.version).toBe('1.1.0');
  }
});

test('a plug-in that extends a service is out while that keeps no place for it, and says so', async () => {
  await kit.upload(puppet());
  await kit.upload(extension(ofB, { name: 'bees' }));
  const without = { bindings: ['kv', 'secrets'], config: CONFIG, routes };
  const key = provider.key;
  await kit.upload(signedBundle({ key, version: '1.1.0', handler: PUPPET, manifest: without }));
  expect(await puppetCall(ORG_B, '/api/demo/x/own', 'config')).toBe(404);
  const view = await kit.admin.show('bees', ownerB);
  expect([view.state, view.reason]).toEqual(['failed', expect.stringContaining('tenantRoutes')]);
  await expect(kit.upload(extension(ofB, { name: 'more' }))).rejects.toMatchObject({
    code: 'BUNDLE_INVALID',
  });
  await reopen();
  await kit.admin.rollback('demo', null, OPERATOR);
  expect(await puppetCall(ORG_B, '/api/demo/x/own', 'config')).toEqual({});
  expect(await kit.admin.show('bees', ownerB)).toMatchObject({ state: 'live', reason: null });
});

test('what two set at the same moment for orgs of one plug-in is all kept', async () => {
  await kit.upload(puppet());
  await kit.admin.setOrgs('demo', [], OPERATOR);
  const orgs = Array.from({ length: 9 }, (_, i) => `${ORG_A.slice(0, -1)}${i + 1}`);
  await Promise.all(orgs.map((org) => kit.admin.setOrg({ plugin: 'demo', org }, true, OPERATOR)));
  expect((await kit.admin.show('demo', OPERATOR)).orgs).toEqual(orgs);
  await kit.admin.setOrg(
    { plugin: 'demo', org: ORG_A.toUpperCase().replace('URN:VCLOUD:ORG', 'urn:vcloud:org') },
    true,
    OPERATOR,
  );
  expect(await play(ORG_A, 'config')).toEqual({});
});
