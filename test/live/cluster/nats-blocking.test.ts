/** The store of open blocking tasks on a real nats-server: the same promises as on SQLite, and what only several hosts meet. */
import { expect, test } from 'vitest';

import { openPulse } from '../../../host/cluster/pulse.ts';
import { openNatsOpenBlocking } from '../../../host/cluster/stores/open-blocking.ts';
import { systemClock, type Clock } from '../../../host/kernel/time.ts';
import type { OpenBlockingStore, StoredBlockingTask } from '../../../host/storage/open-blocking.ts';
import { openBlockingCases } from '../../contract/storage/open-blocking-cases.ts';
import { useNats } from '../../support/cluster/nats.ts';
import { waitFor } from '../../support/wait.ts';

const nats = useNats();
const HOUR = 3_600_000;

async function host(prefix: string, clock: Clock): Promise<OpenBlockingStore> {
  const link = await nats.link({ prefix, clock });
  const pulse = nats.use(await openPulse({ link }));
  return nats.use(await openNatsOpenBlocking({ link, pulse }));
}

openBlockingCases('NATS', async (clock) => {
  const prefix = nats.prefix();
  return () => host(prefix, clock);
});

const task = (key: string, dueAt: number) => ({
  key,
  id: key,
  plugin: 'p',
  org: 'urn:vcloud:org:a',
  operation: 'o',
  onFailure: 'abort' as const,
  createdAt: 1,
  dueAt,
  timeoutAt: null,
});

test('a host whose clock is an hour ahead takes nothing early, and means the same moments', async () => {
  const prefix = nats.prefix();
  const wrong: Clock = { ...systemClock, now: () => Date.now() + HOUR };
  const right = await host(prefix, systemClock);
  const fast = await host(prefix, wrong);
  const now = Date.now();
  await right.open(task('held', now - 1), now + 60_000);
  await right.open(task('not due', now + 60_000), now - 1);
  await right.open(task('due', now - 1), now - 1);
  await waitFor(async () => (await fast.count()) === 3);
  const taken = await fast.claim(wrong.now(), wrong.now() + 60_000);
  expect(taken.map(({ key }) => key)).toEqual(['due']);
  const [due] = taken;
  expect(Math.abs((due?.dueAt ?? 0) - (now - 1 + HOUR))).toBeLessThan(10_000);
});

test('what a host that fell silent held is taken when it is due, also after NATS was killed in between', async () => {
  const prefix = nats.prefix();
  const dying = await host(prefix, systemClock);
  const other = await host(prefix, systemClock);
  const now = Date.now();
  await dying.open(task('t', now), now + 1_500);
  await dying.decide('t', { action: 'resume', message: 'm', by: 'plugin' });
  await nats.node.kill();
  await nats.node.start();
  let taken: readonly StoredBlockingTask[] = [];
  await waitFor(async () => {
    // While the connection is made anew it is refused.
    taken = await other.claim(Date.now(), Date.now() + 60_000).catch(() => []);
    return taken.length > 0;
  });
  expect(Date.now()).toBeGreaterThan(now + 1_000);
  expect(taken).toMatchObject([{ key: 't', outcome: { action: 'resume', by: 'plugin' } }]);
});

test('an entry that was altered by hand is left out, and the others are not', async () => {
  const prefix = nats.prefix();
  const store = await host(prefix, systemClock);
  const now = Date.now();
  await store.open(task('fine', now - 1), now - 1);
  const { client } = await nats.link({ prefix });
  for (const [key, value] of [
    ['t.altered', '{'],
    ['o.altered', '[]'],
    ['t.bare', '{"owner":"","until":0}'],
    ['t.text', '{"owner":"","until":0,"item":"x"}'],
  ])
    await client.publish(`$KV.${prefix}_blocking.${key}`, value ?? '');
  await store.open(task('fine too', now - 1), now - 1);
  await waitFor(async () => (await store.count()) === 2);
  expect(await store.claim(Date.now(), now + 60_000)).toHaveLength(2);
});
