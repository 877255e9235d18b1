import { randomUUID } from 'node:crypto';
import { existsSync, readFileSync, readdirSync } from 'node:fs';

import { afterAll, beforeAll, expect, test } from 'vitest';

import { openLive, type Live } from '../../support/live.ts';
import { waitFor } from '../../support/wait.ts';
import {
  ALICE,
  httpMessage,
  requestBody,
  securityContext,
} from '../../support/pipeline/messages.ts';
import { openRawClient, type RawClient } from '../../support/raw-client.ts';

let live: Live;
let client: RawClient;
beforeAll(async () => {
  live = await openLive();
  client = await openRawClient(live.rabbit.url);
});
afterAll(async () => {
  await client?.[Symbol.asyncDispose]();
  await live?.[Symbol.asyncDispose]();
});

const FIXTURES = new URL('../../../../shared/reference/fixtures/', import.meta.url);
const fixtures = existsSync(FIXTURES)
  ? readdirSync(FIXTURES)
      .filter((name) => /_request_|post_request/.test(name) && name.includes('amqp'))
      .map((name) => readFileSync(new URL(name, FIXTURES), 'utf8'))
  : [];

/** The rights of the backup plug-in as this installation numbers them. */
async function rights(): Promise<{ view: string; manage: string }> {
  const { url } = live.cells.cells[0] ?? { url: '' };
  const { user, password } = live.cells.provider;
  const session = await fetch(`${url}/api/sessions`, {
    method: 'POST',
    headers: {
      Accept: 'application/*+json;version=36.0',
      Authorization: `Basic ${Buffer.from(`${user}@System:${password}`).toString('base64')}`,
    },
  });
  const token = session.headers.get('x-vcloud-authorization') ?? '';
  const records = await fetch(`${url}/api/query?type=right&pageSize=128&format=idrecords`, {
    headers: { Accept: 'application/*+xml;version=36.0', 'x-vcloud-authorization': token },
  });
  const text = await records.text();
  const urnOf = (name: string) =>
    new RegExp(`<[^>]*name="[^"]*${name}"[^>]*>`)
      .exec(text)?.[0]
      .match(/urn:vcloud:right:[\w-]+/)?.[0] ?? '';
  return { view: urnOf('Backup: View'), manage: urnOf('Backup: Manage') };
}

test('messages with foreign paths are answered 404 on their own address', async () => {
  const messages = [
    ...fixtures.map((text) => Buffer.from(text)),
    requestBody({ http: { requestUri: '/api/org/1/ticketing', method: 'POST', body: 'PHg+' } }),
    requestBody({ http: { requestUri: '/api/cse/cluster/c1', queryString: 'org=T&vdc=T' } }),
  ];
  for (const body of messages) {
    const properties = client.properties();
    const reply = await client.call('backup', body, properties);
    const [{ id }] = JSON.parse(body.toString()) as [{ id: string }];
    expect(reply).toMatchObject({
      id,
      statusCode: 404,
      exchange: 'vcd.replyExchange',
      routingKey: client.replyTo,
      correlationId: properties.correlationId,
      request: false,
    });
  }
});

test('messages of ours are answered 200, 201 or 403 by what the caller holds', async () => {
  const { view, manage } = await rights();
  expect([view, manage]).toEqual([expect.stringMatching(/^urn:/), expect.stringMatching(/^urn:/)]);
  const org = randomUUID();
  const call = (method: string, held: unknown, extra: object = {}) =>
    client.call(
      'backup',
      requestBody({
        http: { method, requestUri: `/api/org/${org}/backups`, ...extra },
        security: { org: `urn:vcloud:org:${org}`, rights: held },
      }),
    );
  const other = `urn:vcloud:right:${randomUUID()}`;
  const name = randomUUID();
  const body = Buffer.from(JSON.stringify({ name })).toString('base64');
  expect(await call('POST', [other, manage], { body })).toMatchObject({
    statusCode: 201,
    body: expect.stringContaining(name),
  });
  expect(await call('GET', [view])).toMatchObject({
    statusCode: 200,
    body: expect.stringContaining(name),
  });
  expect(await call('GET', `${other},${view}`)).toMatchObject({ statusCode: 200 });
  expect(await call('GET', [other])).toMatchObject({
    statusCode: 403,
    body: expect.stringContaining('RIGHT_MISSING'),
  });
  expect(await call('GET', null)).toMatchObject({ statusCode: 403 });
  expect(await call('POST', [view])).toMatchObject({ statusCode: 403 });
});

test('bad messages are refused or parked, and the next one is answered', async () => {
  const address = client.properties();
  const refused: [body: Buffer, changes: object, status: number][] = [
    [requestBody({ http: { body: '***' } }), {}, 400],
    [requestBody({ http: { headers: 'text', method: 5 } }), {}, 400],
    [requestBody({ security: { rights: { a: 1 } } }), {}, 400],
    [requestBody(), { headers: { messageType: 'ProcessSomething' } }, 400],
    [
      requestBody({ security: { rights: Array(25_000).fill(`urn:vcloud:right:${randomUUID()}`) } }),
      {},
      400,
    ],
    [
      requestBody({
        http: {
          requestUri: '/api/probe/echo',
          method: 'POST',
          body: Buffer.alloc(300_000).toString('base64'),
        },
      }),
      {},
      404,
    ],
  ];
  for (const [body, changes, status] of refused)
    expect((await client.call('hello', body, client.properties(changes))).statusCode).toBe(status);

  const before = await parkedCount();
  const parked: [Buffer, object][] = [
    [Buffer.from('not JSON'), address],
    [Buffer.from('[{"id":"x"'), address],
    [Buffer.from(JSON.stringify([httpMessage({ id: undefined }), securityContext()])), address],
    [requestBody(), { ...client.properties(), replyTo: undefined }],
    [requestBody(), client.properties({ headers: { replyToExchange: 'amq.topic' } })],
    [requestBody(), {}],
  ];
  for (const [body, properties] of parked) await client.publish('hello', body, properties);
  await waitFor(async () => (await parkedCount()) === before + parked.length);
  expect((await client.call('hello', requestBody())).statusCode).toBe(200);
  expect(await live.rabbit.ctl('list_queues', 'name', 'messages')).toMatch(
    new RegExp(`vcx\\.dead\\s+${parked.length}`),
  );
});

async function parkedCount(): Promise<number> {
  const token = readFileSync(live.host.tokenFile, 'utf8').trim();
  const response = await fetch(`${live.host.operatorUrl}/metrics`, {
    headers: { Authorization: `Bearer ${token}` },
  });
  const lines = (await response.text()).match(/^vcx_parked_total\{.*\} (\d+)$/gm) ?? [];
  return lines.reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0);
}

test('a caller is who the security context says, whatever the headers and the body claim', async () => {
  const { view } = await rights();
  const org = randomUUID();
  const reply = await client.call(
    'backup',
    requestBody({
      http: {
        requestUri: `/api/org/${org}/backups`,
        headers: { 'x-vcloud-user': 'admin', 'X-VMWARE-VCLOUD-TENANT-CONTEXT': org },
        rights: [view],
        user: ALICE,
      },
      security: { org: `urn:vcloud:org:${randomUUID()}`, rights: [view] },
    }),
  );
  expect(reply.statusCode).toBe(403);
});
