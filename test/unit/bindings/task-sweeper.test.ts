/** Tasks of hosts that died are ended by who may, for as long as they may. */
import { expect, test } from 'vitest';

import { openSweeper } from '../../../host/bindings/tasks/sweeper.ts';
import { silentLog } from '../../../host/kernel/log.ts';
import { openDatabase } from '../../../host/storage/sqlite/database.ts';
import { createSqliteOpenTasks } from '../../../host/storage/sqlite/open-tasks.ts';
import { createScriptedVcloud, ORIGIN } from '../../support/vcloud/scripted-vcloud.ts';

const LEASE = 15_000;

async function rooms() {
  using stack = new DisposableStack();
  const database = openDatabase(':memory:');
  stack.defer(() => database.close());
  const [dead, store] = [createSqliteOpenTasks(database), createSqliteOpenTasks(database)];
  for (const key of ['t1', 't2', 't3']) {
    const about = { key, plugin: 'p', namespace: 'n', operation: 'o', createdAt: 1 };
    await dead.add({ ...about, org: 'urn:vcloud:org:a', user: 'urn:vcloud:user:u' }, 0);
    // vCloud knows nothing of it any more.
    await dead.located(key, `${ORIGIN}/api/task/${key}`);
  }
  let now = 1_000;
  const opened = stack.move();
  return {
    store,
    later: (ms: number) => (now += ms),
    options: {
      client: createScriptedVcloud().client,
      store,
      clock: { now: () => now, monotonic: () => now },
      log: silentLog,
      metrics: null,
      leaseMs: LEASE,
      everyMs: 60_000,
      lostMs: 60_000,
    },
    [Symbol.dispose]: () => opened.dispose(),
  };
}

test('who is no more the one that cleans up leaves what it claimed to the next one', async () => {
  using kit = await rooms();
  // Asked before the claim and before each task.
  let answers = 2;
  await using sweeper = openSweeper({ ...kit.options, maySweep: () => (answers -= 1) >= 0 });
  await sweeper.sweep();
  expect(await kit.store.count()).toBe(2);
  kit.later(LEASE + 1);
  answers = 4;
  await sweeper.sweep();
  expect(await kit.store.count()).toBe(0);
});

test('what was claimed is let go when it took too long', async () => {
  using kit = await rooms();
  const { client } = kit.options;
  const slow = {
    ...client,
    getXml: (...call: Parameters<typeof client.getXml>) => {
      kit.later(LEASE);
      return client.getXml(...call);
    },
  } as typeof client;
  await using sweeper = openSweeper({ ...kit.options, client: slow });
  await sweeper.sweep();
  expect(await kit.store.count()).toBe(2);
});
