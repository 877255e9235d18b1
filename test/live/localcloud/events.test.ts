/** Events and blocking tasks of the simulated cells over a real RabbitMQ, as a subscriber of both exchanges sees them. */
import { type ChannelModel, type ConsumeMessage, connect } from 'amqplib';
import { afterAll, beforeAll, expect, test } from 'vitest';

import { readXml } from '../../../sdk/localcloud/cell/documents/xml.ts';
import { type Cells, openCells } from '../../../sdk/localcloud/cell/open.ts';
import { type Vhost, openVhost } from '../../support/rabbit/vhost.ts';
import { waitFor } from '../../support/wait.ts';

const ROOT = 'com/vmware/vcloud/event/';
const VMEXT = 'http://www.vmware.com/vcloud/extension/v1.5';
const VCLOUD = 'http://www.vmware.com/vcloud/v1.5';
const HEAD = `xmlns="${VCLOUD}" xmlns:vmext="${VMEXT}"`;

let rabbit: Vhost;
let cloud: Cells;
let connection: ChannelModel;

beforeAll(async () => {
  rabbit = await openVhost();
  cloud = await openCells({ amqpUrl: rabbit.url, count: 2 });
  connection = await connect(rabbit.url, { noDelay: true });
  connection.on('error', () => undefined);
});

afterAll(async () => {
  await connection?.close().catch(() => undefined);
  await cloud?.[Symbol.asyncDispose]();
  await rabbit?.[Symbol.asyncDispose]();
});

/** What comes to a queue of its own behind an exchange. */
async function subscribe(exchange: string, pattern = '#'): Promise<ConsumeMessage[]> {
  const seen: ConsumeMessage[] = [];
  const channel = await connection.createChannel();
  const { queue } = await channel.assertQueue('', { exclusive: true });
  await channel.bindQueue(queue, exchange, pattern);
  await channel.consume(queue, (message) => void (message && seen.push(message)), { noAck: true });
  return seen;
}

const sessions = new Map<string, Promise<string>>();

/** One session for each account, so that signing in is no event of its own later. */
function tokenOf(login: string, password: string): Promise<string> {
  const known = sessions.get(login);
  if (known) return known;
  const basic = Buffer.from(`${login}:${password}`).toString('base64');
  const token = fetch(`${cloud.cells[0]?.url}/api/sessions`, {
    method: 'POST',
    headers: { Authorization: `Basic ${basic}`, Accept: 'application/*+xml;version=37.0' },
  }).then((response) => response.headers.get('x-vcloud-authorization') ?? '');
  sessions.set(login, token);
  return token;
}

interface Sent {
  readonly body?: string;
  readonly type?: string;
  /** As the tenant instead of the system administrator. */
  readonly tenant?: boolean;
}

async function send(status: number, what: string, sent: Sent = {}): Promise<string> {
  const [method = '', target = ''] = what.split(' ');
  const token = await (sent.tenant
    ? tokenOf('alice@acme', 'alice-acme')
    : tokenOf('administrator@System', 'administrator'));
  const url = target.startsWith('http') ? target : `${cloud.cells[1]?.url}${target}`;
  const response = await fetch(url, {
    method,
    headers: {
      'x-vcloud-authorization': token,
      Accept: 'application/*+xml;version=37.0',
      ...(sent.type === undefined ? {} : { 'Content-Type': sent.type }),
    },
    ...(sent.body === undefined ? {} : { body: sent.body }),
  });
  const text = await response.text();
  expect(response.status, `${what}: ${text}`).toBe(status);
  return text;
}

const emit = async (event: object) =>
  JSON.parse(await send(200, 'POST /_local/events', { body: JSON.stringify(event) })) as {
    eventId: string;
    eventIds: string[];
  };

const acme = () => cloud.orgs.find(({ name }) => name === 'acme');
const settingsBody = (action: string, ms: number) =>
  `<vmext:BlockingTaskSettings ${HEAD}><vmext:TimeoutAction>${action}</vmext:TimeoutAction><vmext:BlockingTaskOperations><TaskOperationType><Operation>vdcInstantiateVapp</Operation></TaskOperationType></vmext:BlockingTaskOperations><vmext:TimeoutInMilliseconds>${ms}</vmext:TimeoutInMilliseconds></vmext:BlockingTaskSettings>`;

async function instantiate(name: string): Promise<string> {
  const body = `<InstantiateVAppTemplateParams ${HEAD} name="${name}"><Source href="x"/></InstantiateVAppTemplateParams>`;
  const path = `/api/vdc/${acme()?.vdcs[0]?.id}/action/instantiateVAppTemplate`;
  const type = 'application/vnd.vmware.vcloud.instantiateVAppTemplateParams+xml';
  const text = await send(201, `POST ${path}`, { body, type, tenant: true });
  return /<Task [^>]*href="([^"]+)"/.exec(text)?.[1] ?? '';
}

const fieldsOf = (message: ConsumeMessage) =>
  JSON.parse(message.content.toString()) as Record<string, unknown>;

test('an event comes to both exchanges with the same key and headers, in XML and in JSON', async () => {
  const xml = await subscribe('systemExchange', 'true.#.com.vmware.vcloud.event.session.login');
  const json = await subscribe('vcd.notifications20', `*.*.${acme()?.id}.#`);
  sessions.clear();
  await tokenOf('alice@acme', 'alice-acme');
  await waitFor(() => xml.length === 1 && json.length === 1);
  const [first, second] = [xml[0], json[0]];
  if (!first || !second) throw new Error('no messages');
  const alice = acme()?.users.find(({ name }) => name === 'alice')?.id ?? '';
  const key = `true.${alice}.${acme()?.id}.${alice}.com.vmware.vcloud.event.session.login`;
  expect([first.fields.routingKey, second.fields.routingKey]).toEqual([key, key]);
  expect(first.properties.headers).toEqual(second.properties.headers);
  expect(first.properties.headers).toEqual({
    'notification.type': `${ROOT}session/login`,
    'notification.entityType': 'user',
    'notification.entityUUID': alice,
    'notification.orgUUID': acme()?.id,
    'notification.userUUID': alice,
    'notification.operationSuccess': true,
  });
  expect(first.properties.contentType).toBe('application/vnd.vmware.admin.notification+xml');
  expect(second.properties.contentType).toBe('application/json');
  const { attributes } = readXml(first.content.toString());
  expect(fieldsOf(second)).toMatchObject({
    eventId: attributes['eventId'],
    type: `${ROOT}session/login`,
    entity: `urn:vcloud:user:${alice}`,
  });
});

test('a blocking task is told of, found by its resolver, resumed, and its operation told of to the end', async () => {
  const seen = await subscribe('systemExchange', '#.vdcInstantiateVapp');
  const made = await subscribe('vcd.notifications20', 'true.#.com.vmware.vcloud.event.vapp.create');
  const settings = '/api/admin/extension/settings/blockingTask';
  const type = 'application/vnd.vmware.admin.blockingTaskSettings+xml';
  await send(200, `PUT ${settings}`, { body: settingsBody('abort', 600_000), type });
  const task = await instantiate('resumed');
  const typeOf = (message: ConsumeMessage) =>
    String(message.properties.headers?.['notification.type']).replace(ROOT, '');
  await waitFor(() => seen.some((message) => typeOf(message) === 'blockingtask/create'));
  const message = seen.find((item) => typeOf(item) === 'blockingtask/create');
  const parts = readXml(message?.content.toString() ?? '').children;
  const resolver = parts.find(({ attributes }) => attributes['rel'] === 'entityResolver');
  const entity = parts.find(({ attributes }) => attributes['rel'] === 'entity');
  const found = await send(200, `GET ${resolver?.attributes['href']}${entity?.attributes['id']}`);
  const blocking = /rel="alternate" href="([^"]+)"/.exec(found)?.[1] ?? '';
  const text = await send(200, `GET ${blocking}`);
  const resume = /rel="resume" href="([^"]+)" type="([^"]+)"/.exec(text) ?? [];
  const body = `<vmext:BlockingTaskOperationParams ${HEAD}><vmext:Message>yes</vmext:Message></vmext:BlockingTaskOperationParams>`;
  await send(204, `POST ${resume[1]}`, { body, type: resume[2] ?? '' });
  await send(400, `POST ${resume[1]}`, { body, type: resume[2] ?? '' });
  await waitFor(() => made.length === 1);
  await waitFor(() => seen.length === 5);
  expect(seen.map(typeOf)).toEqual([
    'task/create',
    'blockingtask/create',
    'blockingtask/resume',
    'task/start',
    'task/complete',
  ]);
  expect(await send(200, `GET ${task}`)).toContain('status="success"');
});

test('a blocking task that nobody cares for is ended by its time-out', async () => {
  const seen = await subscribe('vcd.notifications20', '#.task.abort.vdcInstantiateVapp');
  const type = 'application/vnd.vmware.admin.blockingTaskSettings+xml';
  const settings = '/api/admin/extension/settings/blockingTask';
  await send(200, `PUT ${settings}`, { body: settingsBody('abort', 50), type });
  const task = await instantiate('forgotten');
  await waitFor(() => seen.length === 1);
  expect(await send(200, `GET ${task}`)).toContain('status="aborted"');
  expect(fieldsOf(seen[0] as ConsumeMessage)).toMatchObject({ operationSuccess: false });
});

test('thousands of events come in order', async () => {
  const before = cloud.notified().published;
  const json = await subscribe('vcd.notifications20', '#.flood');
  const { eventIds } = await emit({ type: 'org/example/flood', count: 5_000, entities: 50 });
  await waitFor(() => json.length >= 5_000);
  expect(json.map((message) => fieldsOf(message)['eventId'])).toEqual(eventIds);
  await waitFor(() => cloud.notified().waiting === 0);
  expect(cloud.notified().published).toBeGreaterThanOrEqual(before + 5_000);
});

test('the exchange of the settings is made and used from then on', async () => {
  const body = (exchange: string) => {
    const url = new URL(rabbit.url);
    const vhost = decodeURIComponent(url.pathname.slice(1)) || '/';
    return `<vmext:AmqpSettings ${HEAD}><vmext:AmqpHost>${url.hostname}</vmext:AmqpHost><vmext:AmqpPort>${url.port || 5672}</vmext:AmqpPort><vmext:AmqpUsername>${decodeURIComponent(url.username)}</vmext:AmqpUsername><vmext:AmqpExchange>${exchange}</vmext:AmqpExchange><vmext:AmqpVHost>${vhost}</vmext:AmqpVHost><vmext:AmqpUseSSL>false</vmext:AmqpUseSSL></vmext:AmqpSettings>`;
  };
  const path = '/api/admin/extension/settings/amqp';
  const type = 'application/vnd.vmware.admin.amqpSettings+xml';
  const tested = await send(200, `POST ${path}/action/test`, { body: body('mine'), type });
  expect(tested).toContain('<vmext:Valid>true</vmext:Valid>');
  await send(200, `PUT ${path}`, { body: body('mine'), type });
  await emit({ type: 'org/example/first' });
  await waitFor(() => cloud.notified().waiting === 0);
  const [mine, old] = [await subscribe('mine'), await subscribe('systemExchange', '#.moved')];
  const { eventId } = await emit({ type: 'org/example/moved' });
  await waitFor(() => mine.length === 1);
  expect(mine[0]?.content.toString()).toContain(eventId);
  expect(old).toEqual([]);
});
