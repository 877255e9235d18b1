/** Chains of services: the cell's answers past response filters, and requests along several services. */
import { expect, test } from 'vitest';

import { matchesMedia } from '../../../sdk/localcloud/cell/amqp/filters.ts';
import {
  type Message,
  answerWith,
  createCloud,
  filters,
  mediaFilter,
  registerService,
  urlFilter,
} from './kit.ts';

const ORG = 'application/vnd.vmware.vcloud.org+xml';
const bodyOf = ({ body }: Message) => Buffer.from(String(body), 'base64').toString();

test('an answer of the cell goes to the service that filters its type, and what comes back to the client', async () => {
  const cloud = createCloud();
  const seen: [string, Message][] = [];
  await registerService(cloud, { containers: filters(mediaFilter(ORG)) });
  cloud.services.set('s', (message, type) => {
    seen.push([type, message]);
    return answerWith(message, bodyOf(message).replace('<Org ', '<Org x="y" '), {
      statusCode: 203,
      headers: { 'Content-Type': ORG, 'X-Mine': '1' },
    });
  });
  const alice = cloud.user('alice');
  const answer = await cloud.call(`GET /api/org/${alice.org.id}?a=b`, { as: alice });
  expect(answer.status).toBe(203);
  expect(answer.text).toContain('<Org x="y" ');
  expect(answer.headers.get('x-mine')).toBe('1');
  const [[type, message] = []] = seen;
  expect(type).toBe('ProcessHttpResponse');
  expect(message).toMatchObject({
    request: false,
    statusCode: 200,
    method: 'GET',
    requestUri: `/api/org/${alice.org.id}`,
    queryString: 'a=b',
    headers: { 'content-type': `${ORG};version=37.0` },
  });
  expect(message && bodyOf(message)).toContain(`name="acme"`);
  await cloud.call(`GET /api/org/${alice.org.id}`, { as: alice, json: true });
  await cloud.call('GET /api/org', { as: alice });
  expect(seen).toHaveLength(1);
});

test('a response cannot be answered by a request', async () => {
  const cloud = createCloud();
  await registerService(cloud, { containers: filters(mediaFilter(ORG)) });
  cloud.services.set('s', (message) => ({ ...message, request: true, statusCode: 0 }));
  expect((await cloud.call(`GET /api/org/${cloud.org('acme').id}`)).status).toBe(500);
});

test('several services see an answer one after the other, by priority, each once', async () => {
  const cloud = createCloud();
  for (const [name, priority] of [
    ['low', 10],
    ['high', 90],
  ] as const) {
    await registerService(cloud, { name, priority, containers: filters(mediaFilter(ORG)) });
    cloud.services.set(name, (message) =>
      answerWith(message, `${bodyOf(message).slice(-40)}[${name}]`, {
        headers: { 'Content-Type': ORG },
      }),
    );
  }
  const answer = await cloud.call(`GET /api/org/${cloud.org('acme').id}`);
  expect(answer.text).toMatch(/\[high\]\[low\]$/);
});

test('sign-in, the extension tree and answers of services are never filtered', async () => {
  const cloud = createCloud();
  const medias = [
    'application/vnd.vmware.vcloud.session+xml',
    'application/vnd.vmware.admin.extensionServices+xml',
    'text/plain',
  ];
  await registerService(cloud, { containers: filters(...medias.map(mediaFilter)) });
  await registerService(cloud, { name: 't', containers: filters(urlFilter('/api/t')) });
  cloud.services.set('t', (message) => answerWith(message, 'plain'));
  for (const path of ['/api/session', '/api/admin/extension/service', '/api/t'])
    await cloud.expectCall(200, `GET ${path}`);
});

test.each([
  ['application/a+xml', 'application/A+XML;version=37.0', true],
  ['application/a+xml;version=37.0', 'application/a+xml; version=37.0', true],
  ['application/a+xml;version=38.0', 'application/a+xml;version=37.0', false],
  ['application/a+xml', 'application/a+json;version=37.0', false],
  ['application/a', 'application/ab', false],
])('the filter %s on %s is %s', (filter, media, verdict) => {
  expect(matchesMedia(filter, media)).toBe(verdict);
});

test('the first service that answers a request ends the chain', async () => {
  const cloud = createCloud();
  for (const [name, priority] of [
    ['low', 10],
    ['high', 90],
  ] as const) {
    await registerService(cloud, { name, priority, containers: filters(urlFilter('/api/x')) });
    cloud.services.set(name, (message) => answerWith(message, name));
  }
  expect((await cloud.call('GET /api/x')).text).toBe('high');
});

test('a service may hand the request on, changed, to the next and at last to the cell', async () => {
  const cloud = createCloud();
  const { id } = cloud.org('acme');
  const seen: Message[] = [];
  const containers = filters(urlFilter('/api/org/.*'));
  for (const [name, priority] of [
    ['low', 10],
    ['high', 90],
  ] as const) {
    await registerService(cloud, { name, priority, containers });
    cloud.services.set(name, (message) => {
      seen.push(message);
      const headers = { ...(message['headers'] as object), [`X-${name}`]: '1' };
      return { ...message, requestUri: `/api/org/${id}`, headers };
    });
  }
  const answer = await cloud.expectCall(200, 'GET /api/org/mine', { as: cloud.user('bob') });
  expect(answer.xml.attributes['name']).toBe('acme');
  expect(seen.map(({ requestUri }) => requestUri)).toEqual(['/api/org/mine', `/api/org/${id}`]);
  expect(seen[1]?.['headers']).toMatchObject({ 'X-high': '1' });
  // Whatever services write into it, the request stays its user's.
  const stranger = await cloud.call('GET /api/org/mine', { as: cloud.user('bob', 'globex') });
  expect(stranger.status).toBe(403);
});
