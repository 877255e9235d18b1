/** An event whose body lies: about whose blocking task it is, and about what it is about. */
import { expect, test } from 'vitest';

import {
  openNotificationBindings,
  type NotificationCall,
} from '../../../host/bindings/blocking-task/open.ts';
import { createRegistry } from '../../../host/bindings/registry.ts';
import { silentLog } from '../../../host/kernel/log.ts';
import { createMetrics } from '../../../host/kernel/metrics.ts';
import { openDatabase } from '../../../host/storage/sqlite/database.ts';
import { createSqliteOpenBlocking } from '../../../host/storage/sqlite/open-blocking.ts';
import { createBlockingVcloud } from '../../support/vcloud/blocking-vcloud.ts';
import { ACME_ID } from '../../support/vcloud/scripted-vcloud.ts';

const OPERATION = 'vdcInstantiateVapp';
const TRUE_ORG = `urn:vcloud:org:${ACME_ID}`;
const LIAR = 'urn:vcloud:org:00000000-0000-4000-8000-0000000000ff';

function openHost() {
  const vcloud = createBlockingVcloud();
  const database = openDatabase(':memory:');
  const store = createSqliteOpenBlocking(database);
  const log = silentLog;
  const host = openNotificationBindings({ client: vcloud.client, store, log, leaseMs: 3_600_000 });
  return {
    vcloud,
    store,
    host,
    async [Symbol.asyncDispose]() {
      await host[Symbol.asyncDispose]();
      database.close();
    },
  };
}

const announce = (id: string, org: string, taskName: string | null = OPERATION) =>
  ({
    callId: `call-${org}`,
    plugin: 'approval',
    org,
    type: 'com/vmware/vcloud/event/blockingtask/create',
    entity: `urn:vcloud:blockingTask:${id}`,
    taskOwner: null,
    resolver: null,
    taskName,
    policy: { operations: [OPERATION], onFailure: 'abort', decideWithinMs: 60_000 },
  }) as const satisfies NotificationCall;

test('an event of one org never puts the blocking task of another into a plug-in’s hands, nor lets it pass', async () => {
  await using opened = openHost();
  const { vcloud, host, store } = opened;
  const id = vcloud.hold(OPERATION);
  for (const name of [OPERATION, null]) {
    const hand = await host.begin(announce(id, LIAR, name));
    expect(hand).toMatchObject({ blockingTask: null, grants: ['notification'] });
    await hand.close('returned');
    await host.pass(announce(id, LIAR, name));
  }
  await host.sweep();
  expect(vcloud.tasks.get(id)?.status).toBe('active');
  expect(await store.count()).toBe(0);
});

test('a lie in between takes nothing from the hand that has the task', async () => {
  await using opened = openHost();
  const { vcloud, host, store } = opened;
  const id = vcloud.hold(OPERATION);
  const hand = await host.begin(announce(id, TRUE_ORG));
  expect(hand.blockingTask).toMatchObject({ id });
  await (await host.begin(announce(id, LIAR))).close('failed');
  expect(await store.count()).toBe(1);
  expect(vcloud.tasks.get(id)?.status).toBe('active');
  await hand.close('returned');
  expect(vcloud.tasks.get(id)?.status).toBe('abort');
});

test.each([
  [null, '/api/entity/'],
  ['https://vcd.example.com/api/entity/', '/api/entity/'],
  ['https://cell-2.example.com/api/site-b/entity/', '/api/site-b/entity/'],
  // No other address is ever asked on the word of an event.
  ['https://evil.example.com/', '/api/entity/'],
  ['https://evil.example.com/api/admin/extension/settings/amqp?x=entity/', '/api/entity/'],
  ['https://evil.example.com/api/../cloudapi/entity/', '/api/entity/'],
  ['https://evil.example.com/api/%2e%2e/entity/', '/api/entity/'],
])(
  'what an event is about is asked for in the context of its org, by its resolver %s',
  async (resolver, path) => {
    await using opened = openHost();
    const { vcloud, host } = opened;
    const entity = 'urn:vcloud:vapp:80000000-0000-4000-8000-000000000001';
    const call = { ...announce('', TRUE_ORG), entity, resolver, policy: null };
    const hand = await host.begin(call);
    const registry = createRegistry(host.bindings, { log: silentLog, metrics: createMetrics() });
    const asked = await registry.serve(
      hand.grants,
      { plugin: 'approval', version: '1.0.0', org: TRUE_ORG, user: '', callId: call.callId },
      { binding: 'notification', method: 'entity', argsJson: '[]' },
      new AbortController().signal,
    );
    const sent = vcloud.sent.find((one) => one.path.endsWith(entity));
    expect(sent?.path).toBe(`${path}${entity}`);
    if (path === '/api/entity/')
      expect(JSON.parse(asked)).toMatchObject({ ok: true, value: { id: entity } });
    expect(sent?.headers['x-vmware-vcloud-tenant-context']).toBe(ACME_ID);
  },
);
