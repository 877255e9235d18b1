import { describe, expect, test } from 'vitest';

import { decodeEvent } from '../../../host/message/notification/decode.ts';
import type { CloudEvent, DecodedEvent } from '../../../host/message/notification/event.ts';
import { redactEvent } from '../../../host/message/notification/redacted.ts';
import {
  buildRoutingKey,
  parseRoutingKey,
} from '../../../host/message/notification/routing-key.ts';
import { EVENT, eventMessage } from '../../support/pipeline/events.ts';

const blocking = {
  type: 'com/vmware/vcloud/event/blockingtask/create',
  entity: 'urn:vcloud:blockingTask:25',
  task: 'urn:vcloud:task:34',
  taskOwner: 'urn:vcloud:vapp:26',
  taskName: 'vdcComposeVapp',
} as const;

function event(decoded: DecodedEvent): CloudEvent {
  if (!decoded.ok) throw new Error(decoded.why);
  return decoded.event;
}

const refused = (decoded: DecodedEvent) => (decoded.ok ? 'taken' : [decoded.code, decoded.why]);

/** A message whose body is this text, under the usual key and headers. */
const withBody = (body: string | Uint8Array) => ({
  ...eventMessage('json'),
  body: typeof body === 'string' ? Buffer.from(body) : body,
});

const json = (changes: Record<string, unknown>) =>
  withBody(JSON.stringify({ ...EVENT, ...changes }));

describe('both forms', () => {
  test.each(['xml', 'json'] as const)('an event in %s is read whole', (form) => {
    const decoded = decodeEvent(eventMessage(form));
    expect(decoded).toMatchObject({ ok: true, disagreements: [], missing: [] });
    const xml = form === 'xml';
    expect(event(decoded)).toEqual({
      eventId: EVENT.eventId,
      type: EVENT.type,
      timestamp: Date.parse('2011-06-18T11:33:27.787Z'),
      operationSuccess: true,
      org: { id: EVENT.org, type: 'org', name: xml ? 'acme' : null },
      user: { id: EVENT.user, type: 'user', name: xml ? 'alice' : null },
      entity: { id: EVENT.entity, type: 'vm', name: xml ? 'web-1' : null },
      task: null,
      taskOwner: null,
      taskName: null,
      resolver: xml ? 'https://vcloud.example.com/api/entity/' : null,
      form,
      extra: {},
    });
  });

  test.each(['xml', 'json'] as const)(
    'a blocking task in %s has task, owner and operation',
    (form) => {
      const decoded = decodeEvent(eventMessage(form, blocking));
      expect(decoded).toMatchObject({ ok: true, disagreements: [], missing: [] });
      expect(event(decoded)).toMatchObject({
        entity: { id: blocking.entity, type: 'blockingTask' },
        task: { id: blocking.task, type: 'task' },
        taskOwner: { id: blocking.taskOwner, type: 'vapp' },
        taskName: 'vdcComposeVapp',
      });
    },
  );

  test("the documented example is read: vmext prefixes, short ids, the operation in the entity's name", () => {
    const xml = `<vmext:Notification xmlns:vmext="http://www.vmware.com/vcloud/extension/v1.5"
      type="com/vmware/vcloud/event/blockingtask/create" eventId="a1440dd8-60ae-46c7-b216-44693bc00c90">
      <vmext:Link rel="entityResolver" href="https://vcloud.example.com/api/entity/" />
      <vmext:EntityLink rel="entity" type="vcloud:blockingTask" name="vdcComposeVapp" id="urn:vcloud:blockingTask:25" />
      <vmext:EntityLink rel="down" type="vcloud:user" name="vcloud" id="urn:vcloud:user:44" />
      <vmext:EntityLink rel="up" type="vcloud:org" name="Default" id="urn:vcloud:org:70" />
      <vmext:EntityLink rel="task:owner" type="vcloud:vapp" id="urn:vcloud:vapp:26" />
      <vmext:Timestamp>2011-06-18T14:33:27.787+03:00</vmext:Timestamp>
      <vmext:OperationSuccess>true</vmext:OperationSuccess>
    </vmext:Notification>`;
    const body = Buffer.from(`\uFEFF \n${xml}`);
    expect(event(decodeEvent({ routingKey: 'true', headers: {}, body }))).toMatchObject({
      org: { id: 'urn:vcloud:org:70', name: 'Default' },
      taskOwner: { id: 'urn:vcloud:vapp:26', name: null },
      taskName: 'vdcComposeVapp',
    });
  });

  test('unknown types, fields, elements, attributes and links are kept', () => {
    const type = 'org/example/backup/2.0/done';
    const extra = { details: { size: 3 }, ['__proto__']: 1, tags: ['a'] };
    const inJson = event(
      decodeEvent(json({ type, entity: 'urn:backup:b-1', ...extra, more: null })),
    );
    expect(inJson).toMatchObject({ type, entity: { id: 'urn:backup:b-1', type: 'backup' } });
    expect(inJson.extra).toMatchObject({ details: { size: 3 }, tags: ['a'], more: null });

    const { body, ...rest } = eventMessage('xml', { type });
    const text = body
      .toString()
      .replace(' eventId', ' shard="7" eventId')
      .replace(
        '</vmext:Notification>',
        '<vmext:EntityLink rel="vdc" id="urn:vcloud:vdc:1"/><vmext:Details size="3"><vmext:Tag>a</vmext:Tag></vmext:Details></vmext:Notification>',
      );
    const inXml = event(decodeEvent({ ...rest, body: Buffer.from(text) }));
    expect(inXml.type).toBe(type);
    expect(inXml.extra).toEqual({
      shard: '7',
      Details: { size: '3', Tag: 'a' },
      EntityLink: [{ rel: 'vdc', id: 'urn:vcloud:vdc:1' }],
    });
  });

  test('an event has one id in both forms, a URN or not', () => {
    expect(event(decodeEvent(json({ eventId: `urn:vcloud:event:${EVENT.eventId}` }))).eventId).toBe(
      EVENT.eventId,
    );
  });
});

describe('key, headers and body', () => {
  test('what disagrees is reported and the body decides', () => {
    const { headers } = eventMessage('json', {
      entity: 'urn:vcloud:vapp:h',
      operationSuccess: false,
    });
    const { routingKey } = eventMessage('json', { org: 'urn:vcloud:org:k', type: 'com/x/y' });
    const decoded = decodeEvent({ ...eventMessage('xml'), headers, routingKey });
    expect(decoded).toMatchObject({
      disagreements: [
        { in: 'key', field: 'type', says: 'com/x/y', taken: EVENT.type },
        { in: 'key', field: 'org', says: 'k' },
        { in: 'headers', field: 'entityType', says: 'vapp', taken: 'vm' },
        { in: 'headers', field: 'entity', says: 'h' },
        { in: 'headers', field: 'operationSuccess', says: 'false', taken: 'true' },
      ],
    });
    expect(event(decoded)).toMatchObject({
      operationSuccess: true,
      type: EVENT.type,
      org: { id: EVENT.org },
      entity: { id: EVENT.entity },
    });
  });

  test('missing headers are named, and a body that is whole needs none', () => {
    const decoded = decodeEvent({ ...eventMessage('json'), headers: {}, routingKey: 'nonsense' });
    expect(decoded).toMatchObject({ ok: true, disagreements: [] });
    expect(decoded.ok && decoded.missing).toEqual([
      'routing key',
      'notification.type',
      'notification.entityType',
      'notification.entityUUID',
      'notification.orgUUID',
      'notification.userUUID',
      'notification.operationSuccess',
    ]);
  });

  test('what the body leaves open comes from the headers, then from the key', () => {
    const { org, entity, user, operationSuccess, ...rest } = EVENT;
    const message = { ...eventMessage('json'), body: Buffer.from(JSON.stringify(rest)) };
    const whole = {
      org: { id: org },
      entity: { id: entity },
      user: { id: user },
      operationSuccess,
    };
    expect(event(decodeEvent(message))).toMatchObject(whole);
    const { 'notification.orgUUID': _, ...headers } = message.headers;
    expect(event(decodeEvent({ ...message, headers }))).toMatchObject(whole);
    const upper = { ...message, headers: { ...headers, 'NOTIFICATION.ORGUUID': 'other' } };
    expect(event(decodeEvent(upper)).org.id).toBe('urn:vcloud:org:other');
  });

  test('where the body has no word, what the key says otherwise than the headers is reported', () => {
    const { org: _org, user: _user, ...rest } = EVENT;
    const { headers } = eventMessage('json', { org: 'urn:vcloud:org:h' });
    const { routingKey } = eventMessage('json', { org: 'urn:vcloud:org:k' });
    const decoded = decodeEvent({ routingKey, headers, body: Buffer.from(JSON.stringify(rest)) });
    expect(event(decoded).org.id).toBe('urn:vcloud:org:h');
    expect(decoded).toMatchObject({
      disagreements: [{ in: 'key', field: 'org', says: 'k', taken: 'h' }],
    });
  });

  test.each([
    ['no headers, and a key that says nothing', {}, 'x'],
    ['headers of other types', { 'notification.orgUUID': { a: 1 } }, 'true....a'],
    ['a hostile id', { 'notification.orgUUID': 'a b<c>' }, ''],
  ])('an event that no org can be found for is refused: %s', (_name, headers, routingKey) => {
    const { org: _org, ...rest } = EVENT;
    const body = Buffer.from(JSON.stringify(rest));
    expect(refused(decodeEvent({ routingKey, headers, body }))).toEqual([
      'EVENT_INVALID',
      'no org in body, headers or routing key',
    ]);
  });

  test.each([EVENT.user, 'urn:example:org:1', 'urn:vcloud:org:../acme', 'urn:vcloud:org:'])(
    'an org that is not an org is refused, whatever the headers say: %s',
    (org) => {
      expect(refused(decodeEvent(json({ org })))).toEqual([
        'EVENT_INVALID',
        'no org in body, headers or routing key',
      ]);
    },
  );

  test('an org is one and the same in capital letters', () => {
    const org = 'urn:vcloud:org:7000000A-0000-4000-8000-000000000001';
    const decoded = decodeEvent({ ...eventMessage('xml', { org }) });
    expect(event(decoded).org).toMatchObject({ id: org.toLowerCase(), name: 'acme' });
    expect(decoded).toMatchObject({ disagreements: [] });
  });

  test.each(['org.example/backup:done', 'io/example/Sicherung/größe', 'com/x/a+b@c'])(
    'a type that an extension made up is kept as it is: %s',
    (type) => {
      for (const form of ['xml', 'json'] as const)
        expect(event(decodeEvent(eventMessage(form, { type }))).type).toBe(type);
    },
  );
});

describe('bad input is an outcome with a code', () => {
  const bomb = `<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]><Notification>&b;</Notification>`;
  const xml = eventMessage('xml').body.toString();
  test.each<[string, string | Uint8Array, RegExp]>([
    ['nothing', '', /empty/],
    ['neither form', 'hello', /neither XML nor JSON/],
    ['half of a JSON', '{"eventId":', /not JSON/],
    ['a JSON array', '[1]', /neither/],
    ['bytes that are not UTF-8', Buffer.from([0x7b, 0xff, 0xfe, 0x7d]), /UTF-8/],
    ['an entity bomb', bomb, /DTD/],
    ['a DTD alone', `<!DOCTYPE Notification SYSTEM "file:///etc/passwd">${xml.slice(38)}`, /DTD/],
    ['nesting', `${'<a>'.repeat(200)}${'</a>'.repeat(200)}`, /nested|depth/i],
    ['thousands of elements', `<a>${'<b/>'.repeat(20_000)}</a>`, /elements/],
    [
      'another document',
      '<Task xmlns="http://www.vmware.com/vcloud/v1.5"/>',
      /Notification expected/,
    ],
    ['another namespace', '<Notification type="a" eventId="b"/>', /of another namespace found/],
    ['XML cut off', xml.slice(0, -30), /well-formed/],
    // The words around the fault may be anybody's secrets.
    [
      'an entity',
      xml.replace('<vmext:Time', 'a secret &x; word<vmext:Time'),
      /&x; \(line \d+, column \d+\)$/,
    ],
    ['a wrong boolean', xml.replace('>true<', '>maybe<'), /OperationSuccess is not a boolean/],
    ['no time', xml.replace(/<vmext:Timestamp>.*<\/vmext:Timestamp>/, ''), /Timestamp is missing/],
    ['an id that names nothing', xml.replace(EVENT.entity, ' '), /EntityLink entity has no URN/],
  ])('%s', (_name, body, why) => {
    expect(refused(decodeEvent(withBody(body)))).toEqual([
      'EVENT_INVALID',
      expect.stringMatching(why),
    ]);
  });

  test.each<[string, Record<string, unknown>, RegExp]>([
    ['no event id', { eventId: undefined }, /eventId/],
    ['an event id of 10 kB', { eventId: 'x'.repeat(10_000) }, /eventId/],
    ['an event id that is an object', { eventId: {} }, /eventId/],
    ['no type', { type: '' }, /type/],
    ['a type with a line end', { type: 'com/x\ny' }, /type/],
    ['a type with wildcards', { type: 'com/#' }, /type/],
    ['no time', { timestamp: 'yesterday' }, /timestamp/],
    ['a time of the wrong kind', { timestamp: [] }, /timestamp/],
    ['a truth of the wrong kind', { operationSuccess: 'yes' }, /operationSuccess/],
    ['an entity that is no URN', { entity: 'vm 1' }, /entity/],
    ['a task that is a number', { task: 3 }, /task/],
  ])('JSON with %s', (_name, changes, why) => {
    expect(refused(decodeEvent(json(changes)))).toEqual([
      'EVENT_INVALID',
      expect.stringMatching(why),
    ]);
  });

  test('JSON nested a hundred thousand deep is refused and not walked', () => {
    const deep = `{"x":${'['.repeat(100_000)}${']'.repeat(100_000)},`;
    const body = deep + JSON.stringify(EVENT).slice(1);
    expect(refused(decodeEvent(withBody(body)))).toEqual(['EVENT_INVALID', 'nested too deeply']);
  });

  test('a body above the cap is not parsed', () => {
    const big = withBody(Buffer.alloc(1024 * 1024 + 1, 0x7b));
    expect(refused(decodeEvent(big))).toEqual([
      'EVENT_TOO_LARGE',
      expect.stringMatching(/1048577/),
    ]);
    expect(refused(decodeEvent(withBody('{}'), { maxBytes: 1 }))[0]).toBe('EVENT_TOO_LARGE');
  });
});

describe('routing key', () => {
  const key = { operationSuccess: true, entity: 'e', org: 'o', user: 'u' };
  test.each([
    ['true.e.o.u.com.vmware.vcloud.event.vapp.create', 'com/vmware/vcloud/event/vapp/create', null],
    [
      'true.e.o.u.com.vmware.vcloud.event.task.create.vdcInstantiateVapp',
      'com/vmware/vcloud/event/task/create',
      'vdcInstantiateVapp',
    ],
    [
      'true.e.o.u.com.vmware.vcloud.event.blockingtask.create.a.b',
      'com/vmware/vcloud/event/blockingtask/create',
      'a.b',
    ],
    [
      'true.e.o.u.com.vmware.vcloud.event.thin_provisioning.x.modify',
      'com/vmware/vcloud/event/thin_provisioning/x/modify',
      null,
    ],
    ['true.e.o.u.one', 'one', null],
  ])('%s is read, and built again', (text, type, taskName) => {
    const read = parseRoutingKey(text);
    expect(read).toEqual({ ...key, type, taskName });
    expect(read && buildRoutingKey(read)).toBe(text);
  });

  test('the type of the body tells where the name of the task begins', () => {
    expect(parseRoutingKey('false.e.o..org.example.done.later', 'org/example/done')).toEqual({
      operationSuccess: false,
      entity: 'e',
      org: 'o',
      user: null,
      type: 'org/example/done',
      taskName: 'later',
    });
  });

  test('a user that Java writes as null is none', () => {
    const read = parseRoutingKey('true.e.o.null.com.vmware.vcloud.event.vm.create');
    expect(read).toMatchObject({ entity: 'e', org: 'o', user: null });
  });

  test.each(['', 'true', 'true.e.o.u', 'maybe.e.o.u.x', '....'])('%j is no such key', (text) => {
    expect(parseRoutingKey(text)).toBeNull();
  });
});

test('an operator sees ids and names of a parked event, but no raw body, other headers or values of unknown fields', () => {
  const message = json({ secret: 'hunter2', password: 'hunter2' });
  const shown = redactEvent({
    summary: {
      id: 'p-1',
      code: 'PLUGIN_THREW',
      reason: 'boom',
      parkedAt: 1,
      attempts: 3,
      exchange: 'systemExchange',
      routingKey: message.routingKey,
      bodyBytes: message.body.length,
    },
    firstSeenAt: 1,
    contentType: null,
    headers: {
      ...message.headers,
      Authorization: 'Bearer hunter2',
      'notification.x': { y: 'hunter2' },
    },
    body: message.body,
    sha256: null,
  });
  expect(JSON.stringify(shown)).not.toMatch(/hunter2|Authorization/);
  expect(shown).toMatchObject({
    kept: true,
    unreadable: null,
    headers: { 'notification.operationSuccess': 'true' },
    event: { entity: { id: EVENT.entity }, extraFields: ['secret', 'password'] },
  });
});

test('the example of the programming guide in JSON is read', () => {
  const fixture = {
    eventId: 'a1440dd8-60ae-46c7-b216-44693bc00c90',
    type: 'com/vmware/vcloud/event/blockingtask/create',
    timestamp: '2011-06-18T14:33:27.787+03:00',
    operationSuccess: true,
    user: 'urn:vcloud:user:44',
    org: 'urn:vcloud:org:70',
    entity: 'urn:vcloud:blockingTask:25',
    task: 'urn:vcloud:task:34',
    taskOwner: 'urn:vcloud:vapp:26',
  };
  const body = Buffer.from(JSON.stringify(fixture));
  expect(event(decodeEvent({ routingKey: '', headers: {}, body }))).toMatchObject({
    entity: { id: 'urn:vcloud:blockingTask:25', type: 'blockingTask' },
    taskOwner: { id: 'urn:vcloud:vapp:26', type: 'vapp' },
    taskName: null,
  });
});
