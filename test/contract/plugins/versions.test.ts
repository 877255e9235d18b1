/** What is live changes by upload, approval, rollback and pins while calls come. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';

import type { Sandbox } from '../../../host/sandbox/sandbox.ts';
import {
  ownerOf,
  ORG_A,
  signedBundle,
  trustOf,
  type SignedSpec,
} from '../../support/plugins/bundles.ts';
import {
  openPluginKit,
  openTestSandbox,
  OPERATOR,
  type PluginKit,
} from '../../support/plugins/plugin-kit.ts';
import { waitFor } from '../../support/wait.ts';

const ORG_B = 'urn:vcloud:org:00000000-0000-4000-8000-00000000000b';
const provider = ownerOf();
const acme = { who: 'acme-ci', owner: 'acme' };
const vendor = ownerOf({ id: 'acme', namespaces: ['com.acme'] });
const tenant = ownerOf({ id: ORG_A, kind: 'org', namespaces: ['com.tenant'] });

let dir: string;
let sandbox: Sandbox;
let kit: PluginKit;
beforeAll(async () => {
  sandbox = await openTestSandbox();
});
afterAll(() => sandbox[Symbol.asyncDispose]());
beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'vcx-versions-'));
  kit = await open();
});
afterEach(async () => {
  await kit[Symbol.asyncDispose]();
  rmSync(dir, { recursive: true });
});

const open = () =>
  openPluginKit({ dir, sandbox, trust: () => trustOf([provider, vendor, tenant]), hostName: 'h1' });
const demo = (version: string, more: Partial<SignedSpec> = {}) =>
  signedBundle({ key: provider.key, version, ...more });
const ask = async (org = ORG_A) => {
  const { status, body } = await kit.call({ org, path: '/api/demo' });
  return status === 200 ? body : status;
};
const show = () => kit.admin.show('demo', OPERATOR);

test('a bundle is installed, upgraded and rolled back while it answers', async () => {
  expect(await ask()).toBe(404);
  expect(await kit.upload(demo('1.0.0'))).toMatchObject({ state: 'live', version: '1.0.0' });
  expect(await ask()).toBe('1.0.0');
  expect(await kit.upload(demo('1.0.0'))).toMatchObject({ state: 'same' });
  await kit.upload(demo('1.1.0'));
  expect(await ask()).toBe('1.1.0');
  const back = await kit.admin.rollback('demo', null, OPERATOR);
  expect(back).toMatchObject({ current: '1.0.0', state: 'live', reason: null });
  expect(back.versions.map(({ version, live }) => [version, live])).toEqual([
    ['1.0.0', true],
    ['1.1.0', false],
  ]);
  expect(await ask()).toBe('1.0.0');
  await expect(kit.admin.rollback('demo', null, OPERATOR)).rejects.toMatchObject({
    code: 'PLUGIN_UNKNOWN',
  });
  await kit.admin.rollback('demo', '1.1.0', OPERATOR);
  expect(await ask()).toBe('1.1.0');
  const actions = (await kit.admin.changes({ plugin: 'demo' }, OPERATOR)).map(
    ({ action, subject }) => `${action} ${subject}`,
  );
  expect(actions.slice(0, 3)).toEqual(['rollback 1.1.0', 'rollback 1.0.0', 'upgrade 1.1.0']);
});

test('a rollback loads nothing: what ran lately is put back as it was', async () => {
  await kit.upload(demo('1.0.0'));
  const first = kit.catalogue.shelf('demo')?.current;
  await kit.upload(demo('1.1.0'));
  await kit.admin.rollback('demo', null, OPERATOR);
  expect(kit.catalogue.shelf('demo')?.current).toBe(first);
});

test('a call under way ends on the version it began with, and then its isolates are gone', async () => {
  const slow = 'await new Promise(r => setTimeout(r, 400)); return new Response(VERSION);';
  await kit.upload(demo('1.0.0', { handler: slow }));
  const early = ask();
  await waitFor(() => sandbox.status().runners.some(({ inFlight }) => inFlight > 0));
  await kit.upload(demo('1.1.0'));
  expect(await ask()).toBe('1.1.0');
  expect(await early).toBe('1.0.0');
  await kit.keeper.drained('demo');
  await waitFor(
    () => !sandbox.status().runners.some(({ version }) => version === '1.0.0'),
    () => JSON.stringify(sandbox.status().runners),
  );
});

test('an org stays with the version that it is pinned to, and goes on when it is not any more', async () => {
  await kit.upload(demo('1.0.0'));
  await kit.admin.pin({ plugin: 'demo', org: ORG_A }, '1.0.0', OPERATOR);
  await kit.upload(demo('1.1.0'));
  expect([await ask(ORG_A), await ask(ORG_B)]).toEqual(['1.0.0', '1.1.0']);
  expect((await show()).versions.map(({ live }) => live)).toEqual([true, true]);
  await expect(
    kit.admin.pin({ plugin: 'demo', org: ORG_A }, '9.0.0', OPERATOR),
  ).rejects.toMatchObject({ code: 'PLUGIN_UNKNOWN' });
  await kit.admin.pin({ plugin: 'demo', org: ORG_A }, null, OPERATOR);
  expect(await ask(ORG_A)).toBe('1.1.0');
  expect((await show()).versions.map(({ live }) => live)).toEqual([false, true]);
});

test('a version that asks for more waits, says for what, and goes live when that is approved', async () => {
  await kit.upload(demo('1.0.0'));
  const more = { bindings: ['kv'], limits: { memoryMb: 128 } };
  const asks = ['binding kv', 'limit memoryMb 128'];
  expect(await kit.upload(demo('1.1.0', { manifest: more }))).toMatchObject({
    state: 'waiting',
    asks,
  });
  expect(await ask()).toBe('1.0.0');
  expect(await show()).toMatchObject({
    state: 'live',
    current: '1.0.0',
    waiting: { version: '1.1.0', asks },
  });
  await kit.admin.approve('demo', '1.1.0', OPERATOR);
  expect(await ask()).toBe('1.1.0');
  expect(await show()).toMatchObject({ waiting: null });
  // Less is taken at once, and so is what was allowed before.
  expect(await kit.upload(demo('1.2.0'))).toMatchObject({ state: 'live' });
  expect(await kit.upload(demo('1.3.0', { manifest: more }))).toMatchObject({ state: 'live' });
});

test('a version that leaves out questions to vCloud waits', async () => {
  await kit.upload(demo('1.0.0', { manifest: { authorizationCheck: 'always' } }));
  expect(await kit.upload(demo('1.1.0'))).toMatchObject({
    state: 'waiting',
    asks: ['authorization-check never'],
  });
  expect((await show()).waiting).toEqual({ version: '1.1.0', asks: ['authorization-check never'] });
});

test('what nobody allowed goes live by no other door: not by rollback, nor by a pin', async () => {
  const growing = { bindings: ['kv'] };
  await kit.upload(demo('1.0.0'));
  await kit.upload(demo('1.1.0', { manifest: growing }));
  const refused = { code: 'BUNDLE_OWNER_FOREIGN' };
  const door = async () => {
    await expect(kit.admin.rollback('demo', '1.1.0', OPERATOR)).rejects.toMatchObject(refused);
    await expect(
      kit.admin.pin({ plugin: 'demo', org: ORG_A }, '1.1.0', OPERATOR),
    ).rejects.toMatchObject(refused);
  };
  await door();
  // Another one waits in its place, and then one goes live that is newer than both.
  await kit.upload(demo('1.2.0', { manifest: { bindings: ['secrets'] } }));
  await door();
  await kit.upload(demo('1.3.0'));
  await door();
  await expect(kit.admin.approve('demo', '1.2.0', OPERATOR)).rejects.toMatchObject({
    code: 'PLUGIN_UNKNOWN',
  });
  expect(await ask()).toBe('1.3.0');
});

test('an owner who installs first waits for whatever is asked; the operator may allow with the upload', async () => {
  const manifest = { name: 'acmes', bindings: ['kv'], vcloud: vcloud('com.acme.x', 'acme') };
  const bundle = signedBundle({ key: vendor.key, manifest });
  expect(await kit.upload(bundle, {}, acme)).toMatchObject({ state: 'waiting' });
  expect(await kit.admin.show('acmes', acme)).toMatchObject({ state: 'waiting', current: null });
  await expect(kit.admin.approve('acmes', '1.0.0', acme)).rejects.toMatchObject({
    code: 'BUNDLE_OWNER_FOREIGN',
  });
  expect((await kit.call({ org: ORG_A, path: '/api/demo', key: 'acme' })).status).toBe(404);
  expect(await kit.upload(bundle, { approve: true })).toMatchObject({ state: 'live' });
  expect((await kit.call({ org: ORG_A, path: '/api/demo', key: 'acme' })).status).toBe(200);
  await expect(kit.upload(demo('1.0.0'), {}, acme)).rejects.toMatchObject({
    code: 'BUNDLE_OWNER_FOREIGN',
  });
});

test('the same version with other content and an older version are refused; the older one goes with force', async () => {
  await kit.upload(demo('1.1.0'));
  const other = demo('1.1.0', { handler: 'return new Response("other")' });
  await expect(kit.upload(other, { force: true })).rejects.toMatchObject({
    code: 'BUNDLE_VERSION_TAKEN',
  });
  await expect(kit.upload(demo('1.0.0'))).rejects.toMatchObject({ code: 'BUNDLE_DOWNGRADE' });
  expect(await ask()).toBe('1.1.0');
  await kit.upload(demo('1.0.0'), { force: true });
  expect(await ask()).toBe('1.0.0');
});

test('of two uploads at once of the same version, the one with other content is refused', async () => {
  const bundles = ['a', 'b'].map((text) =>
    demo('1.0.0', { handler: `return new Response("${text}")` }),
  );
  const results = await Promise.allSettled(bundles.map((bundle) => kit.upload(bundle)));
  expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected']);
  expect(results[1]).toMatchObject({ reason: { code: 'BUNDLE_VERSION_TAKEN' } });
  expect(await ask()).toBe('a');
});

test('many uploads at once all go live in turn, and the last one stays', async () => {
  const versions = Array.from({ length: 8 }, (_, index) => `1.${index}.0`);
  await Promise.all(versions.map((version) => kit.upload(demo(version))));
  expect(await ask()).toBe('1.7.0');
  expect((await show()).versions).toHaveLength(8);
});

test('of two plug-ins that claim the same at once, one is refused and leaves nothing behind', async () => {
  const bundles = ['one', 'two'].map((name) =>
    demo('1.0.0', { manifest: { name, vcloud: vcloud(`org.example.${name}`, 'shared') } }),
  );
  const results = await Promise.allSettled(bundles.map((bundle) => kit.upload(bundle)));
  expect(results.filter(({ status }) => status === 'rejected')).toMatchObject([
    { reason: { code: 'BUNDLE_NAME_TAKEN' } },
  ]);
  expect(await kit.installed.list()).toHaveLength(1);
  expect(await kit.admin.list(OPERATOR)).toHaveLength(1);
});

test('a bundle that was signed anew takes the place of what it was', async () => {
  const renewed = ownerOf();
  await kit.upload(demo('1.0.0'));
  await kit[Symbol.asyncDispose]();
  kit = await openPluginKit({ dir, sandbox, trust: () => trustOf([renewed]) });
  // It should be there and can't be: whoever calls hears that, and not that there is no such thing.
  expect(await ask()).toBe(503);
  expect((await show()).reason).toContain('no owner with the key');
  expect(await kit.upload(signedBundle({ key: renewed.key }))).toMatchObject({ state: 'live' });
  expect(await ask()).toBe('1.0.0');
  await kit[Symbol.asyncDispose]();
  kit = await openPluginKit({ dir, sandbox, trust: () => trustOf([renewed]) });
  expect(await ask()).toBe('1.0.0');
});

test('a bundle that the provider has not signed is isolated as such, whatever ran before it', async () => {
  const tenantRoutes = { prefix: '/api/demo/x' };
  await kit.upload(demo('1.0.0', { manifest: { tenantRoutes } }));
  const manifest = {
    name: 'acmes',
    extends: 'org.example.demo',
    vcloud: { ...vcloud('com.tenant.x', 'demo'), apiFilters: [] },
    routes: [{ method: 'GET', path: '/api/demo/x/acme' }],
  };
  const alone = signedBundle({ key: tenant.key, manifest });
  const both = signedBundle({ key: tenant.key, counter: provider.key, manifest });
  const isolation = () => kit.catalogue.shelf('acmes')?.current?.guest.isolation;
  await kit.upload(both);
  expect(isolation()).toBe('plugin');
  expect(await kit.upload(alone)).toMatchObject({ state: 'live' });
  expect(isolation()).toBe('org');
  await kit.admin.remove('acmes', OPERATOR);
  await kit.upload(both);
  expect(isolation()).toBe('plugin');
});

test('a plug-in that is disabled answers nobody, takes new versions, and comes back with the last one', async () => {
  await kit.upload(demo('1.0.0'));
  expect(await kit.admin.setEnabled('demo', false, OPERATOR)).toMatchObject({ state: 'disabled' });
  expect(await ask()).toBe(404);
  expect(await kit.upload(demo('1.1.0'))).toMatchObject({ state: 'disabled' });
  expect(await ask()).toBe(404);
  expect(await kit.admin.setEnabled('demo', true, OPERATOR)).toMatchObject({ state: 'live' });
  expect(await ask()).toBe('1.1.0');
});

test('versions in use are kept, and of others the last twenty', async () => {
  await kit.upload(demo('0.1.0'));
  await kit.admin.pin({ plugin: 'demo', org: ORG_A }, '0.1.0', OPERATOR);
  for (let minor = 2; minor <= 27; minor += 1) await kit.upload(demo(`0.${minor}.0`));
  const { versions } = await show();
  expect(versions.map(({ version }) => version).slice(0, 2)).toEqual(['0.1.0', '0.4.0']);
  expect(versions).toHaveLength(25);
  expect([await ask(ORG_A), await ask(ORG_B)]).toEqual(['0.1.0', '0.27.0']);
});

test('a schema that does not fit what an org has configured is refused, unless it is forced', async () => {
  const schema = (type: string) => ({
    config: { schema: { type: 'object', properties: { size: { type } } } },
  });
  const handler = 'return new Response(JSON.stringify(env.config))';
  await kit.upload(demo('1.0.0', { manifest: schema('string'), handler }));
  const scope = { plugin: 'demo', org: ORG_A };
  await expect(kit.admin.setConfig(scope, { size: 1 }, OPERATOR)).rejects.toMatchObject({
    code: 'TENANT_CONFIG_INVALID',
  });
  await kit.admin.setConfig(scope, { size: 'big' }, OPERATOR);
  expect(await ask()).toBe('{"size":"big"}');
  const next = demo('1.1.0', { manifest: schema('integer'), handler });
  const refusal = expect(kit.upload(next)).rejects;
  await refusal.toMatchObject({
    code: 'TENANT_CONFIG_INVALID',
    message: expect.stringContaining(ORG_A),
  });
  expect(await ask()).toBe('{"size":"big"}');
  // Who stays with the old version is not in the way.
  await kit.admin.pin(scope, '1.0.0', OPERATOR);
  await kit.upload(next);
  expect([await ask(ORG_A), await ask(ORG_B)]).toEqual(['{"size":"big"}', '{}']);
  await kit.admin.rollback('demo', null, OPERATOR);
  await kit.admin.pin(scope, null, OPERATOR);
  await kit.upload(next, { force: true });
  expect([await ask(ORG_A), await ask(ORG_B)]).toEqual([503, '{}']);
});

function vcloud(namespace: string, routingKey: string) {
  const apiFilters = [{ urlPattern: `/api/${routingKey}` }];
  return { name: routingKey, namespace, exchange: 'sdkext', routingKey, apiFilters };
}
