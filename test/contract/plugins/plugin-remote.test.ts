/** `vcx plugin deploy`, `list`, `logs` … as somebody types them, against a real operator endpoint. */
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';

import { expect, test } from 'vitest';

import type { Logbook, NewLine } from '../../../host/bundles/live/logbook.ts';
import { createLogbook } from '../../../host/bundles/live/logbook.ts';
import { ORG_A } from '../../support/plugins/bundles.ts';
import { openRemote } from '../../support/operator/remote-kit.ts';
import { waitFor } from '../../support/wait.ts';

const ORG = ORG_A.replace('urn:vcloud:org:', '');

test('a folder is packed and deployed; what asks for more waits, is shown, approved and rolled back', async () => {
  await using remote = await openRemote();
  const { run, source, parts } = remote;
  source();
  const first = await run(['deploy', 'demo', '--json']);
  expect([first.code, first.json()]).toMatchObject([
    0,
    { ok: true, name: 'demo', version: '1.0.0', state: 'live', sourceMap: true },
  ]);
  const map = Buffer.from(parts.admin.uploads[0]?.options.sourceMap ?? '').toString();
  expect(JSON.parse(map)).toMatchObject({ version: 3 });

  source({ version: '1.1.0', bindings: ['kv'] });
  const second = await run(['deploy', 'demo']);
  expect(second.stdout).toContain('demo 1.1.0 waits for approval');
  expect(second.stdout).toContain('  + binding kv\n');
  expect(second.stdout).toMatch(/next: .* plugin approve demo 1\.1\.0\n/);
  const shown = await run(['approve', 'demo', '--dry-run', '--json']);
  expect(shown.json()).toMatchObject({ version: '1.1.0', asks: ['binding kv'], approved: false });
  const list = await run(['list']);
  expect(list.stdout).toMatch(/NAME +VERSION +STATE/);
  expect(list.stdout).toMatch(/demo +1\.0\.0 +live +provider +all +1\.1\.0 waits for approval/);
  expect((await run(['approve', 'demo'])).stdout).toContain('approved: demo 1.1.0 is live');
  const nothing = await run(['approve', 'demo', '--json']);
  expect([nothing.code, nothing.json()['code']]).toEqual([1, 'PLUGIN_UNKNOWN']);
  const back = await run(['rollback', 'demo', '--json']);
  expect(back.json()).toMatchObject({ ok: true, plugin: { current: '1.0.0' } });
  expect((await run(['show', 'demo'])).stdout).toMatch(/\* +1\.0\.0 +live/);
});

test('a failure names its code and the next step, and the exit code says whose it is', async () => {
  await using remote = await openRemote();
  const { run, source } = remote;
  source();
  await run(['deploy', 'demo']);
  source({ version: '0.9.0' });
  const older = await run(['deploy', 'demo']);
  expect(older.code).toBe(1);
  expect(older.stderr).toContain('vcx: BUNDLE_DOWNGRADE: 0.9.0 is older than 1.0.0');
  expect(older.stderr).toContain('next: --force');
  expect((await run(['deploy', 'demo', '--force'])).code).toBe(0);

  const wrong = { env: { VCX_OPERATOR_TOKEN: 'wrong' } };
  const refused = await run(['list', '--json'], wrong);
  expect([refused.code, refused.json()]).toMatchObject([
    1,
    { ok: false, code: 'OPERATOR_UNAUTHENTICATED', next: expect.stringContaining('--token-file') },
  ]);
  const nobody = await run(['list', '--json', '--operator', 'http://127.0.0.1:9']);
  expect([nobody.code, nobody.json()['code']]).toEqual([1, 'OPERATOR_UNAVAILABLE']);
  const misused = [
    ['deploy', 'nowhere'],
    ['remove', 'demo'],
    ['pin', 'demo', '--org', ORG],
    ['enable', 'demo', '--org', 'acme'],
    ['unknown-command'],
  ];
  for (const args of misused) expect([args, (await run(args)).code]).toEqual([args, 2]);
  expect((await run(['remove', 'demo', '--yes'])).code).toBe(0);
});

test('settings of an org are set and read; a secret comes from standard input and never comes back', async () => {
  await using remote = await openRemote();
  const { run, source, parts, write } = remote;
  source();
  await run(['deploy', 'demo']);
  write('config.json', '{"colour":"blue"}');
  const of = ['--org', ORG, '--json'];
  const set = await run(['config', 'demo', ...of, '--set', 'config.json']);
  expect(set.json()).toEqual({ ok: true, org: ORG_A, config: { colour: 'blue' } });
  const kept = await run(['secret', 'demo', 'key', ...of], { stdin: 'hush hush\n' });
  expect(kept.code).toBe(0);
  expect(parts.admin.secretValues.get(`demo ${ORG_A} key`)).toBe('hush hush');
  const names = await run(['secret', 'demo', ...of]);
  expect(names.json()).toMatchObject({ secrets: [{ name: 'key' }] });
  await run(['limits', 'demo', '--org', ORG_A, '--set', 'cpuMs=50', 'memoryMb=32']);
  const limits = await run(['limits', 'demo', ...of, '--set', 'cpuMs=60']);
  expect(limits.json()).toMatchObject({ limits: { cpuMs: 60, memoryMb: 32 } });
  expect((await run(['limits', 'demo', ...of, '--set', 'cpums=60'])).code).toBe(2);
  await run(['pin', 'demo', '--org', ORG, '--version', '1.0.0']);
  await run(['disable', 'demo', '--org', ORG]);
  const seen = await run(['tenants', 'demo', '--only', ORG, '--json']);
  expect(seen.json()).toMatchObject({
    orgs: [ORG_A],
    tenants: [{ org: ORG_A, enabled: false, version: '1.0.0', config: { colour: 'blue' } }],
  });
  expect(kept.stdout + names.stdout + seen.stdout).not.toContain('hush');
  const changes = await run(['changes', '--plugin', 'demo', '--org', ORG, '--json']);
  expect(changes.json()).toMatchObject({
    changes: expect.arrayContaining(
      [{ who: 'operator' }].map((one) => expect.objectContaining(one)),
    ),
  });
});

test('an owner deploys with a token of their own, which the operator makes and takes away', async () => {
  await using remote = await openRemote();
  const { run, source, folder } = remote;
  source();
  const made = await run(['token', 'create', 'ci', '--owner', ORG_A, '--out', 'ci.token']);
  const token = readFileSync(join(folder, 'ci.token'), 'utf8').trim();
  expect(statSync(join(folder, 'ci.token')).mode & 0o777).toBe(0o600);
  expect(made.stdout).not.toContain(token);
  expect((await run(['deploy', 'demo', '--token-file', 'ci.token', '--json'])).code).toBe(0);
  const other = await run(['token', 'create', 'other', '--owner', 'somebody', '--json']);
  const foreign = { env: { VCX_OPERATOR_TOKEN: String(other.json()['token']) } };
  const refused = await run(['disable', 'demo', '--json'], foreign);
  expect([refused.code, refused.json()['code']]).toEqual([1, 'BUNDLE_OWNER_FOREIGN']);
  const listed = await run(['token', 'list']);
  expect(listed.stdout).toContain(`ci     ${ORG_A}`);
  expect((await run(['token', 'delete', 'ci'])).code).toBe(0);
  expect((await run(['list', '--token-file', 'ci.token'])).code).toBe(1);
});

const line = (text: string, more: Partial<NewLine> = {}): NewLine => ({
  plugin: 'demo',
  version: '1.0.0',
  org: ORG_A,
  callId: 'c',
  kind: 'log',
  level: 'warn',
  text,
  ...more,
});

function writeCall(logbook: Logbook): void {
  const call = {
    method: 'GET',
    path: '/api/demo',
    status: 503,
    code: 'CPU_EXCEEDED',
    cpuMs: 101.25,
    wallMs: 120,
    hostCalls: 3,
    memoryKb: 2_048,
    cold: true,
  };
  logbook.write(line('', { kind: 'call', level: 'error', call }));
}

test('logs show calls with their cost, and nothing a guest writes moves the cursor', async () => {
  await using remote = await openRemote();
  const { run, source, parts } = remote;
  source();
  await run(['deploy', 'demo']);
  parts.logbook.write(line('red \u001b[31m bell \u0007 csi \u009b2J \u202e desrever\nnext'));
  writeCall(parts.logbook);
  const text = (await run(['logs', 'demo'])).stdout;
  expect(text).toContain(
    'WARN  00000000 red \\x1b[31m bell \\x07 csi \\x9b2J \\u{202e} desrever\\nnext\n',
  );
  expect(text).toContain(
    'CALL  00000000 GET /api/demo 503, cpu 101.3 ms, wall 120.0 ms, memory 2.0 MB, host calls 3, cold, CPU_EXCEEDED\n',
  );
  const json = await run(['logs', 'demo', '--json', '--lines', '1']);
  expect(json.json()).toMatchObject({ lines: [{ kind: 'call', call: { hostCalls: 3 } }] });
  const all = await run(['logs', 'demo', '--json']);
  expect(all.stdout).not.toMatch(/[\u0000-\u0009\u007f-\u009f\u202e]/);
  const none = await run(['logs', 'demo', '--org', ORG.replace('a', 'b'), '--json']);
  expect(none.json()).toMatchObject({ lines: [] });
});

test('followed logs go on after the host was started again, without a line lost or twice', async () => {
  await using remote = await openRemote();
  const { run, source, parts, start, restart } = remote;
  source();
  await run(['deploy', 'demo']);
  parts.logbook.write(line('before'));
  const child = start(['logs', 'demo', '--follow', '--json']);
  let out = '';
  let err = '';
  child.stdout.on('data', (chunk: Buffer) => (out += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (err += chunk.toString()));
  const ended = new Promise((resolve) => child.once('close', resolve));
  const texts = () =>
    out
      .split('\n')
      .filter(Boolean)
      .map((one) => (JSON.parse(one) as { text: string }).text);
  const shown = (text: string) =>
    waitFor(
      () => texts().includes(text),
      () => `${text}: ${out}${err}`,
    );
  try {
    await shown('before');
    parts.logbook.write(line('as it happens'));
    await shown('as it happens');
    const fresh = createLogbook();
    fresh.write(line('first of the new host'));
    await restart({ logbook: fresh });
    await shown('first of the new host');
    await restart({ logbook: fresh });
    fresh.write(line('last'));
    await shown('last');
    child.kill('SIGINT');
    expect(await ended).toBe(0);
  } finally {
    child.kill('SIGKILL');
  }
  expect(err).toContain('the connection was lost');
  // The same lines under a new host's name are lines of that host.
  expect(texts().filter((text) => text === 'before' || text === 'as it happens')).toEqual([
    'before',
    'as it happens',
  ]);
});
