/** `tasks`, `events` and `env.vcloud` against a vCloud that trusts its administrator with everything. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, test } from 'vitest';

import type { Grant } from '../../../host/bindings/binding.ts';
import { createRegistry } from '../../../host/bindings/registry.ts';
import {
  openVcloudBindings,
  type VcloudBindingsOptions,
} from '../../../host/bindings/vcloud-bindings.ts';
import { silentLog } from '../../../host/kernel/log.ts';
import { createMetrics } from '../../../host/kernel/metrics.ts';
import { decodeXml } from '../../../host/message/xml/documents.ts';
import { openDatabase } from '../../../host/storage/sqlite/database.ts';
import { createSqliteOpenTasks } from '../../../host/storage/sqlite/open-tasks.ts';
import { waitFor } from '../../support/wait.ts';
import {
  ACME_ID,
  createScriptedVcloud,
  GLOBEX_ID,
  ORIGIN,
  SECRET,
  type ScriptedVcloud,
} from '../../support/vcloud/scripted-vcloud.ts';

const stack: AsyncDisposable[] = [];
let folder: string;
let vcloud: ScriptedVcloud;
let at = 1_000_000;
const clock = { now: () => at, monotonic: () => at };

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'vcx-bindings-'));
  vcloud = createScriptedVcloud();
});
afterEach(async () => {
  for (const opened of stack.splice(0).toReversed()) await opened[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true });
});

const grant: Grant = {
  plugin: 'backup',
  version: '1.0.0',
  org: `urn:vcloud:org:${ACME_ID}`,
  user: 'urn:vcloud:user:80000000-0000-4000-8000-000000000001',
  callId: 'call-1',
};

type Answer = { ok: boolean; value?: unknown; code?: string; message?: string };

/** One host with its bindings; several share the file, as after a restart. */
function openHost(options: Partial<VcloudBindingsOptions> = {}) {
  const database = openDatabase(join(folder, 'vcx.sqlite'));
  const openTasks = createSqliteOpenTasks(database);
  const bindings = openVcloudBindings({
    client: vcloud.client,
    openTasks,
    namespaceOf: (plugin) => (plugin === 'backup' ? 'org.example.vcd.backup' : null),
    log: silentLog,
    clock,
    ...options,
  });
  const close = async () => database.close();
  stack.push({ [Symbol.asyncDispose]: close }, bindings);
  const registry = createRegistry(bindings.bindings, { log: silentLog, metrics: createMetrics() });
  const granted = ['tasks', 'events', 'vcloud'];
  const over = new AbortController();
  async function call(binding: string, method: string, args: unknown, by: Partial<Grant> = {}) {
    const wanted = { binding, method, argsJson: JSON.stringify(args) };
    const text = await registry.serve(granted, { ...grant, ...by }, wanted, over.signal);
    return JSON.parse(text) as Answer;
  }
  return { bindings, openTasks, call, endCall: () => over.abort() };
}

const WISH = { operation: 'Backing up web', details: 'begun' };
const taskOf = (answer: Answer) => answer.value as { id: string; xml: string; json: string };
const stateOf = (id: string) => {
  const { status, Progress, Details, Error: error } = vcloud.tasks.get(id) ?? {};
  return { status, Progress, Details, message: error?.message };
};
const down = () => ({ status: 503, body: '' });

describe('tasks', () => {
  test('a task is created for the caller, told about, completed, and nothing is left', async () => {
    const { call, openTasks } = openHost();
    const created = await call('tasks', 'create', [WISH]);
    expect(created).toMatchObject({ ok: true });
    const { id, xml, json } = taskOf(created);
    const document = decodeXml('Task', xml);
    expect(document).toMatchObject({
      status: 'running',
      operation: 'Backing up web',
      operationName: 'backup',
      serviceNamespace: 'org.example.vcd.backup',
      Owner: { href: `${ORIGIN}/api/org/${ACME_ID}` },
      User: { href: `${ORIGIN}/api/admin/user/80000000-0000-4000-8000-000000000001` },
      Progress: 0,
    });
    expect(JSON.parse(json)).toMatchObject({ status: 'running', progress: 0, details: 'begun' });
    expect(await openTasks.count()).toBe(1);
    const changed = await call('tasks', 'update', [{ id, progress: 40, details: 'half' }]);
    expect(changed).toEqual({ ok: true, value: { cancelRequested: false } });
    expect(stateOf(id)).toMatchObject({ status: 'running', Progress: 40, Details: 'half' });
    await call('tasks', 'complete', [{ id }]);
    expect(stateOf(id)).toMatchObject({ status: 'success', Progress: 100, Details: 'half' });
    expect(await openTasks.count()).toBe(0);
    expect(await call('tasks', 'complete', [{ id }])).toMatchObject({ code: 'TASK_OVER' });
  });

  test('the host knows of a task before vCloud does', async () => {
    const { call, openTasks } = openHost();
    let known = -1;
    vcloud.intercept(({ method, path }) => {
      if (method === 'POST' && path.includes('tasksList'))
        void openTasks.count().then((count) => (known = count));
      return null;
    });
    await call('tasks', 'create', [WISH]);
    expect(known).toBe(1);
  });

  test('a call that ends leaves no running task', async () => {
    const { call, endCall, openTasks } = openHost();
    const { id } = taskOf(await call('tasks', 'create', [WISH]));
    endCall();
    await waitFor(() => stateOf(id).status === 'error');
    expect(stateOf(id).message).toContain('ended without saying how');
    expect(await openTasks.count()).toBe(0);
    const late = taskOf(await call('tasks', 'create', [WISH]));
    await waitFor(() => stateOf(late.id).status === 'error');
  });

  test('a host that dies leaves its tasks to the next one', async () => {
    const dead = openHost();
    const { id } = taskOf(await dead.call('tasks', 'create', [WISH]));
    const next = openHost();
    await next.bindings.sweep();
    expect(stateOf(id).status).toBe('running');
    // The dead one renews no lease any more; here, because its clock never runs.
    at += 15_001;
    await next.bindings.sweep();
    expect(stateOf(id)).toMatchObject({
      status: 'error',
      message: 'the host that worked on it ended before the work was done',
    });
    expect(await next.openTasks.count()).toBe(0);
  });

  test('a task whose address was never learned is found and ended', async () => {
    const { call, bindings, openTasks } = openHost();
    vcloud.intercept(({ method, path, body }) => {
      if (method !== 'POST' || !path.includes('tasksList')) return null;
      vcloud.intercept(() => null);
      void vcloud.client.request('POST', path, { body });
      return down();
    });
    expect(await call('tasks', 'create', [WISH])).toEqual({
      ok: false,
      code: 'VCLOUD_UNAVAILABLE',
      message: 'vCloud did not answer',
    });
    const [id = ''] = vcloud.tasks.keys();
    expect(stateOf(id).status).toBe('running');
    await bindings.sweep();
    expect([stateOf(id).status, await openTasks.count()]).toEqual(['error', 0]);
  });

  test('work that was done is told as done, however long vCloud is away', async () => {
    const { call, bindings, openTasks } = openHost();
    const { id } = taskOf(await call('tasks', 'create', [WISH]));
    vcloud.intercept(down);
    expect(await call('tasks', 'complete', [{ id, message: 'all there' }])).toMatchObject({
      ok: true,
    });
    await bindings.sweep();
    expect([stateOf(id).status, await openTasks.count()]).toEqual(['running', 1]);
    vcloud.intercept(() => null);
    at += 20_000;
    await bindings.sweep();
    expect([stateOf(id).status, await openTasks.count()]).toEqual(['success', 0]);
  });

  test('a task that was ended in vCloud is over for the plug-in too', async () => {
    const { call, openTasks } = openHost();
    const { id } = taskOf(await call('tasks', 'create', [WISH]));
    vcloud.tasks.set(id, { ...vcloud.tasks.get(id), status: 'aborted' });
    expect(await call('tasks', 'update', [{ id, progress: 1 }])).toMatchObject({
      code: 'TASK_OVER',
    });
    expect([stateOf(id).status, await openTasks.count()]).toEqual(['aborted', 0]);
  });

  test('a wish to cancel is seen', async () => {
    const { call } = openHost();
    const { id } = taskOf(await call('tasks', 'create', [WISH]));
    vcloud.tasks.set(id, { ...vcloud.tasks.get(id), cancelRequested: true });
    const seen = await call('tasks', 'update', [{ id, progress: 1 }]);
    expect(seen.value).toEqual({ cancelRequested: true });
    await call('tasks', 'fail', [{ id, message: 'cancelled' }]);
    expect(stateOf(id)).toMatchObject({ status: 'error', message: 'cancelled' });
  });

  test.each([
    ['another call', { callId: 'call-2' }],
    ['another org', { org: `urn:vcloud:org:${GLOBEX_ID}` }],
    ['another plug-in', { plugin: 'other' }],
  ])('%s can not touch it', async (_, by) => {
    const { call } = openHost();
    const { id } = taskOf(await call('tasks', 'create', [WISH]));
    for (const method of ['update', 'complete', 'fail'])
      expect(await call('tasks', method, [{ id, message: 'x' }], by)).toMatchObject({
        code: 'TASK_OVER',
      });
    expect(stateOf(id).status).toBe('running');
  });

  test("an owner must be the calling org's", async () => {
    const { call } = openHost();
    const at = (id: string) => ({ ...WISH, owner: `/api/vApp/vapp-${id}` });
    expect(await call('tasks', 'create', [at(vcloud.vApps.acme)])).toMatchObject({ ok: true });
    for (const owner of [
      at(vcloud.vApps.globex).owner,
      `urn:vcloud:vapp:${vcloud.vApps.globex}`,
      'x',
    ])
      expect(await call('tasks', 'create', [{ ...WISH, owner }])).toMatchObject({
        code: 'VCLOUD_OUT_OF_SCOPE',
      });
    expect(vcloud.tasks.size).toBe(1);
  });

  test.each([
    ['no operation', [{}]],
    ['nothing', []],
    ['an operation of 300 characters', [{ operation: 'x'.repeat(300) }]],
    ['a number', [7]],
  ])('%s is refused', async (_, args) => {
    const { call } = openHost();
    expect(await call('tasks', 'create', args)).toMatchObject({ code: 'BINDING_ARGUMENT' });
  });

  test('a call has a bounded number of them, and a plug-in a bounded rate', async () => {
    const { call } = openHost({ burst: 1_000 });
    for (let n = 0; n < 16; n += 1) await call('tasks', 'create', [WISH]);
    expect(await call('tasks', 'create', [WISH])).toMatchObject({ code: 'BINDING_ARGUMENT' });
    const slow = openHost({ burst: 1, requestsPerSecond: 1 });
    await slow.call('tasks', 'create', [WISH], { callId: 'other' });
    expect(await slow.call('tasks', 'create', [WISH], { callId: 'other' })).toMatchObject({
      code: 'VCLOUD_RATE_EXCEEDED',
    });
  });

  test('an org that uses up the rate of a plug-in leaves some of it to others', async () => {
    const { call } = openHost({ burst: 8, requestsPerSecond: 1 });
    const greedy: unknown[] = [];
    for (let n = 0; n < 9; n += 1) greedy.push((await call('tasks', 'create', [WISH])).ok);
    expect(greedy).toEqual([true, true, true, true, true, false, false, false, false]);
    const quiet = { org: 'urn:vcloud:org:90000000-0000-4000-8000-000000000009', callId: 'other' };
    expect(await call('tasks', 'create', [WISH], quiet)).not.toMatchObject({
      code: 'VCLOUD_RATE_EXCEEDED',
    });
    at += 2_000;
    expect(await call('tasks', 'create', [WISH])).toMatchObject({ ok: true });
  });

  test('texts that XML can not hold do not fail', async () => {
    const { call } = openHost();
    const created = await call('tasks', 'create', [{ operation: 'a\u0000<&>"' }]);
    expect(decodeXml('Task', taskOf(created).xml).operation).toBe('a\uFFFD<&>"');
  });

  test('without a vCloud every call is refused by code', async () => {
    const { call } = openHost({ client: null });
    expect(await call('tasks', 'create', [WISH])).toMatchObject({ code: 'VCLOUD_UNAVAILABLE' });
  });
});

describe('events', () => {
  test('an event goes to the org of the caller, in its name', async () => {
    const { call } = openHost();
    const event = { type: 'org/example/backup/create', properties: { size: '1 <GB>' } };
    expect(await call('events', 'emit', [event])).toEqual({ ok: true, value: null });
    expect(vcloud.sent.at(-1)?.path).toBe(`${ORIGIN}/api/admin/org/${ACME_ID}/events`);
    expect(decodeXml('Event', vcloud.events[0] ?? '')).toMatchObject({
      type: 'org/example/backup/create',
      serviceNamespace: 'org.example.vcd.backup',
      success: true,
      User: { href: `${ORIGIN}/api/admin/user/80000000-0000-4000-8000-000000000001` },
      EventProperties: { EventProperty: [{ name: 'size', value: '1 <GB>' }] },
    });
  });

  test.each([
    ["vCloud's own type", { type: 'com/vmware/vcloud/event/vm/delete' }, 'BINDING_ARGUMENT'],
    ['no type', {}, 'BINDING_ARGUMENT'],
    ['a foreign owner', { type: 'a/b', owner: `/api/org/${GLOBEX_ID}` }, 'VCLOUD_OUT_OF_SCOPE'],
  ])('%s is refused', async (_, event, code) => {
    const { call } = openHost();
    expect(await call('events', 'emit', [event])).toMatchObject({ code });
    expect(vcloud.events).toEqual([]);
  });
});

describe('env.vcloud', () => {
  const own = () => `/api/vApp/vapp-${vcloud.vApps.acme}`;
  const foreign = () => `/api/vApp/vapp-${vcloud.vApps.globex}`;
  const read = (answer: Answer) =>
    answer.value as { status: number; headers: string[][]; body: string };

  test("reads the calling org's objects, in its context, without cookies", async () => {
    const { call } = openHost();
    const answer = read(await call('vcloud', 'request', ['GET', own()]));
    expect([answer.status, answer.headers]).toEqual([200, [['content-type', 'application/*+xml']]]);
    expect(answer.body).toContain('ours');
    for (const { headers } of vcloud.sent)
      expect(headers['x-vmware-vcloud-tenant-context']).toBe(ACME_ID);
  });

  /** What a plug-in may try to read or change what is another org's. */
  const attempts: [string, (own: string, foreign: string, id: string) => unknown[]][] = [
    ['by its path', (_, foreign) => ['GET', foreign]],
    [
      'with capital letters',
      (_, foreign) => ['GET', foreign.toUpperCase().replace('/API/VAPP/VAPP', '/api/vApp/vapp')],
    ],
    ['by a full address', (_, foreign) => ['GET', `${ORIGIN}${foreign}`]],
    ['at another host', (_, foreign) => ['GET', `https://evil.example.com${foreign}`]],
    ['behind dots', (own, foreign) => ['GET', `${own}/../..${foreign.slice(4)}`]],
    ['behind escaped dots', (own, foreign) => ['GET', `${own}/%2e%2e/${foreign.slice(5)}`]],
    ['behind an escaped slash', (own, foreign) => ['GET', `${own}%2f..%2f${foreign}`]],
    ['with a parameter', (_, foreign) => ['GET', `${foreign};x=1`]],
    ['twice escaped', (_, foreign) => ['GET', foreign.replace('vapp-', 'vapp%252d')]],
    ['in the rest of an own path', (own, _, id) => ['GET', `${own}/networks/${id}`]],
    ['in the query', (own, foreign) => ['GET', `${own}?source=${foreign}`]],
    ['in the query, bare', (own, _, id) => ['GET', `${own}?id=${id}`]],
    ['in the query, escaped', (own, _, id) => ['GET', `${own}?id=%37${id.slice(1)}`]],
    [
      'in XML',
      (own, foreign) => [
        'POST',
        own,
        { body: `<A><Source href="${ORIGIN}${foreign}"/></A>`, type: 'application/xml' },
      ],
    ],
    [
      'in XML, bare',
      (own, _, id) => ['POST', own, { body: `<A>${id}</A>`, type: 'application/xml' }],
    ],
    [
      'in XML, by references',
      (own, foreign) => [
        'POST',
        own,
        { body: `<A h="${foreign.replace('-', '&#45;')}"/>`, type: 'application/xml' },
      ],
    ],
    [
      'in XML, cut by a comment',
      (own, _, id) => [
        'POST',
        own,
        { body: `<A>${id.slice(0, 9)}<!-- -->${id.slice(9)}</A>`, type: 'application/xml' },
      ],
    ],
    [
      'in XML, by an entity',
      (own, foreign) => [
        'POST',
        own,
        { body: `<!DOCTYPE a [<!ENTITY e "${foreign}">]><A>&e;</A>`, type: 'application/xml' },
      ],
    ],
    [
      'in XML of another encoding',
      (own, foreign) => [
        'POST',
        own,
        {
          body: `<?xml version="1.0" encoding="UTF-7"?><A>${foreign}</A>`,
          type: 'application/xml',
        },
      ],
    ],
    [
      'in XML, escaped in the address',
      (own, foreign) => [
        'POST',
        own,
        {
          body: `<A h="${foreign.replace('-', '%2D').replace('vapp%2D', 'vapp-')}"/>`,
          type: 'application/xml',
        },
      ],
    ],
    [
      'in JSON',
      (own, foreign) => [
        'POST',
        own,
        { body: JSON.stringify({ a: [{ href: foreign }] }), type: 'application/json' },
      ],
    ],
    [
      'in JSON, as a key',
      (own, _, id) => [
        'POST',
        own,
        { body: JSON.stringify({ [id]: 1 }), type: 'application/json' },
      ],
    ],
    [
      'in JSON, as a URN',
      (own, _, id) => [
        'POST',
        own,
        { body: JSON.stringify({ id: `urn:vcloud:vapp:${id}` }), type: 'application/json' },
      ],
    ],
    [
      'in JSON, by escapes',
      (own, _, id) => [
        'POST',
        own,
        {
          body: `{"id":"\\u00${id.charCodeAt(0).toString(16)}${id.slice(1)}"}`,
          type: 'application/json',
        },
      ],
    ],
    [
      'in a form',
      (own, _, id) => [
        'POST',
        own,
        { body: `id=${id}`, type: 'application/x-www-form-urlencoded' },
      ],
    ],
    ['by its org', () => ['GET', `/api/org/${GLOBEX_ID}`]],
    ['by its list of tasks', () => ['GET', `/api/tasksList/${GLOBEX_ID}`]],
    ['through the admin view', () => ['GET', `/api/admin/org/${GLOBEX_ID}`]],
    ['through the list of orgs', () => ['GET', '/api/org']],
    ['through a query', () => ['GET', '/api/query?type=adminVApp']],
    ['through the resolver', (_, __, id) => ['GET', `/api/entity/urn:vcloud:vapp:${id}`]],
    ['through the cloudapi', () => ['GET', '/cloudapi/1.0.0/orgs']],
    ['through the registration', () => ['GET', '/api/admin/extension/service']],
    ['through the session', () => ['GET', '/api/session']],
    ['by the console ticket of its own', (own) => ['POST', `${own}/screen/action/acquireTicket`]],
  ];

  test.each(attempts)("another org's object is not reached %s", async (_, attempt) => {
    const { call } = openHost();
    const args = attempt(own(), foreign(), vcloud.vApps.globex);
    const answer = await call('vcloud', 'request', args);
    expect(answer.code).toMatch(/^(?:VCLOUD_OUT_OF_SCOPE|BINDING_ARGUMENT)$/);
    expect(JSON.stringify(answer)).not.toContain(SECRET);
    // Looking whose it is is all that was sent.
    expect(vcloud.sent.filter(({ method }) => method !== 'GET')).toEqual([]);
  });

  test('what refers to own objects goes through', async () => {
    const { call } = openHost();
    const body = `<A org="${ACME_ID}"><Source href="${ORIGIN}${own()}"/></A>`;
    const options = { body, type: 'application/vnd.vmware.vcloud.x+xml' };
    await call('vcloud', 'request', ['POST', `${own()}/action/x`, options]);
    expect(vcloud.sent.at(-1)).toMatchObject({ method: 'POST', path: `${own()}/action/x`, body });
  });

  test('templates reach further once the operator approved them, and never to sessions', async () => {
    const paths = [
      'GET /api/admin/org/{org}',
      'GET /api/admin/vApp/vapp-{id}',
      'GET /api/vApp/{any}',
      'GET /api/session',
    ];
    const { call } = openHost({ approved: () => paths });
    const get = (path: string) => call('vcloud', 'request', ['GET', path]);
    expect((await get(`/api/admin/org/${ACME_ID}`)).ok).toBe(true);
    expect((await get(`/api/admin/org/${GLOBEX_ID}`)).code).toBe('VCLOUD_OUT_OF_SCOPE');
    expect((await get(`/api/admin/vApp/vapp-${vcloud.vApps.globex}`)).code).toBe(
      'VCLOUD_OUT_OF_SCOPE',
    );
    expect((await get(foreign())).ok).toBe(true);
    expect((await get('/api/session')).code).toBe('VCLOUD_OUT_OF_SCOPE');
    expect((await call('vcloud', 'request', ['DELETE', foreign()])).code).toBe(
      'VCLOUD_OUT_OF_SCOPE',
    );
  });

  test('a query gives the records of the calling org, whatever the cell answers', async () => {
    const { call } = openHost();
    const answer = await call('vcloud', 'query', ['vApp', { filter: 'name==w*' }]);
    expect(answer.value).toMatchObject({ records: [{ name: 'web' }], total: null });
    expect(JSON.stringify(answer)).not.toContain(SECRET);
    const path = decodeURIComponent(vcloud.sent.at(-1)?.path ?? '');
    expect(path).toContain('type=adminVApp&');
    expect(path).toContain(`filter=(name==w*);org==${ORIGIN}/api/org/${ACME_ID}`);
  });

  test.each(['a==b),(org==x', 'a==b)', '((a==b)', 'a==b&type=adminOrg', 'a==%29'])(
    'a filter that reaches out of its brackets is refused: %s',
    async (filter) => {
      const { call } = openHost();
      expect(await call('vcloud', 'query', ['vApp', { filter }])).toMatchObject({
        code: 'BINDING_ARGUMENT',
      });
    },
  );

  test('errors come without stack traces, redirects and large answers not at all', async () => {
    const { call } = openHost();
    await call('vcloud', 'request', ['GET', own()]);
    const error = `<Error xmlns="http://www.vmware.com/vcloud/v1.5" message="no" majorErrorCode="400" minorErrorCode="BAD_REQUEST" stackTrace="at com.vmware.Secret"/>`;
    vcloud.intercept(() => ({ status: 400, body: error }));
    const refused = read(await call('vcloud', 'request', ['GET', own()]));
    expect(refused.status).toBe(400);
    expect(refused.body).toContain('BAD_REQUEST');
    expect(refused.body).not.toContain('com.vmware.Secret');
    vcloud.intercept(() => ({ status: 302, body: '' }));
    expect(await call('vcloud', 'request', ['GET', own()])).toMatchObject({ ok: false });
    vcloud.intercept(() => ({ status: 200, body: 'x'.repeat(600_000) }));
    expect(await call('vcloud', 'request', ['GET', own()])).toMatchObject({
      code: 'VCLOUD_ANSWER_TOO_LARGE',
    });
  });

  test('a plug-in that asks too much is stopped, and only it', async () => {
    const { call } = openHost({ burst: 3, requestsPerSecond: 1 });
    const ask = (plugin: string) => call('vcloud', 'request', ['GET', own()], { plugin });
    const codes: (string | undefined)[] = [];
    for (let n = 0; n < 4; n += 1) codes.push((await ask('backup')).code);
    expect(codes.at(-1)).toBe('VCLOUD_RATE_EXCEEDED');
    expect((await ask('other')).ok).toBe(true);
  });
});
