/** Response filters, sign-in by service account and sessions that end, over a real RabbitMQ and real HTTP. */
import { randomUUID } from 'node:crypto';

import { type Channel, type ConsumeMessage, connect } from 'amqplib';
import { afterAll, beforeAll, expect, test } from 'vitest';

import { openVcloud } from '../../../host/vcloud/client.ts';
import { type Cells, openCells } from '../../../sdk/localcloud/cell/open.ts';
import { openVhost } from '../../support/rabbit/vhost.ts';

const stack = new AsyncDisposableStack();
let cloud: Cells;
let channel: Channel;

beforeAll(async () => {
  const rabbit = stack.use(await openVhost());
  cloud = stack.use(await openCells({ amqpUrl: rabbit.url, count: 2, timeoutMs: 1_000 }));
  const connection = await connect(rabbit.url, { noDelay: true });
  connection.on('error', () => undefined);
  stack.defer(() => connection.close());
  channel = await connection.createChannel();
});
afterAll(() => stack.disposeAsync());

const url = (cell = 0) => cloud.cells[cell]?.url ?? '';

async function signIn(login: string, password: string): Promise<string> {
  const response = await fetch(`${url()}/api/sessions`, {
    method: 'POST',
    headers: { Authorization: `Basic ${Buffer.from(`${login}:${password}`).toString('base64')}` },
  });
  expect(response.status).toBe(200);
  return response.headers.get('x-vcloud-authorization') ?? '';
}

const asAdmin = () => signIn('administrator@System', 'administrator');

/** Register a service that wants to see answers of a type; `answer` gets each message, undefined is no reply. */
async function filter(
  media: string,
  answer: (message: ConsumeMessage) => unknown,
): Promise<() => Promise<void>> {
  const name = `s${randomUUID().slice(0, 8)}`;
  await channel.assertExchange(name, 'direct', { durable: true });
  await channel.assertQueue(name, { durable: false });
  await channel.bindQueue(name, name, name);
  await channel.consume(
    name,
    (message) => {
      const reply = message && answer(message);
      if (!message || reply === undefined) return;
      const { replyTo, correlationId, headers } = message.properties;
      const exchange = String(headers?.['replyToExchange']);
      const to = String(replyTo);
      const id = String(correlationId);
      channel.publish(exchange, to, Buffer.from(JSON.stringify(reply)), { correlationId: id });
    },
    { noAck: true },
  );
  const headers = {
    'x-vcloud-authorization': await asAdmin(),
    'Content-Type': 'application/*+json',
    Accept: 'application/*+json;version=37.0',
  };
  const document = { name, namespace: name, enabled: true, routingKey: name, exchange: name };
  const made = await fetch(`${url()}/api/admin/extension/service`, {
    method: 'POST',
    headers,
    body: JSON.stringify({
      ...document,
      apiFilters: { apiFilter: [{ responseContentType: media }] },
    }),
  });
  expect(made.status).toBe(201);
  const { href } = (await made.json()) as { href: string };
  return async () => {
    const body = JSON.stringify({ ...document, enabled: false });
    expect((await fetch(href, { method: 'PUT', headers, body })).status).toBe(200);
    expect((await fetch(href, { method: 'DELETE', headers })).status).toBe(204);
  };
}

const VAPP = 'application/vnd.vmware.vcloud.vApp+xml';

async function getVApp(cell = 0): Promise<Response> {
  const token = await signIn('bob@acme', 'bob-acme');
  const id = cloud.orgs[0]?.vApps[0]?.id;
  return fetch(`${url(cell)}/api/vApp/vapp-${id}`, {
    headers: { 'x-vcloud-authorization': token },
  });
}

test('an answer of any cell passes the service that filters its type, with the documented message', async () => {
  const seen: ConsumeMessage[] = [];
  const remove = await filter(VAPP, (message) => {
    seen.push(message);
    const [answer] = JSON.parse(message.content.toString()) as [{ id: string; body: string }];
    const body = Buffer.from(`${Buffer.from(answer.body, 'base64').toString()}<!-- seen -->`);
    const headers = { 'Content-Type': VAPP };
    return [
      { id: answer.id, statusCode: 200, headers, body: body.toString('base64'), request: false },
    ];
  });
  for (const cell of [0, 1]) {
    const response = await getVApp(cell);
    expect(response.status).toBe(200);
    expect(await response.text()).toMatch(/<VApp [\s\S]*<!-- seen -->$/);
  }
  expect(seen.map(({ properties }) => properties.headers)).toMatchObject([
    { messageType: 'ProcessHttpResponse', replyToExchange: 'vcd.replyExchange' },
    { messageType: 'ProcessHttpResponse' },
  ]);
  const [message, context] = JSON.parse(seen[0]?.content.toString() ?? '') as [object, object];
  expect(message).toMatchObject({ request: false, statusCode: 200 });
  expect(context).toMatchObject({ user: `urn:vcloud:user:${cloud.orgs[0]?.users[1]?.id}` });
  await remove();
});

test('a service that does not give the answer back in time costs the client a 504', async () => {
  const remove = await filter(VAPP, () => undefined);
  const response = await getVApp();
  expect(response.status).toBe(504);
  expect(await response.text()).toContain('failed to respond in the specified timeout (1 SECONDS)');
  await remove();
  expect((await getVApp()).status).toBe(200);
});

test('a client of the cells signs in by password again when its session is taken away in the middle', async () => {
  const credentials = { kind: 'password', ...cloud.provider } as const;
  await using client = openVcloud({ url: url(), credentials });
  await client.getXml('AmqpSettings', '/api/admin/extension/settings/amqp');
  cloud.revokeSessions(1);
  for (let call = 0; call < 3; call += 1)
    await client.getXml('AmqpSettings', '/api/admin/extension/settings/amqp');
});

test('a service account’s token is good for one use at any cell', async () => {
  const account = cloud.createServiceAccount();
  const refresh = async (token: string, cell: number) => {
    const response = await fetch(`${url(cell)}/oauth/provider/token`, {
      method: 'POST',
      body: new URLSearchParams({ grant_type: 'refresh_token', refresh_token: token }),
    });
    return { status: response.status, body: (await response.json()) as Record<string, string> };
  };
  const first = await refresh(account.refreshToken, 0);
  expect(first.status).toBe(200);
  expect((await refresh(account.refreshToken, 1)).status).toBe(400);
  const second = await refresh(first.body['refresh_token'] ?? '', 1);
  const headers = { Authorization: `Bearer ${second.body['access_token']}` };
  const services = await fetch(`${url()}/api/admin/extension/service`, { headers });
  expect(services.status).toBe(200);
});
