/** Attacks on who may make what live: approvals, versions, names and revoked keys. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';

import type { Actor } from '../../../host/bundles/change/admin.ts';
import type { Sandbox } from '../../../host/sandbox/sandbox.ts';
import { createSigningKey } from '../../../host/bundles/trust/keys.ts';
import { ORG_A, ownerOf, signedBundle, trustOf } from '../../support/plugins/bundles.ts';
import {
  openPluginKit,
  openTestSandbox,
  OPERATOR,
  type PluginKit,
  type PluginKitOptions,
} from '../../support/plugins/plugin-kit.ts';
import { waitFor } from '../../support/wait.ts';

/** Of every Unix. */
const MAKE_PIPE = 'mkfifo';
const ORG_B = 'urn:vcloud:org:00000000-0000-4000-8000-00000000000b';
const provider = ownerOf();
const ofA = ownerOf({ id: ORG_A, kind: 'org', namespaces: ['com.a'] });
const providerActor: Actor = { who: 'token:vendor', owner: 'provider' };
const ownerA: Actor = { who: 'token:a', owner: ORG_A };

let dir: string;
let sandbox: Sandbox;
let kit: PluginKit;
let revoked: string[];
beforeAll(async () => {
  sandbox = await openTestSandbox();
});
afterAll(() => sandbox[Symbol.asyncDispose]());
beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'vcx-attacks-'));
  revoked = [];
  kit = await open();
});
afterEach(async () => {
  await kit[Symbol.asyncDispose]();
  rmSync(dir, { recursive: true });
});
const open = (more: Partial<PluginKitOptions> = {}) =>
  openPluginKit({ dir, sandbox, trust: () => trustOf([provider, ofA], revoked), ...more });

const tenantRoutes = { prefix: '/api/demo/x' };
const demo = (version = '1.0.0', manifest: object = {}, key = provider.key) =>
  signedBundle({ key, version, manifest: { tenantRoutes, ...manifest } });
const extension = (changes: Record<string, unknown> = {}, owner = ofA) =>
  signedBundle({
    key: owner.key,
    manifest: {
      name: 'own',
      extends: 'org.example.demo',
      vcloud: {
        name: 'own',
        namespace: 'com.a.own',
        exchange: 'sdkext',
        routingKey: 'demo',
        apiFilters: [],
      },
      routes: [{ method: 'GET', path: '/api/demo/x/own' }],
      ...changes,
    },
  });
const ask = async (org = ORG_B) => (await kit.call({ org, path: '/api/demo' })).body;

test('what was looked at is what is approved: a bundle that was put in its place is refused', async () => {
  await kit.upload(demo());
  await kit.upload(extension({ bindings: ['kv'] }), {}, ownerA);
  const seen = await kit.admin.show('own', OPERATOR);
  const digest = seen.versions[0]?.digest ?? '';
  await kit.admin.remove('own', ownerA);
  await kit.upload(extension({ bindings: ['kv', 'secrets'] }), {}, ownerA);
  await expect(
    kit.admin.approve('own', { version: '1.0.0', digest }, OPERATOR),
  ).rejects.toMatchObject({ code: 'PLUGIN_CHANGED' });
  expect(await kit.admin.show('own', OPERATOR)).toMatchObject({ state: 'waiting', current: null });
});

test('neither pin, rollback nor enabling makes live what nobody approved, whoever tries', async () => {
  await kit.upload(demo());
  await kit.upload(demo('2.0.0', { bindings: ['kv'] }), {}, providerActor);
  const scope = { plugin: 'demo', org: ORG_B };
  for (const actor of [providerActor, OPERATOR]) {
    await expect(kit.admin.pin(scope, '2.0.0', actor)).rejects.toThrow('did not allow');
    await expect(kit.admin.rollback('demo', '2.0.0', actor)).rejects.toThrow('did not allow');
  }
  await kit.admin.setEnabled('demo', false, providerActor);
  await kit.admin.setEnabled('demo', true, providerActor);
  expect(await ask()).toBe('1.0.0');
  // Approving it is the operator's, also by the way of an upload.
  await kit.upload(demo('2.1.0', { bindings: ['kv'] }), { approve: true }, providerActor);
  expect(await ask()).toBe('1.0.0');
});

test('what the operator disabled no owner enables, by no way; what an owner disabled they enable again', async () => {
  await kit.upload(demo());
  await kit.upload(extension(), {}, ownerA);
  const own = async () => (await kit.call({ org: ORG_A, path: '/api/demo/x/own' })).status;
  await kit.admin.setEnabled('own', false, ownerA);
  expect((await kit.admin.setEnabled('own', true, ownerA)).state).toBe('live');
  await kit.admin.setEnabled('own', false, OPERATOR);
  const code = 'BUNDLE_OWNER_FOREIGN';
  // Disabling it once more must not make it theirs to enable; nor must a removal that brings it back as new.
  for (const attempt of [
    () => kit.admin.setEnabled('own', true, ownerA),
    () => kit.admin.setEnabled('own', false, ownerA),
    () => kit.admin.remove('own', ownerA),
  ])
    await expect(attempt()).rejects.toMatchObject({ code });
  await kit.upload(extension({ version: '2.0.0' }), {}, ownerA);
  expect(await own()).toBe(404);
  expect(await kit.admin.show('own', ownerA)).toMatchObject({
    state: 'disabled',
    reason: 'the operator disabled it',
  });
  await kit.admin.setEnabled('own', true, OPERATOR);
  expect(await own()).toBe(200);
  await kit.admin.remove('own', ownerA);
});

test('an approval that comes with an upload is in the audit log', async () => {
  await kit.upload(demo());
  await kit.upload(demo('2.0.0', { bindings: ['kv'] }), { approve: true });
  const log = await kit.admin.changes({ plugin: 'demo' }, OPERATOR);
  expect(log.map(({ action, subject }) => `${action} ${subject}`)).toContain('approve 2.0.0');
});

test('a version whose key was revoked comes back by no way, and the one that runs goes on', async () => {
  const old = createSigningKey();
  const both = () => {
    const { key: _, ...rest } = provider;
    const owners = [provider, ofA, { ...rest, id: 'former', namespaces: [], key: old }];
    const trust = trustOf(owners, revoked);
    const held = trust.keys.get(old.keyId);
    const keys = new Map(trust.keys);
    if (held) keys.set(old.keyId, { ...held, owner: { id: 'provider', kind: 'provider' } });
    return { ...trust, keys };
  };
  await kit[Symbol.asyncDispose]();
  kit = await open({ trust: both });
  await kit.upload(demo('1.0.0', {}, old));
  await kit.upload(demo('2.0.0'));
  revoked = [old.keyId];
  const code = 'BUNDLE_KEY_REVOKED';
  const scope = { plugin: 'demo', org: ORG_B };
  await expect(kit.admin.rollback('demo', '1.0.0', OPERATOR)).rejects.toMatchObject({ code });
  await expect(kit.admin.pin(scope, '1.0.0', OPERATOR)).rejects.toMatchObject({ code });
  const again = kit.upload(demo('1.0.0', {}, old), { force: true });
  await expect(again).rejects.toMatchObject({ code });
  expect(await ask()).toBe('2.0.0');
});

test('an owner brings no bundle that another signed, the provider’s token none of an org’s either', async () => {
  const code = 'BUNDLE_OWNER_FOREIGN';
  await expect(kit.upload(demo(), {}, ownerA)).rejects.toMatchObject({ code });
  await kit.upload(demo());
  await expect(kit.upload(extension(), {}, providerActor)).rejects.toMatchObject({ code });
  expect(await ask(ORG_A)).toBe('1.0.0');
});

test('the name of a folder that is not loaded just now gives no org the data that it keeps', async () => {
  await kit.upload(demo());
  await kit.tenants.adopt('own', { owner: 'provider', orgs: 'all' }, 'folder');
  await kit.tenants.setSecret({ plugin: 'own', org: ORG_A }, { name: 's', value: 'theirs' }, 'op');
  await expect(kit.upload(extension())).rejects.toMatchObject({ code: 'TENANT_INVALID' });
  expect(await kit.tenants.readSecret({ plugin: 'own', org: ORG_A }, 's')).toBe('theirs');
  expect(await kit.installed.get('own')).toBeNull();
});

const brings = (vcloud: object) => ({
  vcloud: {
    name: 'own',
    namespace: 'com.a.own',
    exchange: 'sdkext',
    routingKey: 'demo',
    apiFilters: [],
    ...vcloud,
  },
});
test.each([
  ['rights', brings({ rights: [{ name: 'View' }] })],
  ['filters', brings({ apiFilters: [{ urlPattern: '/api/org' }] })],
  ['response filters', brings({ apiFilters: [{ responseContentType: 'text/xml' }] })],
  [
    'links',
    brings({
      serviceLinks: [{ rel: 'r', linkHref: '/x', mimeType: 'm', resourceType: 't' }],
    }),
  ],
  ['resource classes', brings({ resourceClasses: [{ name: 'c', mimeType: 'm' }] })],
  ['held operations', { blockingTasks: { operations: ['vdcCompose'], onFailure: 'abort' } }],
  ['wider reach', { vcloudPaths: ['GET /api/admin/vdc/{any}'] }],
  ['a place for others', { tenantRoutes: { prefix: '/api/demo/x/own' } }],
])('a plug-in of an org that brings %s is no bundle at all', (_what, changes) => {
  expect(() => extension(changes)).toThrow(/plugin\.json: vcloud: /);
});

test('a plug-in of an org is no service of its own, and leaves its prefix by no path', async () => {
  await kit.upload(demo());
  const code = 'BUNDLE_INVALID';
  const vcloud = {
    ...brings({}).vcloud,
    routingKey: 'mine',
    apiFilters: [{ urlPattern: '/api/mine' }],
  };
  const service = signedBundle({ key: ofA.key, manifest: { name: 'own', vcloud } });
  await expect(kit.upload(service)).rejects.toMatchObject({ code });
  const outside = extension({ routes: [{ method: 'GET', path: '/api/demo' }] });
  await expect(kit.upload(outside)).rejects.toMatchObject({ code });
  await kit.upload(extension({ routes: [{ method: '*', path: '/api/demo/x/../own' }] }));
  for (const path of ['/api/demo/own', '/api/demo/x/../own', '/api/demo/x/%2e%2e/own'])
    expect([400, 404]).toContain((await kit.call({ org: ORG_A, path })).status);
  expect(await ask(ORG_A)).toBe('1.0.0');
});

test('the operator can not give the plug-in of one org to others either', async () => {
  await kit.upload(demo());
  await kit.upload(extension());
  const code = 'TENANT_INVALID';
  for (const orgs of ['all', [ORG_B], [ORG_A, ORG_B]] as const)
    await expect(kit.admin.setOrgs('own', orgs, OPERATOR)).rejects.toMatchObject({ code });
  expect((await kit.call({ org: ORG_B, path: '/api/demo/x/own' })).status).toBe(404);
});

test('a health check has no binding, whatever the manifest names', async () => {
  const handler = `
    try { await env.kv.put('k', 1); return new Response('', { status: 200 }); }
    catch (error) { return new Response(String(error.code), { status: error.code === 'BINDING_DENIED' ? 299 : 500 }); }`;
  const spec = { healthCheck: { path: '/api/demo' }, bindings: ['kv'] };
  const bundle = signedBundle({ key: provider.key, handler, manifest: spec });
  expect(await kit.upload(bundle)).toMatchObject({ state: 'live' });
  const nobody = { plugin: 'demo', org: 'urn:vcloud:org:00000000-0000-0000-0000-000000000000' };
  expect(kit.tenants.secrets(nobody)).toEqual([]);
});

test('pipes, folders and links to devices in the inbox are refused and hold nothing up', async () => {
  const inbox = join(dir, 'inbox');
  mkdirSync(join(inbox, 'a-folder.vcx'), { recursive: true });
  execFileSync(MAKE_PIPE, [join(inbox, 'b-pipe.vcx')]);
  symlinkSync('/dev/zero', join(inbox, 'c-device.vcx'));
  symlinkSync(join(dir, 'nowhere'), join(inbox, 'd-nowhere.vcx'));
  writeFileSync(join(inbox, 'e-good.vcx'), demo());
  await kit[Symbol.asyncDispose]();
  kit = await open({ inbox });
  await waitFor(async () => (await ask()) === '1.0.0');
  const files = kit.plugins.inbox?.problems().map(({ file, code }) => `${file} ${code}`);
  const names = ['a-folder', 'b-pipe', 'c-device', 'd-nowhere'];
  expect(files).toEqual(names.map((name) => `${name}.vcx BUNDLE_ARCHIVE`));
});
