/** Tasks and events of the simulated cell: who makes them, how they end, who sees them. */
import { describe, expect, test } from 'vitest';

import { type Cloud, HEAD, child, children, createCloud, hrefOf, links } from './kit.ts';

const attributes = 'name="task" operation="Backing up" operationName="backup"';
const namespace = 'serviceNamespace="org.example.backup"';
const task = (status: string, inner = '', extra = `${attributes} ${namespace}`) =>
  `<Task ${HEAD} ${extra} status="${status}">${inner}</Task>`;

async function create(cloud: Cloud, inner = '', org = 'acme'): Promise<string> {
  const body = task('running', inner);
  return hrefOf(await cloud.expectCall(200, `POST /api/tasksList/${cloud.org(org).id}`, { body }));
}

describe('a task', () => {
  test('is made in an org’s list with 200, and shows its elements in the schema’s order', async () => {
    const cloud = createCloud();
    const alice = cloud.user('alice');
    const inner = `<Owner href="/api/vApp/vapp-1" name="v" type="application/vnd.vmware.vcloud.vApp+xml"/><User href="/api/admin/user/${alice.id}" name="alice"/><Progress>10</Progress><Params/><Details>d</Details>`;
    const href = await create(cloud, inner);
    const shown = (await cloud.expectCall(200, `GET ${href}`, { as: alice })).xml;
    expect(shown.children.filter(({ name }) => name !== 'Link').map(({ name }) => name)).toEqual(
      'Owner User Organization Progress Params Details'.split(' '),
    );
    expect(shown.attributes).toMatchObject({ status: 'running', cancelRequested: 'false' });
    const list = await cloud.call(`GET /api/tasksList/${alice.org.id}`, { as: cloud.user('bob') });
    expect(children(list.xml, 'Task')).toHaveLength(1);
    const query = 'GET /api/query?type=task&filter=status==running';
    const [record] = children((await cloud.call(query, { as: alice })).xml, 'TaskRecord');
    expect(record?.attributes).toMatchObject({
      name: 'backup',
      progress: '10',
      objectType: 'vapp',
    });
  });

  test('is the provider’s to make and change, and its org’s to see', async () => {
    const cloud = createCloud();
    const href = await create(cloud);
    const as = cloud.user('alice');
    const list = `POST /api/tasksList/${as.org.id}`;
    expect((await cloud.call(list, { as, body: task('running') })).status).toBe(403);
    expect((await cloud.call(`PUT ${href}`, { as, body: task('success') })).status).toBe(403);
    const stranger = { as: cloud.user('alice', 'globex') };
    expect((await cloud.call(`GET ${href}`, stranger)).status).toBe(403);
    expect((await cloud.call(`POST ${href}/action/cancel`, stranger)).status).toBe(403);
    const headers = { 'X-VMWARE-VCLOUD-TENANT-CONTEXT': cloud.org('globex').id };
    expect((await cloud.call(list, { headers, body: task('running') })).status).toBe(403);
    expect((await cloud.call(`PUT ${href}`, { headers, body: task('success') })).status).toBe(403);
  });

  test('goes forward only, and stays as it ended', async () => {
    const cloud = createCloud();
    const href = await create(cloud, '<User href="/api/admin/user/1" name="u"/>');
    const put = async (status: string, inner = '') =>
      cloud.call(`PUT ${href}`, { body: task(status, inner) });
    expect((await put('queued')).status).toBe(400);
    const half = await put('running', '<Progress>50</Progress>');
    expect(child(half.xml, 'Progress').text).toBe('50');
    expect(child(half.xml, 'User').attributes['name']).toBe('u');
    expect((await put('running', '<Progress>101</Progress>')).status).toBe(400);
    expect((await put('done')).status).toBe(400);
    const failed = await put(
      'error',
      '<Error message="m" majorErrorCode="500" minorErrorCode="X"/>',
    );
    expect(failed.xml.attributes['endTime']).toBeDefined();
    expect(links(failed.xml)).toEqual([]);
    for (const status of ['running', 'error', 'success'])
      expect((await put(status)).status, status).toBe(400);
    expect((await cloud.call(`POST ${href}/action/cancel`)).status).toBe(400);
  });

  test('is asked to end by its user, and ended by its service', async () => {
    const cloud = createCloud();
    const [bob, carol] = [cloud.user('bob'), cloud.user('carol')];
    const href = await create(cloud, `<User href="http://x/api/admin/user/${bob.id}"/>`);
    expect((await cloud.call(`POST ${href}/action/cancel`, { as: carol })).status).toBe(403);
    await cloud.expectCall(204, `POST ${href}/action/cancel`, { as: bob });
    const asked = (await cloud.call(`GET ${href}`)).xml.attributes;
    expect(asked).toMatchObject({ cancelRequested: 'true', status: 'running' });
    const ended = await cloud.expectCall(200, `PUT ${href}`, { body: task('canceled') });
    expect(ended.xml.attributes).toMatchObject({ cancelRequested: 'true', status: 'canceled' });
  });

  test.each([
    ['no namespace', task('running', '', attributes)],
    ['vCloud’s own', task('running', '', `${attributes} serviceNamespace="com.vmware.vcloud.x"`)],
    ['a long one', task('running', '', `${attributes} serviceNamespace="${'n'.repeat(129)}"`)],
    ['no status', `<Task ${HEAD} ${attributes} ${namespace}/>`],
    [
      'User before Error',
      task('error', '<User href="x"/><Error message="m" majorErrorCode="1" minorErrorCode="x"/>'),
    ],
    ['User before Owner', task('running', '<User href="x"/><Owner href="x"/>')],
    ['a date that is none', task('running', '', `${attributes} ${namespace} startTime="now"`)],
  ])('with %s is refused', async (_, body) => {
    const cloud = createCloud();
    const answer = await cloud.call(`POST /api/tasksList/${cloud.org('acme').id}`, { body });
    expect(answer.status).toBe(400);
    expect(cloud.store.tasks.size).toBe(0);
  });

  test('posted twice with one operationKey is made once', async () => {
    const cloud = createCloud();
    const body = task('running', '', `${attributes} ${namespace} operationKey="k"`);
    const path = `POST /api/tasksList/${cloud.org('acme').id}`;
    const [first, second] = [await cloud.call(path, { body }), await cloud.call(path, { body })];
    expect(hrefOf(first)).toBe(hrefOf(second));
  });

  test('speaks JSON as well', async () => {
    const cloud = createCloud();
    const body = JSON.stringify({
      name: 'task',
      status: 'running',
      operation: 'o',
      operationName: 'n',
      serviceNamespace: 'org.example',
      progress: 5,
      user: { href: 'http://x/api/admin/user/1' },
    });
    const path = `/api/tasksList/${cloud.org('acme').id}`;
    const { json } = await cloud.expectCall(200, `POST ${path}`, { body, json: true });
    expect(json).toMatchObject({ status: 'running', progress: 5, cancelRequested: false });
    expect(json['organization']).toMatchObject({ name: 'acme' });
  });

  test('that is under way shows on its vApp', async () => {
    const cloud = createCloud();
    const vApp = [...cloud.store.vApps.values()].find(({ org }) => org.name === 'acme')?.id;
    const owner = `<Owner href="http://127.0.0.1:1/api/vApp/vapp-${vApp}"/>`;
    const href = await create(cloud, owner);
    const tasks = async () =>
      children((await cloud.call(`GET /api/vApp/vapp-${vApp}`)).xml, 'Tasks').length;
    expect(await tasks()).toBe(1);
    await cloud.expectCall(200, `PUT ${href}`, { body: task('success', owner) });
    expect(await tasks()).toBe(0);
  });
});

describe('an event', () => {
  const event = (type: string, namespace: string, inner = '<User href="u" name="alice"/>') =>
    `<Event ${HEAD} type="${type}" serviceNamespace="${namespace}" success="true" typeFull="x">${inner}</Event>`;
  const path = (cloud: Cloud) => `POST /api/admin/org/${cloud.org('acme').id}/events`;

  test('is taken with 204 and found by queries, beside those that tasks make', async () => {
    const cloud = createCloud();
    const inner = `<Owner href="o" name="v" type="application/vnd.vmware.vcloud.vApp+xml"/><User href="u" name="alice"/><EventProperties><EventProperty name="a" value="b"/></EventProperties>`;
    await cloud.expectCall(204, path(cloud), {
      body: event('org/example/done', 'org.example', inner),
    });
    await create(cloud);
    const all = await cloud.call('GET /api/query?type=event', { as: cloud.user('bob') });
    const types = children(all.xml, 'EventRecord').map(({ attributes }) => attributes['eventType']);
    expect(types).toEqual([
      'org/example/done',
      'com/vmware/vcloud/event/task/create',
      'com/vmware/vcloud/event/task/start',
    ]);
    const mine = 'type=adminEvent&filter=serviceNamespace==org.example';
    const [found] = children((await cloud.call(`GET /api/query?${mine}`)).xml, 'AdminEventRecord');
    expect(found?.attributes).toMatchObject({
      eventStatus: '1',
      userName: 'alice',
      entityType: 'vapp',
    });
    const other = await cloud.call('GET /api/query?type=event', {
      as: cloud.user('bob', 'globex'),
    });
    expect(other.xml.attributes['total']).toBe('0');
  });

  test.each([
    ['com/vmware/vcloud/event/vm/create', 'org.example', undefined],
    ['', 'org.example', undefined],
    ['t'.repeat(129), 'org.example', undefined],
    ['t', 'com.vmware.vcloud', undefined],
    ['t', 'org.example', ''],
    ['t', 'org.example', '<User href="u"/><Owner href="o"/>'],
  ])('of type %.20s by %s with %s is refused', async (type, namespace, inner) => {
    const cloud = createCloud();
    expect((await cloud.call(path(cloud), { body: event(type, namespace, inner) })).status).toBe(
      400,
    );
  });

  test('is the provider’s to post', async () => {
    const cloud = createCloud();
    const body = event('t', 'n');
    expect((await cloud.call(path(cloud), { as: cloud.user('alice'), body })).status).toBe(403);
  });
});
