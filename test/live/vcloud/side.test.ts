/** Authorization, tasks and events through the whole path: cell, broker, host, guest, and back to vCloud. */
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { parseXml } from '../../../host/message/xml/tree.ts';
import { openVcloud, type VcloudClient } from '../../../host/vcloud/client.ts';
import { queryPath, readRecords, uuidOf } from '../../../host/vcloud/links.ts';
import { cellClient, type CellClient } from '../../support/client.ts';
import { EXAMPLES, openLive, type Live } from '../../support/live.ts';
import { requestBody } from '../../support/pipeline/messages.ts';
import { openRawClient, type RawClient } from '../../support/raw-client.ts';

const CHECKED = fileURLToPath(new URL('../../support/samples/checked', import.meta.url));

let live: Live;
let admin: VcloudClient;
const users = new Map<string, CellClient>();

beforeAll(async () => {
  live = await openLive({ folders: [EXAMPLES, CHECKED] });
  const { orgs, provider, cells } = live.cells;
  const url = cells[0]?.url ?? '';
  admin = openVcloud({ url, credentials: { kind: 'password', ...provider } });
  for (const { name: org, users: people } of orgs)
    for (const { name, password } of people)
      users.set(`${name}@${org}`, await cellClient(url, `${name}@${org}`, password));
  users.set('admin', await cellClient(url, `${provider.user}@${provider.org}`, provider.password));
});
afterAll(async () => {
  await admin?.[Symbol.asyncDispose]();
  await live?.[Symbol.asyncDispose]();
});

const as = (name: string): CellClient => {
  const client = users.get(name);
  if (!client) throw new Error(`no ${name}`);
  return client;
};
const org = (name: string) => {
  const found = live.cells.orgs.find((item) => item.name === name);
  if (!found) throw new Error(`no org ${name}`);
  return found;
};
const XML = { Accept: 'application/*+xml;version=37.0' };

describe('a task', () => {
  const path = '/api/vApp/vapp-17/action/backup';

  test('is answered at once, in XML and JSON, and succeeds in the background', async () => {
    const alice = as('alice@acme');
    for (const headers of [XML, { Accept: 'application/*+json;version=37.0' }]) {
      const accepted = await alice.post(path, '{"name":"nightly"}', { headers });
      expect(accepted.status).toBe(202);
      const location = accepted.headers.get('location') ?? '';
      expect(accepted.text).toContain(location);
      await expect
        .poll(async () => (await alice.get(location)).json()['status'], { timeout: 20_000 })
        .toBe('success');
      const task = (await alice.get(location)).json();
      expect(task).toMatchObject({ progress: 100, serviceNamespace: 'org.example.vcd.backup' });
    }
  });

  test("is in its own org's list and in no other's", async () => {
    const accepted = await as('alice@acme').post(path, '', { headers: XML });
    const location = accepted.headers.get('location') ?? '';
    const list = await as('alice@acme').get(`/api/tasksList/${org('acme').id}`, { headers: XML });
    expect(list.text).toContain(location);
    expect((await as('alice@globex').get(location)).status).toBeGreaterThanOrEqual(403);
  });

  test('comes with an event under the user', async () => {
    await as('alice@acme').post(`/api/org/${org('acme').id}/backups`, '{"name":"seen"}');
    const ours = async () =>
      (await readRecords(admin, queryPath('adminEvent'))).find(({ attributes }) =>
        attributes['eventType']?.startsWith('org/example'),
      )?.attributes;
    await expect.poll(ours, { timeout: 20_000 }).toMatchObject({
      serviceNamespace: 'org.example.vcd.backup',
      org: expect.stringContaining(org('acme').id) as string,
    });
  });

  test('whose runner is killed ends as an error', async () => {
    const path = `/api/checked/${org('acme').id}/task`;
    const accepted = await as('alice@acme').post(path, '', { headers: XML });
    expect(accepted.status).toBe(202);
    const location = accepted.headers.get('location') ?? '';
    const { runners } = (await live.status())['sandbox'] as {
      runners: { pid: number; plugin: string | null }[];
    };
    for (const { pid, plugin } of runners) if (plugin === 'checked') process.kill(pid, 'SIGKILL');
    await expect
      .poll(async () => (await as('alice@acme').get(location)).json()['status'], {
        timeout: 20_000,
      })
      .toBe('error');
  });
});

describe('env.vcloud', () => {
  const ask = async (wanted: string) => {
    const headers = { 'X-Wanted': wanted };
    return (await as('alice@acme').get(`/api/checked/${org('acme').id}`, { headers })).json();
  };
  const vApp = (name: string) => `/api/vApp/vapp-${org(name).vApps[0]?.id}`;

  test("reads the calling org's vApp, and no other's by any of its paths", async () => {
    expect(await ask(vApp('acme'))).toMatchObject({ status: 200 });
    const id = org('globex').id;
    for (const foreign of [
      vApp('globex'),
      `/api/org/${id}`,
      `/api/admin/org/${id}`,
      `/api/tasksList/${id}`,
    ])
      expect(await ask(foreign)).toEqual({ code: 'VCLOUD_OUT_OF_SCOPE' });
  });
});

describe('the authorization matrix', () => {
  const read = (id: string) => `/api/checked/${id}`;
  const work = (id: string) => `/api/checked/${id}/task`;

  test.each([
    ['alice@acme', 'GET', 'acme', 200, 'holds the right'],
    ['bob@acme', 'GET', 'acme', 200, 'holds the right to see'],
    ['carol@acme', 'GET', 'acme', 403, 'holds none'],
    ['alice@globex', 'GET', 'acme', 403, 'is of another org'],
    ['alice@acme', 'GET', 'globex', 403, 'is of another org'],
    ['admin', 'GET', 'acme', 200, 'has a rule of its own'],
    ['admin', 'POST', 'acme', 403, 'follows the same path: no rule lets it'],
    ['alice@acme', 'POST', 'acme', 202, 'may manage'],
    ['bob@acme', 'POST', 'acme', 403, 'may only see'],
  ])('%s may %s of %s: %i, it %s', async (who, method, of, status) => {
    const { id } = org(of);
    const client = as(who);
    const answer = await (method === 'GET' ? client.get(read(id)) : client.post(work(id), ''));
    expect(answer.status).toBe(status);
  });

  /** Messages that no cell has authorized, as from somebody else who may publish: vcx asks for itself. */
  describe('by messages that passed by the cell', () => {
    let raw: RawClient;
    beforeAll(async () => {
      raw = await openRawClient(live.rabbit.url);
    });
    afterAll(() => raw?.[Symbol.asyncDispose]());

    async function call(
      who: readonly [user: string, org: string],
      path: string,
      parts: { readonly http?: object; readonly rights?: readonly string[] } = {},
    ) {
      const found = org(who[1]);
      const user = found.users.find(({ name }) => name === who[0])?.id;
      const body = requestBody({
        http: { id: randomUUID(), requestUri: path, ...parts.http },
        security: {
          user: `urn:vcloud:user:${user}`,
          org: `urn:vcloud:org:${found.id}`,
          rights: parts.rights ?? [],
        },
      });
      const reply = await raw.call('checked', body);
      const { minorErrorCode } = JSON.parse(reply.body) as { minorErrorCode?: string };
      return [reply.statusCode, minorErrorCode];
    }

    test('the check decides: yes for holders, no for others and for other orgs', async () => {
      const { id } = org('acme');
      expect(await call(['alice', 'acme'], read(id))).toEqual([200, undefined]);
      const denied = [403, 'AUTHORIZATION_DENIED'];
      expect(await call(['carol', 'acme'], read(id))).toEqual(denied);
      expect(await call(['alice', 'globex'], read(id))).toEqual(denied);
      expect(await call(['alice', 'acme'], '/api/checked/0')).toEqual(denied);
    });

    test('forged rights and headers change nothing', async () => {
      const { id } = org('acme');
      const alice = org('acme').users.find(({ name }) => name === 'alice')?.id ?? '';
      const http = {
        method: 'POST',
        headers: {
          Accept: 'application/json',
          'X-VMWARE-VCLOUD-TENANT-CONTEXT': id,
          'X-Vcloud-User': `urn:vcloud:user:${alice}`,
          'X-HTTP-Method-Override': 'GET',
        },
        body: Buffer.from(JSON.stringify({ user: alice, rights: ['Checked: Manage'] })).toString(
          'base64',
        ),
      };
      const rights = ['urn:vcloud:right:00000000-0000-4000-8000-000000000000', 'Checked: Manage'];
      expect(await call(['bob', 'acme'], work(id), { http, rights })).toEqual([
        403,
        'AUTHORIZATION_DENIED',
      ]);
    });

    test('a thousand calls by twenty users cost at most twenty checks', async () => {
      const made = await Promise.all(Array.from({ length: 20 }, () => createUser(org('acme').id)));
      const before = await checks();
      const body = (user: string) =>
        requestBody({
          http: { id: randomUUID(), requestUri: read(org('acme').id) },
          security: {
            user: `urn:vcloud:user:${user}`,
            org: `urn:vcloud:org:${org('acme').id}`,
            rights: [],
          },
        });
      const statuses: number[] = [];
      let left = 1_000;
      const worker = async () => {
        for (let n = --left; n >= 0; n = --left)
          statuses.push((await raw.call('checked', body(made[n % 20] ?? ''))).statusCode);
      };
      await Promise.all(Array.from({ length: 50 }, worker));
      expect(statuses).toHaveLength(1_000);
      expect(new Set(statuses)).toEqual(new Set([200]));
      expect((await checks()) - before).toBeLessThanOrEqual(20);
    });

    test('while vCloud can not be asked nobody is let through, and afterwards it goes on', async () => {
      const { id } = org('globex');
      const text = await metrics();
      expect(text).toContain('vcx_authorization_checks_total');
      const missing = requestBody({
        http: { id: randomUUID(), requestUri: read(id) },
        // vCloud knows no such user and refuses the question.
        security: {
          user: `urn:vcloud:user:${randomUUID()}`,
          org: `urn:vcloud:org:${id}`,
          rights: [],
        },
      });
      const reply = await raw.call('checked', missing);
      expect([reply.statusCode, reply.body]).toEqual([
        503,
        expect.stringContaining('AUTHORIZATION_UNAVAILABLE'),
      ]);
      expect(await call(['alice', 'globex'], read(id))).toEqual([200, undefined]);
    });
  });
});

async function metrics(): Promise<string> {
  const token = readFileSync(live.host.tokenFile, 'utf8').trim();
  const headers = { Authorization: `Bearer ${token}` };
  return (await fetch(`${live.host.operatorUrl}/metrics`, { headers })).text();
}

/** Questions that vCloud was asked so far. */
async function checks(): Promise<number> {
  const lines = (await metrics()).split('\n');
  return lines
    .filter(
      (line) =>
        line.startsWith('vcx_authorization_checks_total') && line.includes('source="vcloud"'),
    )
    .reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0);
}

/** A user of the org with the role of its administrator; returns the bare id. */
async function createUser(orgId: string): Promise<string> {
  const alice = live.cells.orgs
    .find(({ id }) => id === orgId)
    ?.users.find(({ name }) => name === 'alice')?.id;
  const known = parseXml((await admin.request('GET', `/api/admin/user/${alice}`)).body);
  const role = known.children.find(({ name }) => name === 'Role')?.attributes.get('href');
  const name = `u${randomUUID().slice(0, 8)}`;
  const body = `<User xmlns="http://www.vmware.com/vcloud/v1.5" name="${name}"><FullName>${name}</FullName><IsEnabled>true</IsEnabled><Role href="${role}"/><Password>pass-word-1</Password></User>`;
  const type = 'application/vnd.vmware.admin.user+xml';
  const made = await admin.request('POST', `/api/admin/org/${orgId}/users`, { body, type });
  return uuidOf(parseXml(made.body).attributes.get('href')) ?? '';
}
