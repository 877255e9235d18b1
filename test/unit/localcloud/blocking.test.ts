/** Blocking tasks of the simulated cell, from the settings to the end, and the vApps they hold. */
import { describe, expect, test } from 'vitest';

import { advance } from '../../../sdk/localcloud/cell/work/advance.ts';
import {
  type Answer,
  BASE,
  type Cloud,
  HEAD,
  child,
  children,
  createCloud,
  hrefOf,
  links,
} from './kit.ts';

const EXTENSION = '/api/admin/extension';
const SETTINGS = `${EXTENSION}/settings/blockingTask`;
const DAY_MS = 86_400_000;
/** A point in time at which every operation has ended. */
const later = (cloud: Cloud) => Date.now() + cloud.store.operationMs + 1;

const listOf = (inner: string) =>
  `<vmext:BlockingTaskOperations ${HEAD}>${inner}</vmext:BlockingTaskOperations>`;
const typed = (name: string, category = '') =>
  `<TaskOperationType>${category}<Operation>${name}</Operation></TaskOperationType>`;
const settings = (action: string, ms: number | string, ...names: string[]) =>
  `<vmext:BlockingTaskSettings ${HEAD}><vmext:TimeoutAction>${action}</vmext:TimeoutAction>${listOf(names.map((name) => typed(name)).join(''))}<vmext:TimeoutInMilliseconds>${ms}</vmext:TimeoutInMilliseconds></vmext:BlockingTaskSettings>`;

const ALL = ['vdcInstantiateVapp', 'vdcUpdateVapp', 'vdcDeleteVapp'];
const hold = (cloud: Cloud, action = 'abort', ms = DAY_MS) =>
  cloud.expectCall(200, `PUT ${SETTINGS}`, { body: settings(action, ms, ...ALL) });

const vdcOf = (cloud: Cloud, org = 'acme') =>
  [...cloud.store.vdcs.values()].find((vdc) => vdc.org.name === org)?.id ?? '';
const vAppsOf = (cloud: Cloud, org = 'acme') =>
  [...cloud.store.vApps.values()].filter((vApp) => vApp.org.name === org);

const PARAMS = `<InstantiateVAppTemplateParams ${HEAD} name="shop" deploy="false" powerOn="false"><Description>d</Description><Source href="${BASE}/api/vAppTemplate/vappTemplate-1"/></InstantiateVAppTemplateParams>`;

interface Made {
  readonly vApp: string;
  readonly task: string;
  readonly answer: Answer;
}

async function instantiate(cloud: Cloud): Promise<Made> {
  const as = cloud.user('alice');
  const path = `/api/vdc/${vdcOf(cloud)}/action/instantiateVAppTemplate`;
  const answer = await cloud.expectCall(201, `POST ${path}`, { as, body: PARAMS });
  const task = child(child(answer.xml, 'Tasks'), 'Task').attributes['href'] ?? '';
  return { vApp: hrefOf(answer), task: task.replace(BASE, ''), answer };
}

/** Path of the only blocking task that waits. */
async function blockingOf(cloud: Cloud): Promise<string> {
  const { xml } = await cloud.expectCall(200, `GET ${EXTENSION}/blockingTasks`);
  expect(children(xml, 'Reference')).toHaveLength(1);
  return child(xml, 'Reference').attributes['href']?.replace(BASE, '') ?? '';
}

const MEDIA = 'application/vnd.vmware.admin.blockingTaskOperationParams+xml';
const PROGRESS = 'application/vnd.vmware.admin.blockingTaskUpdateProgressOperationParams+xml';
const word = (message: string) =>
  `<BlockingTaskOperationParams xmlns="http://www.vmware.com/vcloud/extension/v1.5"><Message>${message}</Message></BlockingTaskOperationParams>`;
const act = (cloud: Cloud, path: string, action: string, type = MEDIA) =>
  cloud.call(`POST ${path}/action/${action}`, {
    body: word(`because ${action}`),
    headers: { 'Content-Type': type },
  });
const statusOf = async (cloud: Cloud, path: string) =>
  (await cloud.call(`GET ${path}`)).xml.attributes['status'];
const types = (cloud: Cloud) =>
  cloud.notices
    .splice(0)
    .map(({ type, success }) => `${type.split('/').slice(4).join('/')}${success ? '' : ' failed'}`);

describe('the settings of blocking tasks', () => {
  test('hold nothing at first, and keep what they are given', async () => {
    const cloud = createCloud();
    const first = (await cloud.expectCall(200, `GET ${SETTINGS}`)).xml;
    expect(children(child(first, 'BlockingTaskOperations'), 'TaskOperationType')).toEqual([]);
    const body = settings('fail', 5_000, 'vdcUploadMedia');
    const { xml } = await cloud.expectCall(200, `PUT ${SETTINGS}`, { body });
    expect(child(xml, 'TimeoutAction').text).toBe('fail');
    expect(child(xml, 'TimeoutInMilliseconds').text).toBe('5000');
    expect(cloud.store.settings.blocking).toEqual({
      timeoutAction: 'fail',
      timeoutMs: 5_000,
      operations: [{ name: 'vdcUploadMedia' }],
    });
  });

  test('take operations with a category, or bare ones from documents older than 33.0', async () => {
    const cloud = createCloud();
    const put = (inner: string, type = 'application/*+xml') =>
      cloud.call(`PUT ${SETTINGS}/operations`, {
        body: listOf(inner),
        headers: { 'Content-Type': type },
      });
    const bare = '<Operation>vdcInstantiateVapp</Operation>';
    const answer = await put(typed('vdcInstantiateVapp', '<Category>vdc</Category>'));
    const shown = child(answer.xml, 'TaskOperationType');
    expect(shown.children.map(({ name, text }) => [name, text])).toEqual([
      ['Category', 'vdc'],
      ['Operation', 'vdcInstantiateVapp'],
    ]);
    expect((await put(bare)).status).toBe(400);
    const old = 'application/vnd.vmware.admin.taskOperationList+xml;version=32.0';
    expect((await put(bare, old)).status).toBe(200);
    expect(cloud.store.settings.blocking.operations).toEqual([{ name: 'vdcInstantiateVapp' }]);
    expect((await put(typed('a') + typed('a'))).status).toBe(400);
    expect((await put(typed(' '))).status).toBe(400);
    expect((await put('')).status).toBe(200);
    expect(cloud.store.settings.blocking.operations).toEqual([]);
  });

  test.each([
    ['another action', settings('wait', 1)],
    ['a negative time', settings('abort', -1)],
    ['no time', settings('abort', 'soon')],
  ])('refuse %s', async (_, body) => {
    expect((await createCloud().call(`PUT ${SETTINGS}`, { body })).status).toBe(400);
  });

  test('speak JSON as well', async () => {
    const cloud = createCloud();
    const body = JSON.stringify({
      timeoutAction: 'resume',
      blockingTaskOperations: { taskOperationType: [{ category: null, operation: 'x' }] },
      timeoutInMilliseconds: 7,
    });
    const { json } = await cloud.expectCall(200, `PUT ${SETTINGS}`, { body, json: true });
    expect(json).toMatchObject({ timeoutAction: 'resume', timeoutInMilliseconds: 7 });
    expect(json['blockingTaskOperations']).toMatchObject({
      taskOperationType: [{ operation: 'x' }],
    });
  });
});

describe('an operation that nobody holds', () => {
  test('makes a vApp under a running task, and says so at each step', async () => {
    const cloud = createCloud();
    const { vApp, task, answer } = await instantiate(cloud);
    expect(answer.xml.attributes).toMatchObject({ name: 'shop', status: '0' });
    expect(answer.headers.get('location')).toBe(`${BASE}${vApp}`);
    expect(await statusOf(cloud, task)).toBe('running');
    const busy = await cloud.call(`DELETE ${vApp}`);
    expect([busy.status, busy.xml.attributes['minorErrorCode']]).toEqual([400, 'BUSY_ENTITY']);
    advance(cloud.store, later(cloud));
    expect(await statusOf(cloud, task)).toBe('success');
    expect(await statusOf(cloud, vApp)).toBe('8');
    expect(types(cloud)).toEqual([
      'task/create',
      'vapp/create_request',
      'task/start',
      'vapp/create',
      'task/complete',
    ]);
  });

  test('renames a vApp and deletes it, each with 202 and a task', async () => {
    const cloud = createCloud();
    const as = cloud.user('alice');
    const path = `/api/vApp/vapp-${vAppsOf(cloud)[0]?.id}`;
    const body = `<VApp ${HEAD} name="renamed"/>`;
    await cloud.expectCall(202, `PUT ${path}`, { as, body });
    advance(cloud.store, later(cloud));
    expect((await cloud.call(`GET ${path}`, { as })).xml.attributes['name']).toBe('renamed');
    const deleting = await cloud.expectCall(202, `DELETE ${path}`, { as });
    expect(deleting.xml.attributes).toMatchObject({ operationName: 'vdcDeleteVapp' });
    advance(cloud.store, later(cloud));
    expect((await cloud.call(`GET ${path}`, { as })).status).toBe(404);
    expect(types(cloud)).toEqual(
      ['modify', 'delete'].flatMap((verb) => [
        'task/create',
        `vapp/${verb}_request`,
        'task/start',
        `vapp/${verb}`,
        'task/complete',
      ]),
    );
  });

  test('is counted among the vApps of its org from the beginning', async () => {
    const cloud = createCloud();
    await instantiate(cloud);
    const counted = async (query: string, options: object = {}) =>
      (await cloud.expectCall(200, `GET /api/query?${query}`, options)).xml;
    const own = await counted('type=vApp', { as: cloud.user('bob') });
    expect(own.attributes['total']).toBe('3');
    expect(children(own, 'VAppRecord').at(-1)?.attributes).toMatchObject({
      status: 'UNRESOLVED',
      isBusy: 'true',
      vdcName: 'acme-vdc',
    });
    const org = cloud.org('acme').id;
    const filter = `type=adminVApp&filter=org==${org}&pageSize=1`;
    expect((await counted(filter)).attributes['total']).toBe('3');
    const [vdc] = children(await counted('type=adminOrgVdc'), 'AdminVdcRecord');
    expect(vdc?.attributes).toMatchObject({ orgName: 'acme', numberOfVApps: '3' });
  });

  test('is for members of the org only, and wants a name and a template', async () => {
    const cloud = createCloud();
    const path = `POST /api/vdc/${vdcOf(cloud)}/action/instantiateVAppTemplate`;
    const stranger = { as: cloud.user('alice', 'globex'), body: PARAMS };
    expect((await cloud.call(path, stranger)).status).toBe(403);
    for (const body of [PARAMS.replace('name="shop"', ''), PARAMS.replace(/<Source.*\/>/, '')])
      expect((await cloud.call(path, { body })).status).toBe(400);
    expect(vAppsOf(cloud)).toHaveLength(2);
  });

  test('has a task that nobody else may end', async () => {
    const cloud = createCloud();
    const { task } = await instantiate(cloud);
    const body = `<Task ${HEAD} name="task" status="success" serviceNamespace="com.vmware.vcloud"/>`;
    expect((await cloud.call(`PUT ${task}`, { body })).status).toBe(400);
  });
});

describe('a blocking task', () => {
  test('holds the operation, and shows what it holds and what can be done', async () => {
    const cloud = createCloud();
    await hold(cloud, 'fail', DAY_MS);
    const { task, vApp } = await instantiate(cloud);
    advance(cloud.store, later(cloud));
    expect(await statusOf(cloud, task)).toBe('preRunning');
    const path = await blockingOf(cloud);
    const { xml, headers } = await cloud.expectCall(200, `GET ${path}`);
    expect(headers.get('content-type')).toMatch(
      /^application\/vnd\.vmware\.admin\.blockingTask\+xml/,
    );
    expect(xml.attributes).toMatchObject({
      name: 'vdcInstantiateVapp',
      status: 'active',
      timeoutAction: 'fail',
    });
    const [from, to] = ['createdTime', 'timeoutDate'].map((name) =>
      Date.parse(xml.attributes[name] ?? ''),
    );
    expect((to ?? 0) - (from ?? 0)).toBe(DAY_MS);
    expect(links(xml)).toEqual([
      ...['resume', 'abort', 'fail', 'updateProgress'].map(
        (action) => `${action} ${path}/action/${action}`,
      ),
      `task ${task}`,
      `up ${EXTENSION}`,
    ]);
    const names = xml.children.filter(({ name }) => name !== 'Link');
    expect(names.map(({ name, attributes }) => [name, attributes['name']])).toEqual([
      ['Organization', 'acme'],
      ['User', 'alice'],
      ['TaskOwner', 'shop'],
    ]);
    expect(child(xml, 'TaskOwner').attributes['href']).toBe(`${BASE}${vApp}`);
    expect(types(cloud)).toEqual(['task/create', 'vapp/create_request', 'blockingtask/create']);
  });

  test('that is resumed lets the operation run to its end', async () => {
    const cloud = createCloud();
    await hold(cloud);
    const { vApp, task } = await instantiate(cloud);
    const path = await blockingOf(cloud);
    expect((await act(cloud, path, 'resume')).status).toBe(204);
    const running = await cloud.call(`GET ${task}`);
    expect(running.xml.attributes['status']).toBe('running');
    expect(child(running.xml, 'Details').text).toBe('because resume');
    advance(cloud.store, later(cloud));
    expect([await statusOf(cloud, task), await statusOf(cloud, vApp)]).toEqual(['success', '8']);
    expect(types(cloud).slice(3)).toEqual([
      'blockingtask/resume',
      'task/start',
      'vapp/create',
      'task/complete',
    ]);
  });

  test('that is aborted takes away what was being made', async () => {
    const cloud = createCloud();
    await hold(cloud);
    const { vApp, task } = await instantiate(cloud);
    expect((await act(cloud, await blockingOf(cloud), 'abort')).status).toBe(204);
    const { xml } = await cloud.call(`GET ${task}`);
    expect(xml.attributes['status']).toBe('aborted');
    expect(child(xml, 'Details').text).toBe('because abort');
    expect((await cloud.call(`GET ${vApp}`)).status).toBe(404);
    expect(types(cloud).slice(3)).toEqual(['blockingtask/abort', 'task/abort failed']);
  });

  test('that is failed leaves an error on the task and on what was being made', async () => {
    const cloud = createCloud();
    await hold(cloud);
    const { vApp, task } = await instantiate(cloud);
    expect((await act(cloud, await blockingOf(cloud), 'fail')).status).toBe(204);
    const { xml } = await cloud.call(`GET ${task}`);
    expect(xml.attributes['status']).toBe('error');
    expect(child(xml, 'Error').attributes['message']).toBe('because fail');
    expect(await statusOf(cloud, vApp)).toBe('-1');
    expect(types(cloud).slice(3)).toEqual(['blockingtask/fail', 'task/fail failed']);
  });

  test('of a deletion that is aborted or failed leaves the vApp as it was', async () => {
    const cloud = createCloud();
    await hold(cloud);
    const path = `/api/vApp/vapp-${vAppsOf(cloud)[0]?.id}`;
    for (const action of ['abort', 'fail']) {
      await cloud.expectCall(202, `DELETE ${path}`);
      await act(cloud, await blockingOf(cloud), action);
      expect(await statusOf(cloud, path)).toBe('8');
    }
  });

  test('can be acted upon once', async () => {
    const cloud = createCloud();
    await hold(cloud);
    await instantiate(cloud);
    const path = await blockingOf(cloud);
    expect((await act(cloud, path, 'resume')).status).toBe(204);
    for (const action of ['resume', 'abort', 'fail'])
      expect((await act(cloud, path, action)).status, action).toBe(400);
    expect((await act(cloud, path, 'updateProgress', PROGRESS)).status).toBe(400);
    const { xml } = await cloud.expectCall(200, `GET ${path}`);
    expect(xml.attributes['status']).toBe('resumed');
    expect(links(xml).some((link) => link.includes('/action/'))).toBe(false);
    const list = await cloud.call(`GET ${EXTENSION}/blockingTasks/`);
    expect(children(list.xml, 'Reference')).toEqual([]);
  });

  test('is kept alive by progress with a time, and keeps its time by progress without', async () => {
    const cloud = createCloud();
    await hold(cloud, 'abort', 60_000);
    await instantiate(cloud);
    const path = await blockingOf(cloud);
    const progress = async (inner: string) =>
      cloud.call(`POST ${path}/action/updateProgress`, {
        body: `<BlockingTaskUpdateProgressParams xmlns="http://www.vmware.com/vcloud/extension/v1.5"><Message>m</Message>${inner}</BlockingTaskUpdateProgressParams>`,
        headers: { 'Content-Type': PROGRESS },
      });
    const before = Date.now();
    const time = (ms: number) => `<TimeoutValueInMilliseconds>${ms}</TimeoutValueInMilliseconds>`;
    const longer = await progress(time(600_000));
    expect(longer.status).toBe(200);
    const until = Date.parse(longer.xml.attributes['timeoutDate'] ?? '');
    expect(until).toBeGreaterThanOrEqual(before + 600_000);
    const same = await progress('');
    expect(Date.parse(same.xml.attributes['timeoutDate'] ?? '')).toBe(until);
    expect((await progress(time(-1))).status).toBe(400);
    advance(cloud.store, before + 60_001);
    expect((await cloud.call(`GET ${path}`)).xml.attributes['status']).toBe('active');
  });

  test.each([
    ['resume', 'success', 'resumed'],
    ['abort', 'aborted', 'aborted'],
    ['fail', 'error', 'failed'],
  ])('whose time is out is ended by the action %s', async (action, status, ended) => {
    const cloud = createCloud();
    await hold(cloud, action, 1_000);
    const { task } = await instantiate(cloud);
    const path = await blockingOf(cloud);
    // The settings of the moment it was held count, not those of now.
    await hold(cloud, 'fail', DAY_MS);
    const now = Date.now();
    advance(cloud.store, now + 500);
    expect((await cloud.call(`GET ${path}`)).xml.attributes['status']).toBe('active');
    advance(cloud.store, now + 1_001);
    advance(cloud.store, later(cloud));
    expect(await statusOf(cloud, task)).toBe(status);
    expect((await cloud.call(`GET ${path}`)).xml.attributes['status']).toBe(ended);
    expect((await act(cloud, path, 'resume')).status).toBe(400);
  });

  test('is not for tenants, wants its own documents, and is 404 when it is not there', async () => {
    const cloud = createCloud();
    await hold(cloud);
    await instantiate(cloud);
    const path = await blockingOf(cloud);
    const as = cloud.user('alice');
    expect((await cloud.call(`GET ${path}`, { as })).status).toBe(403);
    expect((await cloud.call(`POST ${path}/action/resume`, { as, body: word('x') })).status).toBe(
      403,
    );
    expect((await act(cloud, path, 'resume', PROGRESS)).status).toBe(415);
    const empty =
      '<BlockingTaskOperationParams xmlns="http://www.vmware.com/vcloud/extension/v1.5"/>';
    expect((await cloud.call(`POST ${path}/action/resume`, { body: empty })).status).toBe(400);
    const nowhere = `${EXTENSION}/blockingTask/${cloud.org('acme').id}`;
    expect((await act(cloud, nowhere, 'resume')).status).toBe(404);
  });

  test('is found by queries and by its URN', async () => {
    const cloud = createCloud();
    await hold(cloud);
    await instantiate(cloud);
    const path = await blockingOf(cloud);
    const urn = (await cloud.call(`GET ${path}`)).xml.attributes['id'];
    const entity = await cloud.expectCall(200, `GET /api/entity/${urn}`);
    expect(links(entity.xml)).toEqual([`alternate ${path}`]);
    const as = cloud.user('alice');
    expect((await cloud.call(`GET /api/entity/${urn}`, { as })).status).toBe(403);
    const vdc = await cloud.expectCall(200, `GET /api/entity/urn:vcloud:vdc:${vdcOf(cloud)}`, {
      as,
    });
    expect(links(vdc.xml)).toEqual([`alternate /api/vdc/${vdcOf(cloud)}`]);
    const query = await cloud.call('GET /api/query?type=blockingTask&filter=status==active');
    expect(child(query.xml, 'BlockingTaskRecord').attributes).toMatchObject({
      operationName: 'vdcInstantiateVapp',
      originatingOrgName: 'acme',
      ownerName: 'alice',
    });
  });
});
