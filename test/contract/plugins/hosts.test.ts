/** Several hosts share one store: what one installs all run, and what one can not run goes no further. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';

import { packBundle } from '../../../host/bundles/archive/pack.ts';
import { signBundle } from '../../../host/bundles/trust/signature.ts';
import type { Sandbox } from '../../../host/sandbox/sandbox.ts';
import {
  manifestOf,
  ORG_A,
  ownerOf,
  signedBundle,
  trustOf,
} from '../../support/plugins/bundles.ts';
import {
  openPluginKit,
  openTestSandbox,
  OPERATOR,
  type PluginKit,
} from '../../support/plugins/plugin-kit.ts';
import { waitFor } from '../../support/wait.ts';

const provider = ownerOf();
const demo = (version: string) => signedBundle({ key: provider.key, version });

let dir: string;
let sandbox: Sandbox;
let hosts: PluginKit[];
let revokedAtSecond: readonly string[];
/** Before a host reads a bundle. */
let firstReads: () => Promise<void>;
let secondReads: () => Promise<void>;
beforeAll(async () => {
  sandbox = await openTestSandbox();
});
afterAll(() => sandbox[Symbol.asyncDispose]());
beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'vcx-hosts-'));
  revokedAtSecond = [];
  firstReads = async () => undefined;
  secondReads = async () => undefined;
  const state = join(dir, 'state');
  hosts = [
    await openPluginKit({
      dir: state,
      sandbox,
      hostName: 'h1',
      trust: () => firstReads().then(() => trustOf([provider])),
    }),
    await openPluginKit({
      dir: state,
      sandbox,
      hostName: 'h2',
      trust: () => secondReads().then(() => trustOf([provider], revokedAtSecond)),
    }),
  ];
});
afterEach(async () => {
  for (const host of hosts) await host[Symbol.asyncDispose]();
  rmSync(dir, { recursive: true });
});

const [first, second] = [() => hosts[0] as PluginKit, () => hosts[1] as PluginKit];
async function ask(host: PluginKit): Promise<string | number> {
  const { status, body } = await host.call({ org: ORG_A, path: '/api/demo' });
  return status === 200 ? body : status;
}
const runs = (host: PluginKit, version: string | number) =>
  waitFor(async () => (await ask(host)) === version);

test('what one host installs, pins, rolls back and removes, the other follows', async () => {
  await first().upload(demo('1.0.0'));
  await runs(second(), '1.0.0');
  await second().upload(demo('1.1.0'));
  await runs(first(), '1.1.0');
  await first().admin.pin({ plugin: 'demo', org: ORG_A }, '1.0.0', OPERATOR);
  await runs(second(), '1.0.0');
  await second().admin.pin({ plugin: 'demo', org: ORG_A }, null, OPERATOR);
  await runs(first(), '1.1.0');
  await first().admin.rollback('demo', null, OPERATOR);
  await runs(second(), '1.0.0');
  expect(second().logbook.read({ plugin: 'demo' }).length).toBeGreaterThan(0);
  await first().admin.remove('demo', OPERATOR);
  await runs(second(), 404);
  await waitFor(() => second().logbook.read({ plugin: 'demo' }).length === 0);
  expect(await second().admin.list(OPERATOR)).toEqual([]);
});

test('a version that one host can not run is stopped for all, with the reason', async () => {
  await first().upload(demo('1.0.0'));
  await runs(second(), '1.0.0');
  revokedAtSecond = [provider.key.keyId];
  // The other one may be faster to stop it than this one to make it live.
  await first()
    .upload(demo('1.1.0'))
    .catch((error: unknown) => expect(String(error)).toContain('stopped at h2'));
  await runs(first(), '1.0.0');
  expect(await ask(second())).toBe('1.0.0');
  const view = await first().admin.show('demo', OPERATOR);
  expect(view).toMatchObject({ state: 'live', current: '1.0.0' });
  expect(view.reason).toMatch(/^1\.1\.0 was stopped at h2: .*revoked/);
  revokedAtSecond = [];
  await first().upload(demo('1.1.0'));
  await runs(second(), '1.1.0');
  expect(await first().admin.show('demo', OPERATOR)).toMatchObject({ reason: null });
});

test('a version that was put back while a host still loaded it does not go live there', async () => {
  await first().upload(demo('1.0.0'));
  await runs(second(), '1.0.0');
  const gate = Promise.withResolvers<void>();
  let looked = false;
  secondReads = () => {
    looked = true;
    return gate.promise;
  };
  await first().upload(demo('1.1.0'));
  await waitFor(() => looked);
  await first().admin.rollback('demo', null, OPERATOR);
  gate.resolve();
  await second().keeper.settleAll();
  expect(await ask(second())).toBe('1.0.0');
  const live = second().lines.filter((line) => line.includes('"plugin.live"'));
  expect(live.filter((line) => line.includes('"1.1.0"'))).toEqual([]);
});

test('who uploads what another puts back before it is live is told so, and the other’s change stands', async () => {
  await first().upload(demo('1.0.0'));
  await runs(second(), '1.0.0');
  const gate = Promise.withResolvers<void>();
  let looked = false;
  firstReads = async () => {
    if ((await first().installed.get('demo'))?.current !== '1.1.0') return;
    looked = true;
    await gate.promise;
  };
  const uploaded = first().upload(demo('1.1.0'));
  await waitFor(() => looked);
  await second().admin.rollback('demo', '1.0.0', OPERATOR);
  gate.resolve();
  await expect(uploaded).rejects.toMatchObject({ code: 'PLUGIN_CHANGED' });
  const { current, versions } = await first().admin.show('demo', OPERATOR);
  expect([current, versions.length]).toEqual(['1.0.0', 2]);
  expect(await ask(first())).toBe('1.0.0');
});

test('of two who change the same plug-in at two hosts, nobody’s change is lost unseen', async () => {
  await first().upload(demo('1.0.0'));
  await runs(second(), '1.0.0');
  const results = await Promise.allSettled([
    first().upload(demo('1.1.0')),
    second().upload(demo('1.2.0')),
    first().admin.setEnabled('demo', true, OPERATOR),
    second().admin.setEnabled('demo', true, OPERATOR),
  ]);
  const codes = results.flatMap((one) =>
    one.status === 'rejected' ? [(one.reason as { code: string }).code] : [],
  );
  const told = ['PLUGIN_CHANGED', 'BUNDLE_DOWNGRADE'];
  for (const code of codes) expect(told).toContain(code);
  const { current, versions } = await first().admin.show('demo', OPERATOR);
  expect(versions).toHaveLength(1 + results.slice(0, 2).filter(fulfilled).length);
  for (const host of hosts) await runs(host, current ?? '');
});

const fulfilled = ({ status }: PromiseSettledResult<unknown>) => status === 'fulfilled';

test('a packed plug-in answers, and what it throws is told in places of its own source', async () => {
  const folder = join(dir, 'demo');
  mkdirSync(folder);
  writeFileSync(join(folder, 'plugin.json'), JSON.stringify(manifestOf({ main: 'main.ts' })));
  const source = [
    'interface Words { readonly said: string }',
    '',
    'export default {',
    '  fetch(request: Request): Response {',
    '    const words: Words = { said: new URL(request.url).search };',
    '    if (words.said === "?throw") throw new Error("on line six");',
    '    return new Response(words.said);',
    '  },',
    '};',
  ];
  writeFileSync(join(folder, 'main.ts'), source.join('\n'));
  const packed = await packBundle(folder);
  const bundle = signBundle(packed.bytes, { key: provider.key });
  const uploaded = await first().upload(bundle, { sourceMap: Buffer.from(packed.sourceMap) });
  expect(uploaded).toMatchObject({ state: 'live', digest: packed.digest });
  const call = (query: string) => first().call({ org: ORG_A, path: `/api/demo${query}` });
  expect((await call('?hi')).body).toBe('?hi');
  expect((await call('?throw')).status).toBe(500);
  await waitFor(() =>
    JSON.stringify(first().logbook.read({ plugin: 'demo' })).includes('main.ts:6:'),
  );
});
