/** Events of the simulated cell: what raises them, and what their messages look like. */
import { describe, expect, test } from 'vitest';

import { readXml } from '../../../sdk/localcloud/cell/documents/xml.ts';
import {
  headersOf,
  jsonForm,
  routingKeyOf,
  xmlForm,
} from '../../../sdk/localcloud/cell/events/encode.ts';
import type { Notice } from '../../../sdk/localcloud/cell/events/happening.ts';
import { BASE, type Cloud, HEAD, children, createCloud, hrefOf } from './kit.ts';

const ROOT = 'com/vmware/vcloud/event/';
const VAPP = { kind: 'vapp', id: '11111111-2222-3333-4444-555555555555', name: 'web "1"' };

const notice = (more: Partial<Notice> = {}): Notice => ({
  type: `${ROOT}vapp/create`,
  eventId: 'e-1',
  timestamp: '2026-01-02T03:04:05.678Z',
  success: true,
  org: { id: 'o-1', name: 'acme' },
  user: { kind: 'user', id: 'u-1', name: 'alice' },
  entity: VAPP,
  ...more,
});

const held = notice({
  type: `${ROOT}blockingtask/create`,
  entity: { kind: 'blockingTask', id: 'b-1', name: 'vdcInstantiateVapp' },
  task: { kind: 'task', id: 't-1', name: 'vdcInstantiateVapp' },
  taskOwner: VAPP,
});

describe('the message of an event', () => {
  test('has a routing key of success, ids and the parts of its type, and a task’s name behind', () => {
    expect(routingKeyOf(notice({ success: false }))).toBe(
      `false.${VAPP.id}.o-1.u-1.com.vmware.vcloud.event.vapp.create`,
    );
    expect(routingKeyOf(held)).toBe(
      'true.b-1.o-1.u-1.com.vmware.vcloud.event.blockingtask.create.vdcInstantiateVapp',
    );
    const long = notice({ type: `${ROOT}${'x'.repeat(400)}` });
    expect(Buffer.byteLength(routingKeyOf(long))).toBe(255);
  });

  test('has all documented headers, with the task’s only where there is one', () => {
    expect(headersOf(held)).toEqual({
      'notification.type': `${ROOT}blockingtask/create`,
      'notification.entityType': 'blockingTask',
      'notification.entityUUID': 'b-1',
      'notification.orgUUID': 'o-1',
      'notification.userUUID': 'u-1',
      'notification.operationSuccess': true,
      'notification.taskUUID': 't-1',
    });
    expect(headersOf(notice())).not.toHaveProperty('notification.taskUUID');
  });

  test('says in XML who and what it is about by links, in the schema’s order', () => {
    const { name, ns, attributes, children: parts } = readXml(xmlForm(held, BASE));
    expect([ns, name]).toEqual(['vmext', 'Notification']);
    expect(attributes).toEqual({ type: held.type, eventId: 'e-1' });
    expect(parts.map((part) => [part.ns, part.name, part.attributes['rel'] ?? part.text])).toEqual([
      ['vmext', 'Link', 'entityResolver'],
      ['vmext', 'EntityLink', 'entity'],
      ['vmext', 'EntityLink', 'down'],
      ['vmext', 'EntityLink', 'up'],
      ['vmext', 'EntityLink', 'task'],
      ['vmext', 'EntityLink', 'task:owner'],
      ['vmext', 'Timestamp', held.timestamp],
      ['vmext', 'OperationSuccess', 'true'],
    ]);
    expect(parts[0]?.attributes['href']).toBe(`${BASE}/api/entity/`);
    expect(parts[5]?.attributes).toEqual({
      rel: 'task:owner',
      type: 'vcloud:vapp',
      name: VAPP.name,
      id: `urn:vcloud:vapp:${VAPP.id}`,
    });
  });

  test('says in JSON the same by URNs', () => {
    expect(JSON.parse(jsonForm(held))).toEqual({
      eventId: 'e-1',
      type: held.type,
      timestamp: held.timestamp,
      operationSuccess: true,
      user: 'urn:vcloud:user:u-1',
      org: 'urn:vcloud:org:o-1',
      entity: 'urn:vcloud:blockingTask:b-1',
      task: 'urn:vcloud:task:t-1',
      taskOwner: `urn:vcloud:vapp:${VAPP.id}`,
    });
  });
});

/** The events since the last call, as `verb success entity-kind user`. */
const drained = (cloud: Cloud): string[] =>
  cloud.notices
    .splice(0)
    .map(({ type, success, entity, user }) =>
      [type.replace(ROOT, ''), success, entity.kind, user.name].join(' '),
    );

describe('an event is raised', () => {
  test('by signing in, and by trying to', async () => {
    const cloud = createCloud();
    const basic = (text: string) => `Basic ${Buffer.from(text).toString('base64')}`;
    const signIn = (path: string, text: string) =>
      cloud.call(`POST ${path}`, { as: '', headers: { Authorization: basic(text) } });
    expect((await signIn('/api/sessions', 'alice@acme:alice-acme')).status).toBe(200);
    expect((await signIn('/cloudapi/1.0.0/sessions', 'bob@acme:bob-acme')).status).toBe(200);
    expect((await signIn('/api/sessions', 'alice@acme:wrong')).status).toBe(401);
    expect((await signIn('/cloudapi/1.0.0/sessions/provider', 'bob@acme:bob-acme')).status).toBe(
      401,
    );
    expect((await signIn('/api/sessions', 'nobody@acme:x')).status).toBe(401);
    expect(drained(cloud)).toEqual([
      'session/login true user alice',
      'session/login true user bob',
      'session/login false user alice',
      'session/login false user bob',
    ]);
  });

  test('by whoever makes, changes and deletes users and roles', async () => {
    const cloud = createCloud();
    const alice = cloud.user('alice');
    const role = `<Role href="${BASE}/api/admin/role/${alice.role}"/>`;
    const user = (enabled: boolean) =>
      `<User ${HEAD} name="dora"><IsEnabled>${enabled}</IsEnabled>${role}<Password>p</Password></User>`;
    const as = alice;
    const org = `/api/admin/org/${alice.org.id}`;
    const made = hrefOf(await cloud.expectCall(201, `POST ${org}/users`, { as, body: user(true) }));
    await cloud.expectCall(200, `PUT ${made}`, { as, body: user(false) });
    await cloud.expectCall(204, `DELETE ${made}`, { as });
    const body = `<Role ${HEAD} name="r"><RightReferences/></Role>`;
    const other = hrefOf(await cloud.expectCall(201, `POST ${org}/roles`, { as, body }));
    await cloud.expectCall(204, `DELETE ${other}`, { as });
    expect(drained(cloud)).toEqual([
      'user/create true user alice',
      'user/modify true user alice',
      'user/disable true user alice',
      'user/delete true user alice',
      'role/create true role alice',
      'role/delete true role alice',
    ]);
  });

  test('by the tasks of services, with what they work on, and by the events they post', async () => {
    const cloud = createCloud();
    const { id } = cloud.org('acme');
    const vApp = [...cloud.store.vApps.values()].find(({ org }) => org.id === id);
    const task = (status: string) =>
      `<Task ${HEAD} name="task" status="${status}" operationName="backup" serviceNamespace="n"><Owner href="${BASE}/api/vApp/vapp-${vApp?.id}" type="application/vnd.vmware.vcloud.vApp+xml"/></Task>`;
    const made = hrefOf(
      await cloud.expectCall(200, `POST /api/tasksList/${id}`, { body: task('queued') }),
    );
    for (const status of ['running', 'running', 'error'])
      await cloud.expectCall(200, `PUT ${made}`, { body: task(status) });
    const [first] = cloud.notices;
    expect(first).toMatchObject({
      entity: { kind: 'task', name: 'backup' },
      task: { kind: 'task', name: 'backup' },
      taskOwner: { kind: 'vapp', id: vApp?.id },
    });
    const event = `<Event ${HEAD} type="org/example/done" serviceNamespace="n"><User href="${BASE}/api/admin/user/${cloud.user('bob').id}" name="bob"/></Event>`;
    await cloud.expectCall(204, `POST /api/admin/org/${id}/events`, { body: event });
    expect(drained(cloud)).toEqual([
      'task/create true task administrator',
      'task/start true task administrator',
      'task/fail false task administrator',
      'org/example/done true org bob',
    ]);
  });
});

describe('the switch for notifications', () => {
  const path = '/api/admin/extension/settings/notifications';
  const body = (on: boolean) =>
    `<vmext:NotificationsSettings ${HEAD}><vmext:EnableNotifications>${on}</vmext:EnableNotifications></vmext:NotificationsSettings>`;

  test('stops them, but not the list of events', async () => {
    const cloud = createCloud();
    const off = await cloud.expectCall(200, `PUT ${path}`, { body: body(false) });
    expect(children(off.xml, 'EnableNotifications')[0]?.text).toBe('false');
    const sent = await cloud.expectCall(200, 'POST /_local/events', {
      body: JSON.stringify({ type: 'a/b' }),
    });
    expect(sent.json).toMatchObject({ count: 1, published: false });
    expect([cloud.notices.length, cloud.store.events.length]).toEqual([0, 1]);
    await cloud.expectCall(200, `PUT ${path}`, { body: body(true) });
    await cloud.expectCall(200, 'POST /_local/events', { body: JSON.stringify({ type: 'a/b' }) });
    expect(cloud.notices).toHaveLength(1);
  });

  test('is the system administrator’s', async () => {
    const cloud = createCloud();
    const as = cloud.user('alice');
    expect((await cloud.call(`PUT ${path}`, { as, body: body(false) })).status).toBe(403);
  });
});

describe('the AMQP settings', () => {
  const path = '/api/admin/extension/settings/amqp';
  const body = (exchange: string, port = 5672, more = '') =>
    `<vmext:AmqpSettings ${HEAD}><vmext:AmqpHost>h</vmext:AmqpHost><vmext:AmqpPort>${port}</vmext:AmqpPort><vmext:AmqpUsername>u</vmext:AmqpUsername><vmext:AmqpExchange>${exchange}</vmext:AmqpExchange><vmext:AmqpVHost>/</vmext:AmqpVHost><vmext:AmqpUseSSL>false</vmext:AmqpUseSSL>${more}</vmext:AmqpSettings>`;

  test('let the exchange be changed, and nothing that would need another broker', async () => {
    const cloud = createCloud();
    const changed = await cloud.expectCall(200, `PUT ${path}`, { body: body('mine') });
    expect(children(changed.xml, 'AmqpExchange')[0]?.text).toBe('mine');
    expect(changed.text).not.toContain('AmqpPassword');
    expect(cloud.store.settings.exchange).toBe('mine');
    const prefix = '<vmext:AmqpPrefix>other</vmext:AmqpPrefix>';
    for (const refused of [body(''), body('m', 1), body('m', 5672, prefix)])
      expect((await cloud.call(`PUT ${path}`, { body: refused })).status).toBe(400);
    expect(cloud.store.settings.exchange).toBe('mine');
  });
});

describe('the helper', () => {
  const emit = (cloud: Cloud, body: unknown) =>
    cloud.call('POST /_local/events', { body: JSON.stringify(body) });

  test('tells of any event, about whom and what it is told', async () => {
    const cloud = createCloud();
    const { json } = await emit(cloud, {
      type: `${ROOT}vm/change_state`,
      success: false,
      org: 'acme',
      user: 'carol',
      entity: { urn: 'urn:vcloud:vm:v-1', name: 'vm' },
      task: 'urn:vcloud:task:t-1',
      timestamp: '2020-01-01T00:00:00Z',
      extra: { weather: 'fine' },
      headers: { 'notification.orgUUID': null, 'notification.type': 'other' },
      routingKey: 'a.b',
    });
    const [told] = cloud.notices;
    expect(told).toMatchObject({ eventId: json['eventId'], success: false, org: { name: 'acme' } });
    if (!told) throw new Error('no notice');
    expect(told.user).toEqual({ kind: 'user', id: cloud.user('carol').id, name: 'carol' });
    expect(JSON.parse(jsonForm(told))).toMatchObject({ weather: 'fine' });
    expect(routingKeyOf(told)).toBe('a.b');
    expect(headersOf(told)).toMatchObject({ 'notification.type': 'other' });
    expect(headersOf(told)).not.toHaveProperty('notification.orgUUID');
  });

  test('tells of many at once, over so many entities in turn, each with an id of its own', async () => {
    const cloud = createCloud();
    const { json } = await emit(cloud, {
      type: `${ROOT}blockingtask/create`,
      count: 1_000,
      entities: 10,
    });
    const ids = cloud.notices.map(({ eventId }) => eventId);
    expect(json).toEqual({ eventId: ids[0], eventIds: ids, count: 1_000, published: true });
    expect(new Set(ids).size).toBe(1_000);
    const entities = cloud.notices.map(({ entity }) => `${entity.kind} ${entity.id}`);
    expect(new Set(entities).size).toBe(10);
    expect(entities[0]).toBe(entities[10]);
    expect(entities[0]).toMatch(/^blockingTask /);
  });

  test.each([
    ['no type', {}],
    ['no object', []],
    ['an unknown field', { type: 'a/b', sucess: true }],
    ['an org that is not there', { type: 'a/b', org: 'nowhere' }],
    ['a user of another org', { type: 'a/b', org: 'acme', user: 'administrator' }],
    ['an entity that is no URN', { type: 'a/b', entity: 'web' }],
    ['half an event', { type: 'a/b', count: 0.5 }],
    ['too many', { type: 'a/b', count: 1_000_000 }],
    ['a header that is none', { type: 'a/b', headers: { x: {} } }],
  ])('refuses %s', async (_, body) => {
    const cloud = createCloud();
    expect((await emit(cloud, body)).status).toBe(400);
    expect(cloud.notices).toEqual([]);
  });

  test('is the system administrator’s, whatever the filters of services say', async () => {
    const cloud = createCloud();
    const body = JSON.stringify({ type: 'a/b' });
    const as = cloud.user('alice');
    expect((await cloud.call('POST /_local/events', { as, body })).status).toBe(403);
    expect((await cloud.call('POST /_local/events', { as: '', body })).status).toBe(401);
    expect((await cloud.call('POST /_local/events', { body: 'not json' })).status).toBe(400);
  });
});
