/** Blocking tasks against a simulated cell: settings reconciled, operations held, decided and timed out. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, beforeAll, expect, test } from 'vitest';

import {
  openNotificationBindings,
  type NotificationBindings,
  type NotificationCall,
} from '../../../host/bindings/blocking-task/open.ts';
import { createRegistry } from '../../../host/bindings/registry.ts';
import { silentLog } from '../../../host/kernel/log.ts';
import { createMetrics } from '../../../host/kernel/metrics.ts';
import { openDatabase } from '../../../host/storage/sqlite/database.ts';
import { createSqliteOpenBlocking } from '../../../host/storage/sqlite/open-blocking.ts';
import { listBlockingTasks, readBlockingTask } from '../../../host/vcloud/blocking-tasks/tasks.ts';
import { openVcloud, type VcloudClient } from '../../../host/vcloud/client.ts';
import { uuidOf } from '../../../host/vcloud/links.ts';
import {
  applyBlockingTasks,
  planBlockingTasks,
} from '../../../host/vcloud/registration/blocking-tasks.ts';
import { openCells, type Cells } from '../../../sdk/localcloud/cell/open.ts';
import { openVhost } from '../../support/rabbit/vhost.ts';
import { waitFor } from '../../support/wait.ts';

const OPERATION = 'vdcInstantiateVapp';
const stack = new AsyncDisposableStack();
let cells: Cells;
let client: VcloudClient;
let host: NotificationBindings;

beforeAll(async () => {
  const folder = mkdtempSync(join(tmpdir(), 'vcx-held-'));
  stack.defer(() => rmSync(folder, { recursive: true }));
  const rabbit = stack.use(await openVhost());
  cells = stack.use(await openCells({ amqpUrl: rabbit.url, count: 1 }));
  const credentials = { kind: 'password', ...cells.provider } as const;
  client = stack.use(openVcloud({ url: cells.cells[0]?.url ?? '', credentials }));
  const database = openDatabase(join(folder, 'vcx.sqlite'));
  stack.defer(() => database.close());
  const store = createSqliteOpenBlocking(database);
  host = stack.use(openNotificationBindings({ client, store, log: silentLog }));
});
afterAll(() => stack.disposeAsync());

const wish = (timeoutMs: number) =>
  ({ operations: [OPERATION], timeoutMs, timeoutAction: 'fail' }) as const;

/** A new vApp of the first org, which vCloud holds; gives the blocking task as an event announces it. */
async function heldVApp(decideWithinMs = 60_000): Promise<NotificationCall> {
  const org = cells.orgs[0];
  const before = await listBlockingTasks(client);
  await client.request('POST', `/api/vdc/${org?.vdcs[0]?.id}/action/instantiateVAppTemplate`, {
    body: `<InstantiateVAppTemplateParams xmlns="http://www.vmware.com/vcloud/v1.5" name="web"><Source href="x"/></InstantiateVAppTemplateParams>`,
    type: 'application/vnd.vmware.vcloud.instantiateVAppTemplateParams+xml',
  });
  const after = await listBlockingTasks(client);
  const found = after.find(({ id }) => before.every((other) => other.id !== id));
  const { owner } = await readBlockingTask(client, found?.id ?? '');
  return {
    callId: 'call-1',
    plugin: 'approval',
    org: `urn:vcloud:org:${org?.id}`,
    type: 'com/vmware/vcloud/event/blockingtask/create',
    entity: `urn:vcloud:blockingTask:${found?.id}`,
    taskOwner: `urn:vcloud:vapp:${uuidOf(owner ?? '')}`,
    resolver: null,
    taskName: OPERATION,
    policy: { operations: [OPERATION], onFailure: 'abort', decideWithinMs },
  };
}

const statusOf = async ({ entity }: NotificationCall) =>
  (await readBlockingTask(client, uuidOf(entity ?? '') ?? '')).status;

test('settings are planned, applied and then as wished', async () => {
  const planned = await planBlockingTasks(client, wish(120_000));
  expect(planned.changes.map(({ action }) => action)).toEqual(['update', 'add']);
  await applyBlockingTasks(client, planned);
  expect((await planBlockingTasks(client, wish(120_000))).changes).toEqual([]);
});

test('a plug-in extends and resumes what waits, knows its entity, and can not decide twice', async () => {
  const call = await heldVApp();
  const hand = await host.begin(call);
  const registry = createRegistry(host.bindings, { log: silentLog, metrics: createMetrics() });
  const { plugin, org, callId } = call;
  const ask = async (method: string, ...args: unknown[]) => {
    const wanted = { binding: 'blockingTask', method, argsJson: JSON.stringify(args) };
    const grant = { plugin, org, callId, user: '', version: '1.0.0' };
    const { signal } = new AbortController();
    return JSON.parse(await registry.serve(hand.grants, grant, wanted, signal)) as object;
  };
  const progress = await ask('updateProgress', 'counting', { timeoutMs: 600_000 });
  expect(progress).toMatchObject({ ok: true, value: { timeoutAt: expect.any(Number) } });
  expect(await ask('entity')).toMatchObject({
    value: {
      id: call.taskOwner,
      links: [{ path: expect.stringContaining('/api/vApp/vapp-') }],
    },
  });
  expect(await ask('resume', 'room enough')).toMatchObject({ ok: true });
  expect(await ask('abort')).toMatchObject({ code: 'BLOCKING_TASK_OVER' });
  expect(await statusOf(call)).toBe('resumed');
  await hand.close('returned');
});

test('a decision that somebody else has made already is known by its code', async () => {
  const call = await heldVApp();
  const hand = await host.begin(call);
  const path = `/api/admin/extension/blockingTask/${uuidOf(call.entity ?? '')}/action/fail`;
  const value = { Message: 'by hand' };
  await client.sendXml('POST', path, { name: 'BlockingTaskOperationParams', value });
  await hand.close('returned');
  expect(await statusOf(call)).toBe('failed');
  expect((await host.begin(call)).blockingTask).toBe(null);
});

test("a handler that takes too long is decided for before vCloud's own time-out", async () => {
  await applyBlockingTasks(client, await planBlockingTasks(client, wish(5_000)));
  const call = await heldVApp();
  const hand = await host.begin(call);
  await waitFor(async () => (await statusOf(call)) !== 'active');
  // vCloud itself would have said `failed`.
  expect(await statusOf(call)).toBe('aborted');
  await hand.close('returned');
});
