/** What every implementation of the store of open tasks promises. */
import { expect, test } from 'vitest';

import type { Clock } from '../../../host/kernel/time.ts';
import type { OpenTaskStore } from '../../../host/storage/open-tasks.ts';
import { waitFor } from '../../support/wait.ts';

/** Long: a shared store has a clock of its own, which goes on while that of the test stands still. */
const LEASE = 100_000;
const A_LITTLE = 10_000;
const task = (key: string) => ({
  key,
  plugin: 'p',
  namespace: 'n',
  org: 'urn:vcloud:org:a',
  user: 'urn:vcloud:user:u',
  operation: 'o',
  createdAt: 1,
});

/** `open` gives stores of different processes that share what they keep. */
export function openTaskCases(
  name: string,
  open: (clock: Clock) => Promise<() => Promise<OpenTaskStore>>,
): void {
  async function stores() {
    let now = 1_000_000;
    const clock = { now: () => now, monotonic: () => now };
    const another = await open(clock);
    const [first, second] = [await another(), await another()];
    return { first, second, now: () => now, later: (ms: number) => (now += ms) };
  }

  test(`${name}: a task is its process's while the lease lasts, and then goes to one of the others`, async () => {
    const { first, second, now, later } = await stores();
    await first.add(task('t1'), now() + LEASE);
    await first.located('t1', 'https://vcloud/task/1');
    await waitFor(async () => (await second.count()) === 1);
    expect(await second.claim(now(), now() + LEASE)).toEqual([]);
    later(LEASE / 2);
    await first.renew(now() + LEASE);
    await waitFor(() => second.holds('https://vcloud/task/1'));
    later(LEASE + A_LITTLE);
    const taken = await Promise.all(
      [first, second].map((store) => store.claim(now(), now() + LEASE)),
    );
    expect(taken.flat()).toEqual([{ ...task('t1'), href: 'https://vcloud/task/1', outcome: null }]);
    expect(await first.claim(now(), now() + LEASE)).toEqual([]);
  });

  test(`${name}: a renewal keeps all tasks of the process, and no others`, async () => {
    const { first, second, now, later } = await stores();
    await first.add(task('mine'), now() + LEASE);
    await second.add(task('theirs'), now() + LEASE);
    later(LEASE - A_LITTLE);
    await first.renew(now() + LEASE);
    await waitFor(async () => (await first.count()) === 2);
    later(2 * A_LITTLE);
    expect((await first.claim(now(), now() + LEASE)).map(({ key }) => key)).toEqual(['theirs']);
  });

  test(`${name}: what was released is anybody's at once, with its outcome`, async () => {
    const { first, second, now } = await stores();
    const outcome = { status: 'error', message: 'no' } as const;
    await first.add(task('t1'), now() + LEASE);
    await first.settled('t1', outcome);
    await first.release('t1');
    await waitFor(async () => (await second.claim(now(), now() + LEASE)).length === 1);
    expect(await first.claim(now(), now() + LEASE)).toEqual([]);
  });

  test(`${name}: what was removed is gone for all, and a change to it does nothing`, async () => {
    const { first, second, now } = await stores();
    await first.add(task('t1'), now() + LEASE);
    await first.located('t1', 'https://vcloud/task/1');
    await waitFor(() => second.holds('https://vcloud/task/1'));
    expect(await second.holds('https://vcloud/task/')).toBe(false);
    await first.remove('t1');
    await first.located('t1', 'https://vcloud/task/2');
    await first.release('t1');
    expect(await first.count()).toBe(0);
    await waitFor(async () => (await second.count()) === 0);
    expect(await second.holds('https://vcloud/task/2')).toBe(false);
  });
}
