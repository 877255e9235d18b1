import { randomBytes } from 'node:crypto';

import { afterAll, beforeAll, expect, test } from 'vitest';

import { cellClient, type CellClient } from '../../support/client.ts';
import { openLive, type Live } from '../../support/live.ts';

let live: Live;
const users = new Map<string, CellClient>();

beforeAll(async () => {
  live = await openLive({ cells: 2 });
  const { orgs, provider, cells } = live.cells;
  const url = cells[0]?.url ?? '';
  for (const org of orgs)
    for (const user of org.users)
      users.set(
        `${user.name}@${org.name}`,
        await cellClient(url, `${user.name}@${org.name}`, user.password),
      );
  users.set('admin', await cellClient(url, `${provider.user}@${provider.org}`, provider.password));
});
afterAll(() => live?.[Symbol.asyncDispose]());

const as = (name: string): CellClient => {
  const client = users.get(name);
  if (!client) throw new Error(`no ${name} among ${[...users.keys()].join(', ')}`);
  return client;
};
const orgId = (name: string) =>
  live.cells.orgs
    .find((org) => org.name === name)
    ?.id.split(':')
    .at(-1) ?? '';
const backupsOf = (org: string) => `/api/org/${orgId(org)}/backups`;
const nonce = () => randomBytes(6).toString('hex');

test('a value of the request comes back computed by a guest in another process', async () => {
  const name = nonce();
  const answer = await as('alice@acme').get(`/api/hello?name=${name}`);
  expect(answer.status).toBe(200);
  expect(answer.json()).toEqual({
    hello: name,
    backwards: [...name].toReversed().join(''),
    org: `urn:vcloud:org:${orgId('acme')}`,
  });
  expect(answer.headers.get('x-content-type-options')).toBe('nosniff');
  expect(live.host.runnerPids().length).toBeGreaterThan(0);
  expect(live.host.runnerPids()).not.toContain(process.pid);
});

test('backups are created, listed, shown and deleted, in JSON', async () => {
  const alice = as('alice@acme');
  const name = nonce();
  const created = await alice.post(backupsOf('acme'), JSON.stringify({ name, description: 'd' }));
  expect(created.status).toBe(201);
  const { id } = created.json();
  expect(created.headers.get('location')).toBe(`/api/backup/${String(id)}`);
  expect((await alice.get(backupsOf('acme'))).json()).toMatchObject({
    backups: expect.arrayContaining([expect.objectContaining({ id, name, kind: 'org' })]),
  });
  expect((await alice.get(`/api/backup/${String(id)}`)).json()).toMatchObject({
    id,
    name,
    description: 'd',
  });
  expect((await alice.delete(`/api/backup/${String(id)}`)).status).toBe(204);
  expect((await alice.get(`/api/backup/${String(id)}`)).status).toBe(404);
});

test('the same in vCloud XML, of a vApp', async () => {
  const alice = as('alice@acme');
  const headers = { Accept: 'application/*+xml;version=36.0', 'Content-Type': 'application/xml' };
  const body =
    '<CreateBackupParams name="a &amp; b"><Description>x &lt; y</Description></CreateBackupParams>';
  const created = await alice.post('/api/vApp/vapp-17/action/backup', body, { headers });
  expect([created.status, created.headers.get('content-type')]).toEqual([
    202,
    'application/vnd.vmware.vcloud.task+xml',
  ]);
  const task = created.headers.get('location') ?? '';
  expect(task).toMatch(/^\/api\/task\/[0-9a-f-]{36}$/);
  await expect
    .poll(async () => (await alice.get(task, { headers })).text, { timeout: 20_000 })
    .toContain('status="success"');
  const listed = await alice.get('/api/vApp/vapp-17/backups', { headers });
  expect(listed.text).toMatch(/^<\?xml[^>]*\?>\s*<BackupList /);
  expect(listed.text).toContain('name="a &amp; b"');
  expect(listed.text).toContain('<Description>x &lt; y</Description>');
});

test('rights decide: view is not manage, and nothing is nothing', async () => {
  const bob = as('bob@acme');
  const carol = as('carol@acme');
  expect((await bob.get(backupsOf('acme'))).status).toBe(200);
  const refused = await bob.post(backupsOf('acme'), '{}');
  expect([refused.status, refused.json()['minorErrorCode']]).toEqual([403, 'RIGHT_MISSING']);
  expect((await carol.get(backupsOf('acme'))).status).toBe(403);
  expect((await carol.get('/api/hello')).status).toBe(200);
  expect((await as('admin').get(backupsOf('acme'))).status).toBe(200);
});

test('one org never sees another', async () => {
  const name = nonce();
  const created = await as('alice@acme').post(backupsOf('acme'), JSON.stringify({ name }));
  const { id } = created.json();
  const globex = as('alice@globex');
  expect((await globex.get(backupsOf('acme'))).status).toBe(403);
  expect((await globex.get(`/api/backup/${String(id)}`)).status).toBe(404);
  expect((await globex.get(backupsOf('globex'))).text).not.toContain(name);
});

test('two cells at once never get each other’s replies', async () => {
  const [one, two] = live.cells.cells.map(({ url }) => url);
  const org = live.cells.orgs[0];
  const user = org?.users[0];
  if (!one || !two || !org || !user) throw new Error('two cells are needed');
  const clients = await Promise.all(
    [one, two].map((url) => cellClient(url, `${user.name}@${org.name}`, user.password)),
  );
  const calls = Array.from({ length: 200 }, async (_, i) => {
    const name = nonce();
    const answer = await clients[i % 2]?.get(`/api/hello?name=${name}`);
    return answer?.json()['hello'] === name;
  });
  expect((await Promise.all(calls)).filter(Boolean)).toHaveLength(200);
});

test('1,000 calls at 100 in flight are all answered, once each', async () => {
  const alice = as('alice@acme');
  const left = Array.from({ length: 1_000 }, () => nonce());
  const answered: string[] = [];
  const worker = async () => {
    for (let name = left.pop(); name; name = left.pop()) {
      const answer = await alice.get(`/api/hello?name=${name}`);
      if (answer.status === 200 && answer.json()['hello'] === name) answered.push(name);
      else throw new Error(`${answer.status} ${answer.text}`);
    }
  };
  await Promise.all(Array.from({ length: 100 }, worker));
  expect(new Set(answered).size).toBe(1_000);
});

test('what a guest sees of a request holds no credentials, and no log does', async () => {
  const MARK = `marker-${nonce()}`;
  const headers = {
    Cookie: `vcloud_jwt=${MARK}`,
    'X-Vcloud-Other': MARK,
    'X-VMWARE-VCLOUD-ACCESS-TOKEN': MARK,
    'X-Kept': 'kept',
  };
  const echoed = await as('alice@acme').post('/api/probe/echo', 'hello', { headers });
  const seen = echoed.json();
  expect(seen).toMatchObject({ method: 'POST', body: 'hello', headers: { 'x-kept': 'kept' } });
  expect(Object.keys(seen['headers'] as object)).not.toContain('x-vcloud-authorization');
  expect(Object.keys(seen['headers'] as object)).not.toContain('authorization');
  await as('alice@acme').get('/api/probe/log', { headers });
  expect(echoed.text).not.toContain(MARK);
  expect(live.lines.join('')).not.toContain(MARK);
});

test.each([
  ['status-99', 500, 'PLUGIN_THREW'],
  ['not-a-response', 500, 'RESPONSE_INVALID'],
  ['header-crlf', 500, 'PLUGIN_THREW'],
  ['throw', 500, 'PLUGIN_THREW'],
  ['big', 502, 'RESPONSE_TOO_LARGE'],
  ['loop', 503, 'CPU_EXCEEDED'],
  ['never', 504, 'WALL_EXCEEDED'],
])(
  'a handler that does %s is answered with its code, and the next call normally',
  async (what, status, code) => {
    const answer = await as('alice@acme').get(`/api/probe/${what}`);
    expect([answer.status, answer.json()['minorErrorCode']]).toEqual([status, code]);
    expect((await as('alice@globex').get('/api/probe/state')).status).toBe(200);
    expect((await as('alice@acme').get('/api/hello')).status).toBe(200);
  },
);

test('a handler that loops for ever costs other orgs nothing', async () => {
  const others = Array.from({ length: 50 }, () => as('alice@globex').get('/api/hello'));
  const [loop, ...rest] = await Promise.all([as('alice@acme').get('/api/probe/loop'), ...others]);
  expect(loop?.status).toBe(503);
  expect(rest.map(({ status }) => status)).toEqual(Array(50).fill(200));
});

test('a runner killed from outside costs at most its calls in flight, and each is answered', async () => {
  const before = live.host.runnerPids();
  const calls = Array.from({ length: 20 }, () => as('alice@acme').get('/api/probe/never'));
  const { runners } = (await live.status())['sandbox'] as {
    runners: { pid: number; plugin: string | null }[];
  };
  for (const { pid, plugin } of runners) if (plugin === 'probe') process.kill(pid, 'SIGKILL');
  const answers = await Promise.all(calls);
  for (const { status } of answers) expect([502, 503, 504]).toContain(status);
  expect((await as('alice@acme').get('/api/hello')).status).toBe(200);
  expect((await as('alice@globex').get('/api/probe/state')).status).toBe(200);
  expect(before.length).toBeGreaterThan(0);
});

test('the operator endpoint tells health to all and details to holders of the token', async () => {
  const { operatorUrl } = live.host;
  expect((await fetch(`${operatorUrl}/livez`)).status).toBe(200);
  const ready = await fetch(`${operatorUrl}/readyz`);
  expect(ready.status).toBe(200);
  expect(await ready.json()).toMatchObject({ ready: true, dependencies: { broker: { ok: true } } });
  expect((await fetch(`${operatorUrl}/status`)).status).toBe(401);
  expect((await fetch(`${operatorUrl}/metrics`)).status).toBe(401);
  expect(await live.status()).toMatchObject({ ready: true, sandbox: { ready: true } });
});
