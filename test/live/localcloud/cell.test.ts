/** The simulated cell over a real RabbitMQ: what a service sees on the wire, and what clients get back. */
import { randomUUID } from 'node:crypto';

import { type ChannelModel, type ConsumeMessage, connect } from 'amqplib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { keepConnected } from '../../../sdk/localcloud/cell/amqp/connection.ts';
import { type Cells, openCells } from '../../../sdk/localcloud/cell/open.ts';
import { openVhost, type Vhost } from '../../support/rabbit/vhost.ts';
import { openTcpProxy, type TcpProxy } from '../../support/broker/tcp-proxy.ts';

const VMEXT = 'http://www.vmware.com/vcloud/extension/v1.5';
const VCLOUD = 'http://www.vmware.com/vcloud/v1.5';

let rabbit: Vhost;
/** Between the cells and the broker. */
let proxy: TcpProxy;
let cloud: Cells;
let connection: ChannelModel;

const cellUrl = (index = 0) => cloud.cells[index]?.url ?? '';

async function signIn(login: string, password: string, cell = 0): Promise<string> {
  const basic = Buffer.from(`${login}:${password}`).toString('base64');
  const response = await fetch(`${cellUrl(cell)}/api/sessions`, {
    method: 'POST',
    headers: { Authorization: `Basic ${basic}`, Accept: 'application/*+xml;version=37.0' },
  });
  expect(response.status).toBe(200);
  return response.headers.get('x-vcloud-authorization') ?? '';
}

const asAdmin = () => signIn('administrator@System', 'administrator');
const asAlice = () => signIn('alice@acme', 'alice-acme');

interface Registered {
  readonly path: string;
  readonly exchange: string;
  readonly key: string;
  readonly href: string;
}

/** Register a service for a path of its own; its exchange and queue are made unless told otherwise. */
async function register(options: { readonly exchange?: boolean } = {}): Promise<Registered> {
  const name = `s${randomUUID().slice(0, 8)}`;
  const [path, exchange, key] = [`/api/${name}`, `${name}.exchange`, `${name}.key`];
  if (options.exchange ?? true) {
    const channel = await connection.createChannel();
    await channel.assertExchange(exchange, 'direct', { durable: true });
    await channel.assertQueue(name, { durable: false });
    await channel.bindQueue(name, exchange, key);
    await channel.close();
  }
  const response = await fetch(`${cellUrl()}/api/admin/extension/service`, {
    method: 'POST',
    headers: {
      'x-vcloud-authorization': await asAdmin(),
      Accept: 'application/*+json;version=37.0',
      'Content-Type': 'application/vnd.vmware.admin.service+xml',
    },
    body: `<vmext:Service xmlns="${VCLOUD}" xmlns:vmext="${VMEXT}" name="${name}">
      <vmext:Namespace>org.example.${name}</vmext:Namespace><vmext:Enabled>true</vmext:Enabled>
      <vmext:RoutingKey>${key}</vmext:RoutingKey><vmext:Exchange>${exchange}</vmext:Exchange>
      <vmext:ApiFilters><vmext:ApiFilter><vmext:UrlPattern>${path}(/.*)?</vmext:UrlPattern></vmext:ApiFilter></vmext:ApiFilters>
    </vmext:Service>`,
  });
  expect(response.status).toBe(201);
  const { href } = (await response.json()) as { href: string };
  return { path, exchange, key, href };
}

type Answer = (message: ConsumeMessage, request: Request) => unknown;
interface Request {
  readonly id: string;
  readonly [key: string]: unknown;
}

/** Answer the requests of a service; undefined means no reply. Returns all messages seen. */
async function serve(service: Registered, answer: Answer): Promise<ConsumeMessage[]> {
  const seen: ConsumeMessage[] = [];
  const channel = await connection.createChannel();
  await channel.consume(
    service.path.slice(5),
    (message) => {
      if (!message) return;
      seen.push(message);
      const [request] = JSON.parse(message.content.toString()) as [Request];
      const reply = answer(message, request);
      if (reply === undefined) return;
      const exchange = String(message.properties.headers?.['replyToExchange']);
      const { replyTo, correlationId } = message.properties as unknown as Record<string, string>;
      channel.publish(exchange, replyTo ?? '', Buffer.from(JSON.stringify(reply)), {
        correlationId: correlationId ?? '',
      });
    },
    { noAck: true },
  );
  return seen;
}

const reply = (id: string, text: string, extra: Record<string, unknown> = {}) => ({
  id,
  headers: { 'Content-Type': 'text/plain' },
  statusCode: 200,
  body: Buffer.from(text).toString('base64'),
  request: false,
  ...extra,
});

beforeAll(async () => {
  rabbit = await openVhost();
  proxy = await openTcpProxy(rabbit.port);
  cloud = await openCells({ amqpUrl: rabbit.by(proxy.port), count: 2, timeoutMs: 1_000 });
  connection = await connect(rabbit.url, { noDelay: true });
  connection.on('error', () => undefined);
});

afterAll(async () => {
  await connection?.close().catch(() => undefined);
  await cloud?.[Symbol.asyncDispose]();
  await proxy?.[Symbol.asyncDispose]();
  await rabbit?.[Symbol.asyncDispose]();
});

describe('a request that matches a filter', () => {
  test('is published with the documented properties, headers and body', async () => {
    const service = await register();
    const seen = await serve(service, (_, { id }) => reply(id, 'hello'));
    const token = await asAlice();
    const before = Date.now();
    const response = await fetch(`${cellUrl()}${service.path}/a%20b?x=1&y=%2F`, {
      method: 'POST',
      headers: { 'x-vcloud-authorization': token, 'X-Mine': 'v', Cookie: 'a=b' },
      body: 'payload',
    });
    expect(await response.text()).toBe('hello');
    const [message] = seen;
    expect(message?.fields).toMatchObject({ exchange: service.exchange, routingKey: service.key });
    expect(message?.properties).toMatchObject({
      contentType: 'application/octet-stream',
      deliveryMode: 1,
      priority: 0,
      replyTo: `vcd.replyQueue.${cloud.cells[0]?.uuid}`,
      appId: undefined,
      messageId: undefined,
      expiration: undefined,
    });
    const { replyByTimestamp, ...headers } = message?.properties.headers ?? {};
    expect(headers).toEqual({
      messageType: 'ProcessHttpRequest',
      replyToExchange: 'vcd.replyExchange',
    });
    expect(replyByTimestamp).toBeGreaterThanOrEqual(before + 1_000);
    const parts = JSON.parse(message?.content.toString() ?? '') as [Request, Request, null];
    expect(parts).toHaveLength(3);
    expect(parts[2]).toBeNull();
    expect(Object.keys(parts[0])).toEqual(
      'id method requestUri queryString protocol scheme remoteAddr remotePort localAddr localPort headers body statusCode request'.split(
        ' ',
      ),
    );
    expect(parts[0]).toMatchObject({
      method: 'POST',
      requestUri: `${service.path}/a%20b`,
      queryString: 'x=1&y=%2F',
      body: Buffer.from('payload').toString('base64'),
      statusCode: 0,
      request: true,
      headers: { 'x-vcloud-authorization': token, 'X-Mine': 'v', Cookie: 'a=b' },
    });
    expect(message?.properties.correlationId).not.toBe(parts[0].id);
    const org = cloud.orgs[0];
    expect(parts[1]).toMatchObject({
      parameters: null,
      user: `urn:vcloud:user:${org?.users[0]?.id}`,
      org: `urn:vcloud:org:${org?.id}`,
    });
    expect(parts[1]['rights']).toContainEqual(
      expect.stringMatching(/^urn:vcloud:right:[0-9a-f-]{36}$/),
    );
  });

  test('without query and body has null and the empty string there', async () => {
    const service = await register();
    const seen = await serve(service, (_, { id }) => reply(id, ''));
    const headers = { 'x-vcloud-authorization': await asAlice() };
    await fetch(cellUrl() + service.path, { headers });
    const [request] = JSON.parse(seen[0]?.content.toString() ?? '') as [Request];
    expect(request).toMatchObject({ queryString: null, body: '' });
  });

  test('carries the rights that the service registered, by the role of the user', async () => {
    const service = await register();
    const admin = await asAdmin();
    const urns: string[] = [];
    for (const name of ['Backup: View', 'Backup: Manage']) {
      const made = await fetch(`${service.href}/rights`, {
        method: 'POST',
        headers: {
          Authorization: `Bearer ${admin}`,
          Accept: 'application/*+json;version=37.0',
          'Content-Type': 'application/*+json',
        },
        body: JSON.stringify({ name, category: 'Backup' }),
      });
      urns.push(((await made.json()) as { id: string }).id);
    }
    const seen = await serve(service, (_, { id }) => reply(id, ''));
    for (const user of ['alice', 'bob', 'carol'])
      await fetch(cellUrl() + service.path, {
        headers: { 'x-vcloud-authorization': await signIn(`${user}@globex`, `${user}-globex`) },
      });
    const held = seen.map((message) => {
      const [, context] = JSON.parse(message.content.toString()) as [Request, { rights: string[] }];
      return urns.map((urn) => context.rights.includes(urn));
    });
    expect(held).toEqual([
      [true, true],
      [true, false],
      [false, false],
    ]);
  });

  test('is answered by an array and by a bare object alike, without credentials of the service', async () => {
    const service = await register();
    await serve(service, (_, { id, requestUri }) => {
      const answer = reply(id, 'ok', {
        statusCode: 201,
        headers: {
          'Content-Length': 99,
          Location: '/api/task/1',
          'Set-Cookie': 'a=b',
          authorization: 'Bearer x',
          'X-VCLOUD-authorization': 'x',
          'X-Bad': 'a\r\nb',
          'X-Good': 'fine',
        },
      });
      return String(requestUri).endsWith('array') ? [answer] : answer;
    });
    const headers = { 'x-vcloud-authorization': await asAlice() };
    for (const form of ['array', 'object']) {
      const response = await fetch(`${cellUrl()}${service.path}/${form}`, { headers });
      expect(response.status).toBe(201);
      expect(await response.text()).toBe('ok');
      const names = [...response.headers.keys()];
      expect(names).toContain('x-good');
      expect(response.headers.get('location')).toBe('/api/task/1');
      for (const name of ['set-cookie', 'authorization', 'x-vcloud-authorization', 'x-bad'])
        expect(names).not.toContain(name);
    }
  });
});

describe('a client gets', () => {
  test('504 with the documented error when nobody answers, or only with wrong replies', async () => {
    const service = await register();
    const counts = cloud.cells[0]?.counts;
    const before = { ...counts };
    await serve(service, (message, { requestUri }) => {
      if (String(requestUri).endsWith('wrong')) return reply('another id', 'x');
      if (String(requestUri).endsWith('garbage')) return 'garbage';
      message.properties.correlationId = 'unknown';
      return reply('x', 'x');
    });
    const headers = {
      'x-vcloud-authorization': await asAlice(),
      Accept: 'application/*+json;version=37.0',
    };
    const answers = await Promise.all(
      ['wrong', 'garbage', 'unknown'].map(async (kind) => {
        const response = await fetch(`${cellUrl()}${service.path}/${kind}`, { headers });
        return [response.status, await response.json()] as const;
      }),
    );
    for (const [status, body] of answers) {
      expect(status).toBe(504);
      expect(body).toEqual({
        otherAttributes: {},
        tenantError: null,
        stackTrace: null,
        message: `External service '${service.path.slice(5)}' failed to respond in the specified timeout (1 SECONDS)`,
        majorErrorCode: 504,
        minorErrorCode: 'GATEWAY_TIMEOUT',
        vendorSpecificErrorCode: null,
      });
    }
    expect(counts?.timedOut).toBe((before.timedOut ?? 0) + 3);
    expect(counts?.badReplies).toBe((before.badReplies ?? 0) + 2);
    expect(counts?.unknownReplies).toBe((before.unknownReplies ?? 0) + 1);
  });

  test('500 when the exchange is missing, while other services go on undisturbed', async () => {
    const [missing, fine] = [await register({ exchange: false }), await register()];
    await serve(fine, (_, { id }) => reply(id, 'ok'));
    const headers = { 'x-vcloud-authorization': await asAlice() };
    const get = async (service: Registered) => {
      const response = await fetch(cellUrl() + service.path, { headers });
      return [response.status, await response.text()] as const;
    };
    const results = await Promise.all(
      Array.from({ length: 20 }, (_, index) => get(index % 2 === 0 ? missing : fine)),
    );
    for (const [index, [status, text]] of results.entries()) {
      expect(status).toBe(index % 2 === 0 ? 500 : 200);
      expect(text).toContain(index % 2 === 0 ? 'INTERNAL_SERVER_ERROR' : 'ok');
    }
  });

  test('401 without a session, 404 where no filter matches, 403 in the admin tree', async () => {
    const service = await register();
    expect((await fetch(cellUrl() + service.path)).status).toBe(401);
    const headers = { 'x-vcloud-authorization': await asAlice() };
    const other = await fetch(`${cellUrl()}${service.path}x`, { headers });
    expect(other.status).toBe(404);
    expect(await other.text()).toContain('minorErrorCode="RESOURCE_NOT_FOUND"');
    const admin = await fetch(`${cellUrl()}/api/admin/extension/service`, { headers });
    expect(admin.status).toBe(403);
  });
});

test('two cells never get each other’s replies', async () => {
  const service = await register();
  await serve(service, (_, { id, queryString }) => reply(id, String(queryString)));
  const tokens = [await asAlice(), await signIn('alice@acme', 'alice-acme', 1)];
  const before = cloud.cells.map((cell) => cell.counts.answered);
  const results = await Promise.all(
    Array.from({ length: 200 }, async (_, index) => {
      const cell = index % 2;
      const headers = { 'x-vcloud-authorization': tokens[cell] ?? '' };
      const response = await fetch(`${cellUrl(cell)}${service.path}?n=${index}`, { headers });
      return response.text();
    }),
  );
  expect(results).toEqual(Array.from({ length: 200 }, (_, index) => `n=${index}`));
  expect(cloud.cells.map((cell) => cell.counts.answered - 100)).toEqual(before);
  expect(cloud.cells[0]?.replyQueue).not.toBe(cloud.cells[1]?.replyQueue);
});

test('both kinds of token open both fronts, and a session that was ended opens none', async () => {
  const basic = Buffer.from('alice@acme:alice-acme').toString('base64');
  const sign = (path: string) =>
    fetch(`${cellUrl()}${path}`, {
      method: 'POST',
      headers: { Authorization: `Basic ${basic}`, Accept: 'application/json;version=37.0' },
    });
  expect((await sign('/cloudapi/1.0.0/sessions/provider')).status).toBe(401);
  const jwt = (await sign('/cloudapi/1.0.0/sessions')).headers.get('x-vmware-vcloud-access-token');
  expect(jwt).toMatch(/^[\w-]+\.[\w-]+\.[\w-]+$/);
  const session = (headers: Record<string, string>, method = 'GET') =>
    fetch(`${cellUrl(1)}/api/session`, { method, headers });
  for (const token of [jwt ?? '', await asAlice()]) {
    expect((await session({ Authorization: `Bearer ${token}` })).status).toBe(200);
    expect((await session({ 'x-vcloud-authorization': token })).status).toBe(200);
    expect((await session({ Authorization: `Bearer ${token}` }, 'DELETE')).status).toBe(204);
    expect((await session({ 'x-vcloud-authorization': token })).status).toBe(401);
  }
});

test('without the broker clients get 503, and when it is back calls are answered again', async () => {
  const token = await asAlice();
  const service = await register();
  const away = await proxy.refuse();
  const get = () =>
    fetch(cellUrl() + service.path, { headers: { 'x-vcloud-authorization': token } });
  await expect.poll(() => cloud.cells[0]?.connected(), { timeout: 10_000 }).toBe(false);
  expect((await get()).status).toBe(503);
  await away[Symbol.asyncDispose]();
  await expect
    .poll(() => cloud.cells.every((cell) => cell.connected()), { timeout: 10_000 })
    .toBe(true);
  await serve(service, (_, { id }) => reply(id, 'back'));
  expect(await (await get()).text()).toBe('back');
});

test('a connection that nobody wants any more when it comes is closed, whatever is waited for on it', async () => {
  const stop = new AbortController();
  const seen: boolean[] = [];
  const loop = keepConnected(rabbit.url, stop.signal, ({ ended }) => {
    seen.push(ended.aborted);
    return new Promise(() => undefined);
  });
  stop.abort();
  await loop;
  expect(seen).toEqual([true]);
});
