/** `vcx plugin events …` as somebody types it. */
import { expect, test } from 'vitest';

import {
  createMemoryParked,
  parkedEvent,
  WAITING_QUEUE,
} from '../../support/operator/memory-parked.ts';
import { openRemote } from '../../support/operator/remote-kit.ts';

test('what a plug-in failed on is listed, shown, replayed and dropped', async () => {
  await using remote = await openRemote();
  const events = createMemoryParked();
  await remote.restart({ events });
  events.kept.set(
    'demo',
    ['a', 'b', 'c'].map((id) => parkedEvent(id)),
  );
  const { run } = remote;

  const subscriptions = [WAITING_QUEUE];
  events.now = { consuming: false, reason: 'why not', subscriptions, orphans: ['gone'] };
  const waits = await run(['events', 'status']);
  expect(waits.code).toBe(1);
  expect(waits.stdout).toMatch(/demo +no +7 +0 +2 +BROKER_TOPOLOGY: .*exchange systemExchange/);
  expect(waits.stdout).toMatch(/gone: its queue fills[^]*not all is well: why not/);

  const list = await run(['events', 'list', 'demo', '--limit', '2']);
  expect(list.stdout).toMatch(/ID +PARKED +TRIES +CODE +REASON/);
  expect(list.stdout).toMatch(/a +2023-11-14T22:13:20\.000Z +5 +EVENT_ATTEMPTS_EXHAUSTED/);
  expect(list.stdout).toContain('1 more');
  // Whatever a plug-in throws, it writes no control characters on a terminal.
  expect(list.stdout).not.toContain('\u001b');

  const shown = await run(['events', 'show', 'demo', 'b']);
  expect(shown.stdout).toMatch(/type +com\/vmware\/vcloud\/event\/vm\/create/);
  expect(shown.stdout).toMatch(/more fields +more/);

  const nothing = await run(['events', 'replay', 'demo', '--json']);
  expect([nothing.code, nothing.json()['code']]).toEqual([2, 'CONFIG_INVALID']);
  const replayed = await run(['events', 'replay', 'demo', 'b', 'x', '--json']);
  expect([replayed.code, replayed.json()]).toMatchObject([
    1,
    { ok: false, done: 1, failed: [{ id: 'x' }] },
  ]);
  expect(events.replayed).toEqual(['b']);
  expect((await run(['events', 'drop', 'demo', '--all'])).stdout).toContain('dropped: 2');
  expect((await run(['events', 'list', 'demo'])).stdout).toContain('nothing of demo is kept aside');
});
