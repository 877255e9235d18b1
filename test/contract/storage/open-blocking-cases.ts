/** What every implementation of the store of open blocking tasks promises. */
import { expect, test } from 'vitest';

import type { Clock } from '../../../host/kernel/time.ts';
import type {
  BlockingOutcome,
  OpenBlockingStore,
  OpenBlockingTask,
} from '../../../host/storage/open-blocking.ts';
import { waitFor } from '../../support/wait.ts';

const NOW = 1_000_000;
/** Long: a shared store has a clock of its own, which goes on while that of the test stands still. */
const LONG = 100_000;
const DUE = NOW - LONG;
const LATER = NOW + LONG;
const A_LITTLE = 20_000;

const task = (key: string, rest: Partial<OpenBlockingTask> = {}): OpenBlockingTask => ({
  key,
  id: `id-${key}`,
  plugin: 'p',
  org: 'urn:vcloud:org:a',
  operation: 'o',
  onFailure: 'abort',
  createdAt: 1,
  dueAt: DUE,
  timeoutAt: null,
  ...rest,
});
const outcome = (action: BlockingOutcome['action']): BlockingOutcome => ({
  action,
  message: `it was to ${action}`,
  by: 'plugin',
});
const about = (time: number): unknown =>
  expect.toSatisfy((given: number) => Math.abs(given - time) < A_LITTLE, `about ${time}`);

/** `open` gives stores of different processes that share what they keep. */
export function openBlockingCases(
  name: string,
  open: (clock: Clock) => Promise<() => Promise<OpenBlockingStore>>,
): void {
  async function stores() {
    const another = await open({ now: () => NOW, monotonic: () => NOW });
    return { first: await another(), second: await another() };
  }
  const keys = async (store: OpenBlockingStore) =>
    (await store.claim(NOW, LATER)).map(({ key }) => key).toSorted();
  const knows = (store: OpenBlockingStore, entries: number) =>
    waitFor(async () => (await store.count()) === entries);

  test(`${name}: what is due goes to one other process once the lease is out, and to none before`, async () => {
    const { first, second } = await stores();
    await first.open(task('held'), LATER);
    await first.open(task('left', { timeoutAt: LATER }), DUE);
    await knows(second, 2);
    const taken = await Promise.all([first, second].map((store) => store.claim(NOW, LATER)));
    const timeoutAt = about(LATER);
    expect(taken.flat()).toEqual([
      { ...task('left'), dueAt: about(DUE), timeoutAt, outcome: null },
    ]);
    expect([await keys(first), await keys(second)]).toEqual([[], []]);
  });

  test(`${name}: what is not due waits without a lease too, unless it is decided`, async () => {
    const { first, second } = await stores();
    await first.open(task('waits', { dueAt: LATER }), DUE);
    await first.open(task('decided', { dueAt: LATER }), DUE);
    await knows(second, 2);
    expect(await keys(second)).toEqual([]);
    expect(await first.decide('decided', outcome('resume'))).toBe(true);
    let found: readonly unknown[] = [];
    await waitFor(async () => (found = await second.claim(NOW, LATER)).length > 0);
    expect(found).toMatchObject([{ key: 'decided', outcome: outcome('resume') }]);
    expect(await keys(first)).toEqual([]);
  });

  test(`${name}: of two decisions the first counts, whoever makes it`, async () => {
    const { first, second } = await stores();
    await first.open(task('t'), LATER);
    await knows(second, 1);
    const decisions = await Promise.all([
      first.decide('t', outcome('resume')),
      second.decide('t', outcome('fail')),
    ]);
    expect(decisions.toSorted()).toEqual([false, true]);
    const action = decisions[0] ? 'resume' : 'fail';
    expect(await first.decide('t', outcome('abort'))).toBe(false);
    const again = await second.open(task('t'), LATER);
    expect(again.outcome).toEqual(outcome(action));
  });

  test(`${name}: a delivery that comes again keeps the decision and the earlier time, and takes the lease`, async () => {
    const { first, second } = await stores();
    const opened = await first.open(task('t', { dueAt: NOW, timeoutAt: LATER }), DUE);
    expect(opened).toMatchObject({ dueAt: about(NOW), timeoutAt: about(LATER), outcome: null });
    await first.decide('t', outcome('fail'));
    const later = { dueAt: LATER, timeoutAt: null, onFailure: 'resume', createdAt: 2 } as const;
    expect(await second.open(task('t', later), LATER)).toEqual({
      ...task('t'),
      onFailure: 'resume',
      dueAt: about(NOW),
      timeoutAt: about(LATER),
      outcome: outcome('fail'),
    });
    await waitFor(async () => (await keys(first)).length === 0);
    const earlier = await first.open(task('t', { dueAt: DUE, timeoutAt: NOW }), LATER);
    expect(earlier).toMatchObject({ dueAt: about(DUE), timeoutAt: about(NOW) });
  });

  test(`${name}: another time counts from then on`, async () => {
    const { first, second } = await stores();
    await first.open(task('t'), DUE);
    await first.extend('t', { dueAt: LATER, timeoutAt: LATER });
    await knows(second, 1);
    expect(await keys(first)).toEqual([]);
    const again = await second.open(task('t', { dueAt: LATER + LONG }), DUE);
    expect(again).toMatchObject({ dueAt: about(LATER), timeoutAt: about(LATER) });
    await second.extend('t', { dueAt: DUE, timeoutAt: null });
    await waitFor(async () => (await keys(first)).length === 1);
  });

  test(`${name}: a renewal keeps all entries of the process, and no others; what is released is anybody's`, async () => {
    const { first, second } = await stores();
    await first.open(task('mine'), DUE);
    await first.open(task('mine too'), DUE);
    await second.open(task('theirs'), DUE);
    await first.renew(LATER);
    await knows(first, 3);
    expect(await keys(first)).toEqual(['theirs']);
    await knows(second, 3);
    await first.release('mine');
    await waitFor(async () => (await keys(second)).includes('mine'));
    expect(await keys(first)).toEqual([]);
  });

  test(`${name}: what was removed is gone for all, and a change to it does nothing`, async () => {
    const { first, second } = await stores();
    await first.open(task('t'), DUE);
    await knows(second, 1);
    await first.remove('t');
    await first.extend('t', { dueAt: DUE, timeoutAt: null });
    expect(await first.decide('t', outcome('resume'))).toBe(false);
    await first.release('t');
    await first.remove('t');
    expect(await first.count()).toBe(0);
    await knows(second, 0);
    expect([await keys(first), await keys(second)]).toEqual([[], []]);
    expect((await second.open(task('t'), LATER)).outcome).toBe(null);
  });
}
