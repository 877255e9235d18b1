/** Whatever comes by upload, from a folder or after a restart: what is refused touches nothing, and what runs goes on. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { deflateRawSync } from 'node:zlib';

import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';

import type { Trust } from '../../../host/bundles/trust/trust.ts';
import type { Sandbox } from '../../../host/sandbox/sandbox.ts';
import {
  bundleOf,
  manifestOf,
  ORG_A,
  ownerOf,
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
import { rawZip } from '../../support/plugins/zip.ts';

const provider = ownerOf();
const vendor = ownerOf({ id: 'acme', namespaces: ['com.acme'] });
const expired = ownerOf({ id: 'old', namespaces: ['com.old'], notAfter: '2020-01-01T00:00:00Z' });
const stranger = ownerOf();
const other = ownerOf({ id: 'other', namespaces: ['com.other'] });
const owners = [provider, vendor, expired, other];

let dir: string;
let sandbox: Sandbox;
let kit: PluginKit;
let trust: Trust;
beforeAll(async () => {
  sandbox = await openTestSandbox();
});
afterAll(() => sandbox[Symbol.asyncDispose]());
beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'vcx-refused-'));
  trust = trustOf(owners);
  kit = await open();
});
afterEach(async () => {
  await kit[Symbol.asyncDispose]();
  rmSync(dir, { recursive: true });
});

const open = (more: { folders?: string[]; inbox?: string; allowUnsigned?: boolean } = {}) =>
  openPluginKit({ dir: join(dir, 'state'), sandbox, trust: () => trust, ...more });
const reopen = async (...more: Parameters<typeof open>) => {
  await kit[Symbol.asyncDispose]();
  kit = await open(...more);
};
const demo = (version: string, more: Partial<SignedSpec> = {}) =>
  signedBundle({ key: provider.key, version, ...more });
const ask = async (key = 'demo', path = '/api/demo') => {
  const { status, body } = await kit.call({ org: ORG_A, path, key });
  return status === 200 ? body : status;
};
const show = () => kit.admin.show('demo', OPERATOR);
const service = (namespace: string, routingKey: string) => ({
  name: routingKey,
  namespace,
  exchange: 'sdkext',
  routingKey,
  apiFilters: [{ urlPattern: `/api/${routingKey}` }],
});

/** The upload is refused with the code; all is as it was before. */
async function refuses(bundle: Uint8Array, code: string, says = ''): Promise<void> {
  const before = [await kit.installed.list(), kit.catalogue.live, await ask()];
  const refused = { code, message: expect.stringContaining(says) };
  await expect(kit.upload(bundle)).rejects.toMatchObject(refused);
  expect([await kit.installed.list(), kit.catalogue.live, await ask()]).toEqual(before);
}

test('archives that are bombs, escape, were cut or changed are refused', async () => {
  await kit.upload(demo('1.0.0'));
  const good = demo('1.1.0');
  await refuses(rawZip([{ name: '../../main.js', data: 'x' }]), 'BUNDLE_ARCHIVE', 'leaves');
  await refuses(rawZip([{ name: '/etc/cron.d/x', data: 'x' }]), 'BUNDLE_ARCHIVE', 'absolute');
  await refuses(rawZip([{ name: 'main.js', mode: 0o120_777 }]), 'BUNDLE_ARCHIVE', 'link');
  const bomb = deflateRawSync(Buffer.alloc(100_000_000));
  await refuses(
    rawZip([{ name: 'main.js', data: bomb, method: 8, size: 100_000_000 }]),
    'BUNDLE_ARCHIVE',
  );
  await refuses(rawZip([{ name: 'main.js', size: 2 ** 31 }]), 'BUNDLE_TOO_LARGE');
  await refuses(Buffer.alloc(40 * 1_048_576), 'BUNDLE_TOO_LARGE');
  for (const part of [0, 1, 100, good.length - 1])
    await refuses(good.subarray(0, part), 'BUNDLE_ARCHIVE');
  expect(await ask()).toBe('1.0.0');
});

test('no byte of a bundle can be changed', async () => {
  await kit.upload(demo('1.0.0'));
  const good = demo('1.1.0');
  const step = Math.max(1, Math.floor(good.length / 200));
  for (let at = 0; at < good.length; at += step) {
    const altered = Buffer.from(good);
    altered[at] = (altered[at] ?? 0) ^ 1;
    await expect(kit.upload(altered)).rejects.toMatchObject({
      code: expect.stringMatching(/^BUNDLE_/),
    });
  }
  expect(await ask()).toBe('1.0.0');
  expect((await show()).versions).toHaveLength(1);
});

test('who has not signed, whom nobody knows, who is revoked or too late is refused', async () => {
  await kit.upload(demo('1.0.0'));
  const bare = bundleOf({ 'plugin.json': JSON.stringify(manifestOf({ version: '1.1.0' })) });
  await refuses(bare, 'BUNDLE_UNSIGNED');
  await refuses(demo('1.1.0', { key: stranger.key }), 'BUNDLE_KEY_UNKNOWN');
  await refuses(demo('1.1.0', { key: vendor.key }), 'BUNDLE_NAMESPACE_FOREIGN', 'acme');
  const old = { vcloud: service('com.old.x', 'old') };
  await refuses(demo('1.1.0', { key: expired.key, manifest: old }), 'BUNDLE_KEY_EXPIRED');
  trust = trustOf(owners, [provider.key.keyId]);
  await refuses(demo('1.1.0'), 'BUNDLE_KEY_REVOKED');
});

test('what another holds is refused by name: name, namespace, routing key and paths', async () => {
  await kit.upload(demo('1.0.0'));
  const mine = { key: vendor.key };
  const named = signedBundle({ ...mine, manifest: { vcloud: service('com.acme.x', 'acme') } });
  await refuses(named, 'BUNDLE_NAME_TAKEN', 'provider');
  const manifest = { name: 'acmes', vcloud: service('com.acme.x', 'demo') };
  await refuses(signedBundle({ ...mine, manifest }), 'BUNDLE_NAME_TAKEN', 'held by demo');
  const pathed = {
    name: 'acmes',
    vcloud: service('com.acme.x', 'acme'),
    routes: [{ method: 'POST', path: '/api/{all}' }],
  };
  await refuses(
    signedBundle({ ...mine, manifest: pathed }),
    'BUNDLE_NAME_TAKEN',
    'the route /api/{all}, which meets /api/demo, is held by demo',
  );
  const spaced = { name: 'second', vcloud: service('org.example.DEMO', 'second') };
  await refuses(demo('1.0.0', { manifest: spaced }), 'BUNDLE_NAME_TAKEN', 'held by demo');
});

test.each([
  ['throws', 'throw new Error("at load")', 'BUNDLE_INVALID', 'at load'],
  ['loops for ever', 'for(;;);', 'BUNDLE_INVALID', ''],
  ['takes all memory', 'const a=[];for(;;)a.push(new Array(1e6).fill(1))', 'BUNDLE_INVALID', ''],
  ['has no handler', 'globalThis.__vcx_plugin={};0', 'BUNDLE_INVALID', 'fetch'],
  ['is no JavaScript', 'function (', 'BUNDLE_INVALID', ''],
])('a bundle that %s while it is loaded is refused', async (_what, script, code, says) => {
  await kit.upload(demo('1.0.0'));
  await refuses(demo('1.1.0', { script }), code, says);
});

test.each([
  ['answers 500', 'return new Response("", {status: 500})', 'answered with 500'],
  ['throws', 'throw new Error("sick")', 'sick'],
  ['never answers', 'await new Promise(() => {})', 'WALL_EXCEEDED'],
  ['needs a binding', 'await env.kv.get("x"); return new Response("")', 'health check'],
])('a health check that %s keeps the version out', async (_what, handler, says) => {
  await kit.upload(demo('1.0.0'));
  const manifest = {
    healthCheck: { path: '/api/demo' },
    limits: { wallMs: 300 },
    bindings: ['kv'],
  };
  await refuses(demo('1.1.0', { handler, manifest }), 'BUNDLE_UNHEALTHY', says);
});

test('a health check that is passed is made with the configuration that orgs have by default', async () => {
  const manifest = {
    healthCheck: { path: '/api/demo?deep=1' },
    config: {
      schema: { type: 'object', properties: { size: { type: 'integer', default: 7 } } },
    },
  };
  const handler =
    'return new Response(String(env.config.size), {status: new URL(request.url).search === "?deep=1" || env.config.size === 7 ? 200 : 500})';
  await kit.upload(demo('1.0.0', { handler, manifest }));
  expect(await ask()).toBe('7');
});

test.each(['01.0.0', '1.0.0-a..b', '1.0.0-01', '99999999999999999999.0.0'])(
  'the version %s, of which nobody could say what is newer, is refused',
  async (version) => {
    await kit.upload(demo('1.0.0'));
    await refuses(demo(version), 'BUNDLE_INVALID', 'version');
  },
);

test('a name that a folder of the configuration holds is not taken, nor the other way round', async () => {
  const folder = join(dir, 'folders');
  mkdirSync(join(folder, 'demo'), { recursive: true });
  const files = { 'plugin.json': JSON.stringify(manifestOf({ main: 'main.ts' })) };
  writeFileSync(join(folder, 'demo', 'plugin.json'), files['plugin.json']);
  const source = 'export default { fetch: () => new Response("folder") };';
  writeFileSync(join(folder, 'demo', 'main.ts'), source);

  await reopen({ folders: [folder] });
  await refuses(demo('2.0.0'), 'BUNDLE_NAME_TAKEN', 'folder');
  expect(await ask()).toBe('folder');
  await expect(kit.admin.rollback('demo', null, OPERATOR)).rejects.toMatchObject({
    code: 'BUNDLE_NAME_TAKEN',
  });

  await reopen();
  await kit.upload(demo('2.0.0'));
  await reopen({ folders: [folder] });
  expect(await ask()).toBe('2.0.0');
  expect(await show()).toMatchObject({ source: 'bundle', state: 'live', current: '2.0.0' });
  expect(kit.lines.join('')).toContain('is installed as a bundle');
});

test('a key that was revoked after the install stops its plug-ins at the next start, and only those', async () => {
  await kit.upload(demo('1.0.0'));
  const path = '/api/acme';
  const manifest = {
    name: 'acmes',
    vcloud: service('com.acme.x', 'acme'),
    routes: [{ method: 'GET', path }],
  };
  await kit.upload(signedBundle({ key: vendor.key, manifest }));
  trust = trustOf(owners, [vendor.key.keyId]);
  expect(await ask('acme', path)).toBe('1.0.0');
  await kit.upload(demo('1.1.0'));
  expect([await ask('acme', path), await ask()]).toEqual(['1.0.0', '1.1.0']);

  await reopen();
  expect([await ask('acme', path), await ask()]).toEqual([503, '1.1.0']);
  const view = await kit.admin.show('acmes', OPERATOR);
  expect(view).toMatchObject({ state: 'failed', current: '1.0.0' });
  expect(view.reason).toContain('was revoked');

  trust = trustOf(owners);
  await reopen();
  expect(await ask('acme', path)).toBe('1.0.0');
});

test('a roll-back or a pin to a version that can not run is refused, and nothing moves', async () => {
  const first = ownerOf({ id: 'first', namespaces: ['org'] });
  trust = trustOf([first, ...owners.filter(({ id }) => id !== 'provider')]);
  const bundle = (version: string) => signedBundle({ key: first.key, version });
  await kit.upload(bundle('1.0.0'));
  await kit.upload(bundle('1.1.0'));
  await reopen();
  const digest = (await show()).versions[0]?.digest ?? '';
  trust = trustOf([first], [digest]);
  const refused = { code: 'BUNDLE_REVOKED' };
  await expect(kit.admin.rollback('demo', null, OPERATOR)).rejects.toMatchObject(refused);
  const scope = { plugin: 'demo', org: ORG_A };
  await expect(kit.admin.pin(scope, '1.0.0', OPERATOR)).rejects.toMatchObject(refused);
  expect(await show()).toMatchObject({ current: '1.1.0', state: 'live', reason: null });
  expect(await ask()).toBe('1.1.0');
});

test('what stops counting between the look at it and going live leaves nothing behind', async () => {
  let looks = 0;
  await kit[Symbol.asyncDispose]();
  const fickle = () => trustOf(owners, looks++ === 0 ? [] : [provider.key.keyId]);
  kit = await openPluginKit({ dir: join(dir, 'state'), sandbox, trust: fickle });
  await expect(kit.upload(demo('1.0.0'))).rejects.toMatchObject({
    message: expect.stringContaining('revoked'),
  });
  expect([await kit.installed.list(), kit.tenants.tenancy('demo')]).toEqual([[], null]);
  expect(await kit.admin.list(OPERATOR)).toEqual([]);

  await reopen();
  await kit.upload(demo('1.0.0'));
  await kit[Symbol.asyncDispose]();
  looks = 0;
  kit = await openPluginKit({ dir: join(dir, 'state'), sandbox, trust: fickle });
  looks = 0;
  await expect(kit.upload(demo('1.1.0'))).rejects.toMatchObject({ code: 'BUNDLE_INVALID' });
  expect(await ask()).toBe('1.0.0');
  expect(await show()).toMatchObject({ current: '1.0.0', state: 'live' });
  await reopen();
  expect(await ask()).toBe('1.0.0');
});

test('without a signature only where that is allowed, and not after it is not any more', async () => {
  await reopen({ allowUnsigned: true });
  await kit.upload(bundleOf());
  expect(await ask()).toBe('hi');
  expect((await show()).versions).toMatchObject([{ unsigned: true }]);
  await reopen();
  expect(await ask()).toBe(503);
  expect((await show()).reason).toContain('not signed');
});

test('a bundle whose stored bytes were altered is not run', async () => {
  await kit.upload(demo('1.0.0'));
  await kit[Symbol.asyncDispose]();
  const { DatabaseSync } = await import('node:sqlite');
  const database = new DatabaseSync(join(dir, 'state', 'vcx.sqlite'));
  database.exec("UPDATE blobs SET bytes = CAST('x' AS BLOB)");
  database.close();
  kit = await open();
  expect(await ask()).toBe(404);
  expect(await kit.admin.list(OPERATOR)).toMatchObject([{ name: 'demo', state: 'failed' }]);
  expect((await show()).reason).toContain('altered');
});

test('a bundle in the watched folder is installed; a half-written and a broken one harm nobody', async () => {
  const inbox = join(dir, 'inbox');
  mkdirSync(inbox);
  await reopen({ inbox });
  const bundle = demo('1.0.0');
  writeFileSync(join(inbox, 'a-half.vcx'), demo('1.1.0').subarray(0, 300));
  writeFileSync(join(inbox, 'b-good.vcx'), bundle);
  await waitFor(async () => (await ask()) === '1.0.0');
  await waitFor(() => kit.plugins.inbox?.problems().length === 1);
  expect(kit.plugins.inbox?.problems()).toMatchObject([
    { file: 'a-half.vcx', code: 'BUNDLE_ARCHIVE' },
  ]);
  writeFileSync(join(inbox, 'a-half.vcx'), demo('1.1.0'));
  await waitFor(async () => (await ask()) === '1.1.0');
  await waitFor(() => kit.plugins.inbox?.problems().length === 0);

  // What lies there does not undo a rollback, at a restart neither.
  await kit.admin.rollback('demo', null, OPERATOR);
  await reopen({ inbox });
  writeFileSync(join(inbox, 'c-last.vcx'), demo('0.9.0'));
  await waitFor(() => (kit.plugins.inbox?.problems().length ?? 0) > 0);
  expect(await ask()).toBe('1.0.0');
  expect(kit.plugins.inbox?.problems()).toMatchObject([
    { file: 'c-last.vcx', code: 'BUNDLE_DOWNGRADE' },
  ]);
});
