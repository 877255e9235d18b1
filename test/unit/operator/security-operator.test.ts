/** What an owner's token opens is theirs, and nothing that goes by a name which another had before. */
import { expect, test } from 'vitest';

import type { ParkedEvents } from '../../../host/message/events.ts';
import { operatorApp } from '../../../host/operator/server.ts';
import { createOperatorParts, OPERATOR_TOKEN } from '../../support/operator/kit.ts';

const ORG_A = 'urn:vcloud:org:00000000-0000-4000-8000-00000000000a';

async function open() {
  const parts = createOperatorParts();
  const asked: string[] = [];
  const note = (what: string) => async (plugin: string) => {
    asked.push(`${what} ${plugin}`);
    return { events: [], total: 0, done: 1, failed: [] } as never;
  };
  const parked: ParkedEvents = {
    list: note('list'),
    read: note('read'),
    replay: note('replay'),
    drop: note('drop'),
  };
  const status = () => {
    asked.push('status');
    return { consuming: true, reason: null, subscriptions: [], orphans: ['demo'] };
  };
  const events = { parked, status, changes: { record: async () => undefined } };
  const app = operatorApp({ ...parts.options, events });
  const call = (token: string, method: string, path: string, body?: object) =>
    app.request(`http://127.0.0.1/api/v1${path}`, {
      method,
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      ...(body ? { body: JSON.stringify(body) } : {}),
    });
  const made = await call(OPERATOR_TOKEN, 'POST', '/tokens', { name: 'a', owner: ORG_A });
  const { token } = (await made.json()) as { token: string };
  return { asked, call, token, [Symbol.asyncDispose]: () => parts[Symbol.asyncDispose]() };
}

test('parked events go by the name of a plug-in, which may be another’s by now: no owner sees them', async () => {
  await using opened = await open();
  const { asked, call, token } = opened;
  const orders = [
    ['GET', '/events'],
    ['GET', '/events/demo'],
    ['GET', '/events/demo/1'],
    ['POST', '/events/demo/replay', { ids: 'all' }],
    ['DELETE', '/events/demo', { ids: 'all' }],
  ] as const;
  for (const [method, path, body] of orders)
    expect((await call(token, method, path, body)).status).toBe(403);
  expect(asked).toEqual([]);
  for (const [method, path, body] of orders)
    expect((await call(OPERATOR_TOKEN, method, path, body)).status).toBe(200);
  const calls = asked.filter((one) => one !== 'status');
  expect(calls).toEqual(['list demo', 'read demo', 'replay demo', 'drop demo']);
});

test.each([
  ['GET', '/cluster'],
  ['GET', '/tokens'],
  ['POST', '/tokens', { name: 'more', owner: 'provider' }],
  ['DELETE', '/tokens/a'],
  ['POST', '/plugins/demo/approve', { version: '1.0.0' }],
  ['POST', '/plugins?approve=1'],
  ['PUT', `/plugins/demo/tenants/${ORG_A}/limits`, { cpuMs: 10 }],
])('%s %s is not for owners', async (method, path, body?: object) => {
  await using opened = await open();
  const answer = await opened.call(opened.token, method, path, body);
  expect(answer.status).toBe(403);
  expect(await answer.json()).toMatchObject({ code: 'OPERATOR_FORBIDDEN' });
});
