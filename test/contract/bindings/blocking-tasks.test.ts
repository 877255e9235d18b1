/** Blocking tasks: what vcx says to vCloud, who decides, and that nothing held is ever forgotten. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, test } from 'vitest';

import {
  openNotificationBindings,
  type NotificationCall,
  type NotificationInHand,
} from '../../../host/bindings/blocking-task/open.ts';
import { createRegistry } from '../../../host/bindings/registry.ts';
import { silentLog } from '../../../host/kernel/log.ts';
import { createMetrics } from '../../../host/kernel/metrics.ts';
import { openDatabase } from '../../../host/storage/sqlite/database.ts';
import { createSqliteOpenBlocking } from '../../../host/storage/sqlite/open-blocking.ts';
import {
  endBlockingTask,
  extendBlockingTask,
  listBlockingTasks,
  readBlockingTask,
} from '../../../host/vcloud/blocking-tasks/tasks.ts';
import { openVcloud } from '../../../host/vcloud/client.ts';
import {
  applyBlockingTasks,
  heldOperations,
  planBlockingTasks,
  releaseOperations,
} from '../../../host/vcloud/registration/blocking-tasks.ts';
import { createBlockingVcloud, type BlockingVcloud } from '../../support/vcloud/blocking-vcloud.ts';
import { errorXml, openFakeVcloud } from '../../support/vcloud/fake-vcloud.ts';
import { ACME_ID } from '../../support/vcloud/scripted-vcloud.ts';
import { waitFor } from '../../support/wait.ts';

const OPERATION = 'vdcInstantiateVapp';
const ORG = `urn:vcloud:org:${ACME_ID}`;
const stack: AsyncDisposable[] = [];
let folder: string;
let vcloud: BlockingVcloud;
let at = 0;
const clock = { now: () => at, monotonic: () => at };

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'vcx-blocking-'));
  vcloud = createBlockingVcloud();
  at = Date.now();
});
afterEach(async () => {
  for (const opened of stack.splice(0).toReversed()) await opened[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true });
});

/** One host; several share the file, as after a restart. */
function openHost() {
  const database = openDatabase(join(folder, 'vcx.sqlite'));
  stack.push({ [Symbol.asyncDispose]: async () => database.close() });
  const store = createSqliteOpenBlocking(database);
  // Sweeps by itself so rarely that a test decides when.
  const host = openNotificationBindings({
    client: vcloud.client,
    store,
    clock,
    log: silentLog,
    leaseMs: 3_600_000,
  });
  stack.push(host);
  const registry = createRegistry(host.bindings, { log: silentLog, metrics: createMetrics() });
  async function ask(hand: NotificationInHand, method: string, args: unknown[] = []) {
    const grant = { plugin: 'approval', version: '1.0.0', org: ORG, user: '', callId: 'call-1' };
    const binding = hand.grants.includes('blockingTask') ? 'blockingTask' : 'notification';
    const call = { binding, method, argsJson: JSON.stringify(args) };
    const { signal } = new AbortController();
    return JSON.parse(await registry.serve(hand.grants, grant, call, signal)) as {
      ok: boolean;
      code?: string;
      value?: unknown;
    };
  }
  return { ...host, store, ask };
}

function announce(id: string, changes: Partial<NotificationCall> = {}): NotificationCall {
  return {
    callId: 'call-1',
    plugin: 'approval',
    org: ORG,
    type: 'com/vmware/vcloud/event/blockingtask/create',
    entity: `urn:vcloud:blockingTask:${id}`,
    taskOwner: 'urn:vcloud:vapp:80000000-0000-4000-8000-000000000001',
    resolver: null,
    taskName: OPERATION,
    policy: { operations: [OPERATION], onFailure: 'abort', decideWithinMs: 60_000 },
    ...changes,
  };
}

const stateOf = (id: string) => vcloud.tasks.get(id)?.status;

describe('the client', () => {
  test('reads, lists, extends and ends a task', async () => {
    const { client } = vcloud;
    const id = vcloud.hold(OPERATION, 60_000);
    expect(await listBlockingTasks(client)).toEqual([{ id, name: OPERATION }]);
    const task = await readBlockingTask(client, id);
    expect(task).toMatchObject({ id, operation: OPERATION, active: true, org: ACME_ID });
    const longer = await extendBlockingTask(client, id, { message: 'm', timeoutMs: 600_000 });
    expect(longer.remainingMs).toBeGreaterThan((task.remainingMs ?? 0) + 400_000);
    await endBlockingTask(client, id, { action: 'fail', message: 'no \u0000 room' });
    expect(vcloud.tasks.get(id)).toMatchObject({ status: 'fail', message: 'no \uFFFD room' });
  });

  test.each([
    ['ended before', 'BLOCKING_TASK_OVER', (id: string) => id, null],
    ['unknown', 'BLOCKING_TASK_UNKNOWN', () => ACME_ID, null],
    ['no more, and so forbidden', 'BLOCKING_TASK_UNKNOWN', () => ACME_ID, null],
    ['no id at all', 'BLOCKING_TASK_UNKNOWN', () => '../../org/x', null],
    ['not ours to touch', 'VCLOUD_REFUSED', (id: string) => id, 403],
    ['out of reach', 'VCLOUD_UNAVAILABLE', (id: string) => id, 503],
  ])('a task that is %s is %s', async (title, code, name, status) => {
    if (title.endsWith('forbidden')) vcloud.unknown = 403;
    const id = vcloud.hold(OPERATION);
    await endBlockingTask(vcloud.client, id, { action: 'resume', message: 'm' });
    vcloud.failWith(status);
    const again = { action: 'abort', message: 'm' } as const;
    await expect(endBlockingTask(vcloud.client, name(id), again)).rejects.toMatchObject({ code });
  });

  test("time is told by the cell's own clock", async () => {
    await using cell = await openFakeVcloud();
    const credentials = {
      kind: 'password',
      user: 'a',
      password: 'pass-word-1',
      org: 'System',
    } as const;
    await using client = openVcloud({ url: cell.url, credentials });
    const id = vcloud.hold(OPERATION);
    const path = `/api/admin/extension/blockingTask/${id}`;
    const time = (seconds: number) => new Date(1_700_000_000_000 + seconds * 1_000);
    const body = `<BlockingTask xmlns="http://www.vmware.com/vcloud/extension/v1.5" name="x" status="active" createdTime="${time(0).toISOString()}" timeoutDate="${time(90).toISOString()}" timeoutAction="fail"/>`;
    cell.on(
      `GET ${path}`,
      () => ({ body, headers: { date: time(30).toUTCString() } }),
      () => errorXml(404, 'RESOURCE_NOT_FOUND', 'gone'),
    );
    expect(await readBlockingTask(client, id)).toMatchObject({ remainingMs: 60_000, active: true });
    await expect(readBlockingTask(client, id)).rejects.toMatchObject({
      code: 'BLOCKING_TASK_UNKNOWN',
    });
  });
});

describe('settings', () => {
  const wish = { operations: [OPERATION], timeoutMs: null, timeoutAction: null };

  test.each(['32.0', '33.0'])(
    'in %s operations are added and none is taken away',
    async (version) => {
      vcloud = createBlockingVcloud(version);
      const theirs =
        version === '32.0'
          ? { Operation: ['vdcComposeVapp'] }
          : { TaskOperationType: [{ Category: 'vApp', Operation: 'vdcComposeVapp' }] };
      vcloud.settings = { ...vcloud.settings, BlockingTaskOperations: theirs };
      const plan = await planBlockingTasks(vcloud.client, wish);
      expect(plan.changes).toEqual([
        { action: 'add', kind: 'BlockingTaskOperation', label: OPERATION },
      ]);
      await applyBlockingTasks(vcloud.client, plan);
      expect(vcloud.settings.BlockingTaskOperations).toEqual(
        version === '32.0'
          ? { Operation: ['vdcComposeVapp', OPERATION] }
          : {
              TaskOperationType: [
                { Category: 'vApp', Operation: 'vdcComposeVapp' },
                { Operation: OPERATION },
              ],
            },
      );
      expect(vcloud.settings).toMatchObject({ TimeoutAction: 'abort' });
      expect((await planBlockingTasks(vcloud.client, wish)).changes).toEqual([]);
      expect(await heldOperations(vcloud.client, [OPERATION, 'importMedia'])).toEqual([OPERATION]);
    },
  );

  test('what somebody adds between plan and apply stays', async () => {
    const plan = await planBlockingTasks(vcloud.client, wish);
    const BlockingTaskOperations = { TaskOperationType: [{ Operation: 'importMedia' }] };
    vcloud.settings = { ...vcloud.settings, BlockingTaskOperations };
    await applyBlockingTasks(vcloud.client, plan);
    expect(await heldOperations(vcloud.client, [OPERATION, 'importMedia'])).toHaveLength(2);
  });

  test('what a person names is taken out, and nothing else', async () => {
    const both = { ...wish, operations: [OPERATION, 'importMedia'] };
    await applyBlockingTasks(vcloud.client, await planBlockingTasks(vcloud.client, both));
    expect(await releaseOperations(vcloud.client, [OPERATION, 'vdcDeleteVapp'])).toEqual([
      OPERATION,
    ]);
    expect(await heldOperations(vcloud.client, both.operations)).toEqual(['importMedia']);
    const before = vcloud.sent.length;
    expect(await releaseOperations(vcloud.client, [OPERATION])).toEqual([]);
    expect(vcloud.sent.slice(before).every(({ method }) => method === 'GET')).toBe(true);
  });

  test('the time-out changes only when it is configured, and nobody is asked who wants nothing', async () => {
    const configured = { operations: [], timeoutMs: 60_000, timeoutAction: 'fail' } as const;
    const plan = await planBlockingTasks(vcloud.client, configured);
    expect(plan.changes).toMatchObject([
      {
        action: 'update',
        fields: [
          { field: 'TimeoutInMilliseconds', from: 3_600_000, to: 60_000 },
          { field: 'TimeoutAction', from: 'abort', to: 'fail' },
        ],
      },
    ]);
    await applyBlockingTasks(vcloud.client, plan);
    expect((await planBlockingTasks(vcloud.client, configured)).changes).toEqual([]);
    const before = vcloud.sent.length;
    const nothing = { operations: [], timeoutMs: null, timeoutAction: null };
    await applyBlockingTasks(vcloud.client, await planBlockingTasks(vcloud.client, nothing));
    expect(vcloud.sent).toHaveLength(before);
  });
});

describe('a handler with a blocking task', () => {
  test('decides once; the entity is that of the event', async () => {
    const host = openHost();
    const id = vcloud.hold(OPERATION);
    const hand = await host.begin(announce(id));
    expect(hand.blockingTask).toMatchObject({ id, operation: OPERATION, decideBy: at + 60_000 });
    expect(await host.store.count()).toBe(1);
    expect(await host.ask(hand, 'entity')).toMatchObject({
      value: { name: 'web', links: [{ path: expect.stringContaining('/api/vApp/vapp-8000') }] },
    });
    const both = await Promise.all([
      host.ask(hand, 'resume', ['enough room']),
      host.ask(hand, 'abort', ['changed my mind']),
    ]);
    expect(both).toMatchObject([{ ok: true }, { ok: false, code: 'BLOCKING_TASK_OVER' }]);
    expect(vcloud.tasks.get(id)).toMatchObject({ status: 'resume', message: 'enough room' });
    await hand.close('returned');
    expect([await host.store.count(), host.openTasks()]).toEqual([0, 0]);
    expect(await host.ask(hand, 'abort')).toMatchObject({ code: 'BLOCKING_TASK_OVER' });
  });

  test.each([
    ['returns without a decision', 'returned', 'abort', 'did not decide'],
    ['fails for good', 'failed', 'abort', 'failed'],
    ['will be tried again', 'again', 'active', undefined],
  ] as const)('that %s leaves the task %s, %s', async (_, how, state, message) => {
    const host = openHost();
    const id = vcloud.hold(OPERATION);
    await (await host.begin(announce(id))).close(how);
    expect(stateOf(id)).toBe(state);
    if (message) expect(vcloud.tasks.get(id)?.message).toContain(message);
    expect(await host.store.count()).toBe(how === 'again' ? 1 : 0);
  });

  test("is decided for when it is late, before vCloud's own time-out", async () => {
    const host = openHost();
    const id = vcloud.hold(OPERATION, 40_000);
    const hand = await host.begin(announce(id));
    const { decideBy = 0, timeoutAt = 0 } = hand.blockingTask ?? {};
    expect(decideBy).toBeLessThan((timeoutAt ?? 0) - 7_000);
    at = decideBy - 1;
    await host.sweep();
    expect(stateOf(id)).toBe('active');
    at = decideBy;
    await host.sweep();
    expect(stateOf(id)).toBe('abort');
    expect(await host.ask(hand, 'resume')).toMatchObject({ code: 'BLOCKING_TASK_OVER' });
    await hand.close('returned');
  });

  test('wins time by telling progress', async () => {
    const host = openHost();
    const id = vcloud.hold(OPERATION, 40_000);
    const hand = await host.begin(announce(id));
    const before = hand.blockingTask?.decideBy ?? 0;
    const extended = await host.ask(hand, 'updateProgress', ['asking', { timeoutMs: 600_000 }]);
    expect((extended.value as { decideBy: number }).decideBy).toBeGreaterThan(before + 400_000);
    at = before + 1_000;
    await host.sweep();
    expect(stateOf(id)).toBe('active');
    // A fifth of what is left is no whole number of milliseconds.
    for (const timeoutMs of [1_001, 30_002, 70_003])
      expect(await host.ask(hand, 'updateProgress', [null, { timeoutMs }])).toMatchObject({
        ok: true,
      });
    await host.ask(hand, 'resume', []);
    expect(vcloud.tasks.get(id)).toMatchObject({ status: 'resume', message: 'resume: approval' });
    for (const wrong of [['x', { timeoutMs: 5 }], [{ a: 1 }]])
      expect(await host.ask(hand, 'updateProgress', wrong)).toMatchObject({
        code: 'BINDING_ARGUMENT',
      });
    await hand.close('returned');
  });

  test('by its own timer too', async () => {
    const host = openHost();
    const id = vcloud.hold(OPERATION, 300);
    await host.begin(announce(id));
    at += 300;
    await waitFor(() => stateOf(id) === 'abort');
  });
});

describe('nothing is in hand', () => {
  test.each([
    ['another operation, by the routing key', { taskName: 'importMedia' }],
    ['another operation, by the task itself', { taskName: null }],
    ['an event about how a task ended', { type: 'com/vmware/vcloud/event/blockingtask/resume' }],
    ['a plug-in that decides on nothing', { policy: null }],
    ['an event without an entity', { entity: null }],
  ])('for %s', async (_, changes) => {
    const host = openHost();
    const id = vcloud.hold('importMedia');
    const hand = await host.begin(announce(id, changes));
    expect(hand).toMatchObject({ blockingTask: null, grants: ['notification'] });
    await hand.close('returned');
    expect([stateOf(id), await host.store.count()]).toEqual(['active', 0]);
  });

  test('when it was decided before the event came, or is gone', async () => {
    const host = openHost();
    const id = vcloud.hold(OPERATION);
    await endBlockingTask(vcloud.client, id, { action: 'fail', message: 'by hand' });
    for (const one of [id, ACME_ID])
      expect((await host.begin(announce(one))).blockingTask).toBe(null);
    expect([stateOf(id), await host.store.count()]).toEqual(['fail', 0]);
  });

  test('of an org that has no plug-in for it: the operation goes on', async () => {
    const host = openHost();
    const id = vcloud.hold(OPERATION);
    await host.pass(announce(id));
    expect([stateOf(id), await host.store.count(), host.openTasks()]).toEqual(['resume', 0, 0]);
  });

  test('and the entity of an event that has none is null', async () => {
    const host = openHost();
    const entity = 'urn:vcloud:vm:80000000-0000-4000-8000-000000000009';
    const hand = await host.begin(announce(ACME_ID, { policy: null, entity }));
    expect(await host.ask(hand, 'entity')).toEqual({ ok: true, value: null });
  });
});

describe('when something dies', () => {
  test('the host: another one decides in time', async () => {
    const first = openHost();
    const id = vcloud.hold(OPERATION);
    await first.begin(announce(id));
    const second = openHost();
    await second.sweep();
    expect(stateOf(id)).toBe('active');
    // The first one says nothing any more; its lease ends long after the task is due.
    at += 3_600_001;
    await second.sweep();
    expect(stateOf(id)).toBe('abort');
    expect(await second.store.count()).toBe(0);
  });

  test('the host, and the event comes again: the other one goes on where it was', async () => {
    const first = openHost();
    const id = vcloud.hold(OPERATION);
    const dead = await first.begin(announce(id));
    at += 20_000;
    const second = openHost();
    const hand = await second.begin(announce(id));
    expect(hand.blockingTask?.decideBy).toBe(dead.blockingTask?.decideBy);
    await second.ask(hand, 'resume', ['by the second']);
    expect(await first.ask(dead, 'abort')).toMatchObject({ code: 'BLOCKING_TASK_OVER' });
    expect(stateOf(id)).toBe('resume');
  });

  test('vCloud, at the decision: it stands, and is told later', async () => {
    const host = openHost();
    const id = vcloud.hold(OPERATION);
    const hand = await host.begin(announce(id));
    vcloud.failWith(503);
    expect(await host.ask(hand, 'resume', ['enough room'])).toMatchObject({ ok: true });
    await hand.close('returned');
    await host.sweep();
    expect([stateOf(id), await host.store.count()]).toEqual(['active', 1]);
    vcloud.failWith(null);
    // The event again, before anybody has swept: the decision is not asked for a second time.
    expect((await host.begin(announce(id))).blockingTask).toBe(null);
    await host.sweep();
    expect(vcloud.tasks.get(id)).toMatchObject({ status: 'resume', message: 'enough room' });
    expect(await host.store.count()).toBe(0);
  });

  test('vCloud, before the handler: tried again, and decided when all tries fail', async () => {
    const host = openHost();
    const id = vcloud.hold(OPERATION);
    vcloud.failWith(503);
    await expect(host.begin(announce(id))).rejects.toMatchObject({ code: 'VCLOUD_UNAVAILABLE' });
    expect(await host.store.count()).toBe(1);
    vcloud.failWith(null);
    at += 60_000;
    await host.sweep();
    expect(stateOf(id)).toBe('abort');
  });

  test('vCloud, for longer than its own time-out: the task is forgotten', async () => {
    const host = openHost();
    const id = vcloud.hold(OPERATION, 60_000);
    const hand = await host.begin(announce(id));
    vcloud.failWith(503);
    await hand.close('failed');
    expect(await host.store.count()).toBe(1);
    at += 4_000_000;
    await host.sweep();
    expect(await host.store.count()).toBe(0);
  });

  test('the watch itself: what is in hand is left to whoever gets the event next', async () => {
    const first = openHost();
    const id = vcloud.hold(OPERATION);
    await first.begin(announce(id));
    await first[Symbol.asyncDispose]();
    expect(stateOf(id)).toBe('active');
    const second = openHost();
    at += 60_000;
    await second.sweep();
    expect(stateOf(id)).toBe('abort');
  });
});
