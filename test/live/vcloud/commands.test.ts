/** `vcx register`, `doctor` and `explain` as an operator runs them, against a cell and a broker. */
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';

import { openCells, type Cells } from '../../../sdk/localcloud/cell/open.ts';
import { bareEnv } from '../../support/program.ts';
import { openVhost, type Vhost } from '../../support/rabbit/vhost.ts';

const CLI = fileURLToPath(new URL('../../../host/cli.ts', import.meta.url));
const EXAMPLES = fileURLToPath(new URL('../../../plugins', import.meta.url));
const PLAN = 'plan shows the difference, and apply makes it vanish';
const stack = new AsyncDisposableStack();
const folder = mkdtempSync(join(tmpdir(), 'vcx-commands-'));
let rabbit: Vhost;
let cells: Cells;

beforeAll(async () => {
  stack.defer(() => rmSync(folder, { recursive: true }));
  rabbit = stack.use(await openVhost());
  cells = await newCells();
});
afterAll(() => stack.disposeAsync());

const newCells = async () => stack.use(await openCells({ amqpUrl: rabbit.url, count: 1 }));

/** What the first try of a test registered or removed must not decide how the second one ends. */
const tried = new Set<string>();
beforeEach(async ({ task }) => {
  if (tried.has(task.id)) {
    cells = await newCells();
    if (task.name !== PLAN) await vcx(['register', 'apply']);
  }
  tried.add(task.id);
});

interface Ran {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

function vcx(args: readonly string[], settings: Record<string, string> = {}): Promise<Ran> {
  const env = {
    ...bareEnv(),
    VCX_VCLOUD_URL: cells.cells[0]?.url ?? '',
    VCX_AMQP_URL: rabbit.url,
    VCX_VCLOUD_USER: `${cells.provider.user}@System`,
    VCX_VCLOUD_PASSWORD: cells.provider.password,
    VCX_PLUGINS_FOLDERS: JSON.stringify([EXAMPLES]),
    VCX_STATE_DIR: join(folder, 'state'),
    ...settings,
  };
  return new Promise((resolve) => {
    execFile(process.execPath, [CLI, ...args], { cwd: folder, env }, (error, out, err) =>
      resolve({ code: error ? Number(error.code) : 0, out, err }),
    );
  });
}

interface Shown {
  readonly ok: boolean;
  readonly changed: boolean;
  readonly plugins: { plugin: string; changes: { action: string; kind: string }[] }[];
}

interface Examined {
  readonly ok: boolean;
  readonly findings: { check: string; state: string; detail: string; fix: string | null }[];
}

test('without a configuration nothing is examined', async () => {
  const none = { VCX_VCLOUD_URL: '', VCX_AMQP_URL: '' };
  for (const args of [['register', 'plan'], ['doctor']]) {
    const ran = await vcx(args, none);
    expect([ran.code, ran.err]).toEqual([2, expect.stringContaining('CONFIG_INVALID')]);
  }
});

test(PLAN, async () => {
  const planned = await vcx(['register', 'plan']);
  expect(planned.code, planned.err).toBe(3);
  expect(planned.out).toContain('+ ServiceLink backup on application/vnd.vmware.vcloud.vApp+xml');
  const before = JSON.parse((await vcx(['doctor', '--json'])).out) as Examined;
  expect(before.ok).toBe(false);
  expect(before.findings).toContainEqual(
    expect.objectContaining({
      check: 'registration.backup',
      state: 'failed',
      fix: 'vcx register apply --plugin backup',
    }),
  );
  const applied = await vcx(['register', 'apply']);
  expect(applied.code, applied.err + applied.out).toBe(0);
  const again = await vcx(['register', 'plan', '--json']);
  expect(again.code).toBe(0);
  const shown = JSON.parse(again.out) as Shown;
  expect(shown).toMatchObject({ ok: true, changed: false });
  expect(shown.plugins.map(({ plugin }) => plugin)).toContain('backup');
});

test('doctor finds a healthy installation healthy, but for the account that everybody knows', async () => {
  const ran = await vcx(['doctor', '--json']);
  const { ok, findings } = JSON.parse(ran.out) as Examined;
  expect([ran.code, ok], ran.out).toEqual([0, true]);
  const bad = findings.filter(({ state }) => state === 'warning');
  expect(bad.map(({ check }) => check)).toEqual(['broker.account']);
  for (const { fix } of bad) expect(fix).toContain('rabbitmqctl add_user');
  const events = ['broker.notifications', 'notifications.switch', 'notifications.exchange'];
  for (const check of [...events, 'blocking-tasks'])
    expect(findings).toContainEqual(expect.objectContaining({ check, state: 'ok' }));
  expect(findings.find(({ check }) => check === 'vcloud.sign-in')?.detail).toMatch(
    /API version \d/,
  );
});

test.each([
  [{ VCX_VCLOUD_PASSWORD: 'wrong' }, 'vcloud.sign-in', /passwordFile/],
  [{ VCX_VCLOUD_URL: 'http://127.0.0.1:1' }, 'vcloud.sign-in', /can be reached from here/],
  [{ VCX_AMQP_REPLY_EXCHANGES: '[other]' }, 'vcloud.amqp-settings', /add vcd\.replyExchange/],
  [{ VCX_NOTIFICATIONS_EXCHANGES: '[nobody.made]' }, 'broker.notifications', /vCloud makes it/],
])('doctor names the fix for %o', async (settings, check, fix) => {
  const ran = await vcx(['doctor', '--json'], settings);
  const { findings } = JSON.parse(ran.out) as Examined;
  expect(ran.code).toBe(1);
  const found = findings.find((one) => one.check === check);
  expect(found, ran.out).toMatchObject({ state: 'failed', fix: expect.stringMatching(fix) });
  expect(ran.out).not.toContain('"wrong"');
});

test('explain shows each step, with URNs, and the decision in its exit code', async () => {
  const ask = (user: string, method: string, url: string, ...more: string[]) =>
    vcx(['explain', 'authz', '--user', user, '--method', method, '--url', url, ...more]);
  const org = cells.orgs[0];
  const path = `/api/org/${org?.id}/backups`;
  const allowed = await ask('alice@acme', 'post', `https://vcd.example.com${path}?x=1`);
  expect(allowed.code, allowed.err).toBe(0);
  expect(allowed.out).toMatch(/yes rights: "Backup: Manage" \(urn:vcloud:right:[0-9a-f-]{36}\)/);
  const refused = await ask('bob@acme', 'POST', path, '--json');
  expect([refused.code, refused.out]).toEqual([3, expect.stringContaining('RIGHT_MISSING')]);
  expect(JSON.parse(refused.out)).toMatchObject({ ok: true, allowed: false });
  expect((await ask('alice@acme', 'PUT', path)).out).toContain('METHOD_NOT_ALLOWED');
  expect((await ask('alice@acme', 'GET', '/api/nothing')).out).toContain('ROUTE_NOT_FOUND');
  expect((await ask('alice@acme', 'GET', '/api/org/%2e%2e/backups')).out).toContain(
    'PATH_AMBIGUOUS',
  );
  const nobody = await ask('nobody@acme', 'GET', path);
  expect([nobody.code, nobody.err]).toEqual([2, expect.stringContaining('nobody@acme')]);
});

test('remove wants a name, takes the service away, and may be repeated', async () => {
  expect((await vcx(['register', 'remove'])).code).toBe(2);
  expect((await vcx(['register', 'remove', '--plugin', 'none-such'])).code).toBe(2);
  for (const expected of ['Service org.example.hello', 'nothing to do']) {
    const ran = await vcx(['register', 'remove', '--plugin', 'hello']);
    expect([ran.code, ran.out]).toEqual([0, expect.stringContaining(expected)]);
  }
  expect((await vcx(['register', 'plan', '--plugin', 'hello'])).code).toBe(3);
});

test('release takes an operation out of what vCloud holds, unless a plug-in here decides on it', async () => {
  const names = ['vdcInstantiateVapp', 'importMedia'];
  const refused = await vcx(['register', 'release', ...names]);
  expect([refused.code, refused.err]).toEqual([2, expect.stringContaining('approval decides')]);
  const others = { VCX_PLUGINS_FOLDERS: JSON.stringify([join(EXAMPLES, 'audit-trail')]) };
  const released = await vcx(['register', 'release', ...names], others);
  expect([released.code, released.out]).toEqual([
    0,
    expect.stringMatching(/- BlockingTaskOperation vdcInstantiateVapp\n.*not held.*importMedia/),
  ]);
});
