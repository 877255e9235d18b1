/** Parked events over the operator API: who may see and settle which. */
import { expect, test } from 'vitest';

import { operatorApp } from '../../../host/operator/server.ts';
import { ORG_A } from '../../support/plugins/bundles.ts';
import {
  createMemoryParked,
  parkedEvent,
  WAITING_QUEUE,
} from '../../support/operator/memory-parked.ts';
import { createOperatorParts, OPERATOR_TOKEN } from '../../support/operator/kit.ts';

function open() {
  const events = createMemoryParked();
  const { options } = createOperatorParts();
  const app = operatorApp({ ...options, events });
  async function ask(what: string, json?: unknown, token = OPERATOR_TOKEN) {
    const [method = '', path = ''] = what.split(' ');
    const response = await app.request(`/api/v1${path}`, {
      method,
      headers: { Authorization: `Bearer ${token}`, 'Content-Type': 'application/json' },
      ...(json === undefined ? {} : { body: JSON.stringify(json) }),
    });
    return { status: response.status, body: (await response.json()) as Record<string, unknown> };
  }
  return { events, ask };
}

test('what is parked is listed, shown, replayed and dropped, and who did it is written down', async () => {
  const { events, ask } = open();
  events.kept.set(
    'demo',
    ['a', 'b', 'c'].map((id) => parkedEvent(id)),
  );
  expect((await ask('GET /events/demo?limit=2')).body).toMatchObject({
    total: 3,
    events: [{ id: 'a' }, { id: 'b' }],
  });
  expect((await ask('GET /events/demo/b')).body).toMatchObject({
    id: 'b',
    event: { eventId: 'event-b' },
  });
  const replayed = await ask('POST /events/demo/replay', { ids: ['b', 'x'] });
  expect(replayed.body).toEqual({ done: 1, failed: [{ id: 'x', reason: 'not parked' }] });
  expect(events.replayed).toEqual(['b']);
  expect((await ask('DELETE /events/demo', { ids: 'all' })).body).toEqual({ done: 2, failed: [] });
  expect((await ask('GET /events/demo')).status).toBe(404);
  events.now = { ...events.now, orphans: ['demo'] };
  expect((await ask('GET /events/demo')).body).toEqual({ total: 0, events: [] });
  expect(events.recorded).toMatchObject([
    { who: 'operator', action: 'events.replay', plugin: 'demo', subject: '1 parked events' },
    { who: 'operator', action: 'events.drop', plugin: 'demo', subject: '2 parked events' },
  ]);
});

test('how the queues are is told, with what is wrong as code and text', async () => {
  const { events, ask } = open();
  const orphans = ['gone'];
  events.now = { consuming: false, reason: 'odd', subscriptions: [WAITING_QUEUE], orphans };
  const { status, body } = await ask('GET /events');
  expect(status).toBe(200);
  expect(body).toMatchObject({
    reason: 'odd',
    orphans,
    subscriptions: [
      {
        plugin: 'demo',
        waiting: 7,
        missing: ['systemExchange'],
        problem: { code: 'BROKER_TOPOLOGY', message: 'queue vcx.events.demo: odd' },
      },
    ],
  });
});

test.each([
  ['GET /events/demo/nobody', undefined, 404, 'OPERATOR_NOT_FOUND'],
  ['GET /events/dmeo', undefined, 404, 'OPERATOR_NOT_FOUND'],
  ['DELETE /events/dmeo', { ids: 'all' }, 404, 'OPERATOR_NOT_FOUND'],
  ['GET /events/Demo', undefined, 404, 'PLUGIN_UNKNOWN'],
  ['GET /events/demo?limit=0', undefined, 400, 'OPERATOR_INPUT'],
  ['DELETE /events/demo', undefined, 400, 'OPERATOR_INPUT'],
  ['DELETE /events/demo', { ids: [] }, 400, 'OPERATOR_INPUT'],
  ['POST /events/demo/replay', { ids: 'some' }, 400, 'OPERATOR_INPUT'],
  ['POST /events/demo/replay', { ids: ['../x'] }, 400, 'OPERATOR_INPUT'],
])('%s with %j is refused with %i', async (what, json, status, code) => {
  const { events, ask } = open();
  events.kept.set('demo', [parkedEvent('a')]);
  expect(await ask(what, json)).toMatchObject({ status, body: { code } });
  expect(events.kept.get('demo')).toHaveLength(1);
});

test('they are for the operator alone: events of several orgs lie side by side', async () => {
  const { events, ask } = open();
  const made = await ask('POST /tokens', { name: 'them', owner: ORG_A });
  const token = made.body['token'] as string;
  events.kept.set('demo', [parkedEvent('a')]);
  for (const [what, json] of [
    ['GET /events', undefined],
    ['GET /events/demo', undefined],
    ['GET /events/demo/a', undefined],
    ['POST /events/demo/replay', { ids: 'all' }],
    ['DELETE /events/demo', { ids: 'all' }],
  ] as const)
    expect(await ask(what, json, token)).toMatchObject({ status: 403 });
  expect(events.kept.get('demo')).toHaveLength(1);
});
