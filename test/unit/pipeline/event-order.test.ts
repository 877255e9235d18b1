import { afterEach, beforeEach, expect, test, vi } from 'vitest';

import {
  createEntityOrder,
  type Turn,
  type TurnEnd,
} from '../../../host/pipeline/notifications/order.ts';

let now = 0;
const clock = { now: () => now, monotonic: () => now };
const ordered = () => createEntityOrder({ clock, waitMs: 1_000 });
const LATER: TurnEnd = { kind: 'later', pauseMs: 5_000 };
const DONE: TurnEnd = { kind: 'done' };

beforeEach(() => {
  now = 0;
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

/** The turn that somebody has now. */
async function turnOf(asked: Turn | Promise<Turn>): Promise<Turn> {
  return asked;
}

async function go(asked: Turn | Promise<Turn>): Promise<(end: TurnEnd) => void> {
  const turn = await asked;
  if (turn.kind !== 'go') throw new Error(`deferred by ${turn.pauseMs} ms`);
  return turn.leave;
}

test('events of one entity go one after the other, those of others side by side', async () => {
  const order = ordered();
  const leave = await go(order.enter('a', '1'));
  const second = order.enter('a', '2');
  const third = order.enter('a', '3');
  const other = await go(order.enter('b', '4'));
  const seen: string[] = [];
  void Promise.resolve(second).then(() => seen.push('2'));
  void Promise.resolve(third).then(() => seen.push('3'));
  await Promise.resolve();
  expect(seen).toEqual([]);
  leave(DONE);
  (await go(second))(DONE);
  (await go(third))(DONE);
  other(DONE);
  expect(seen).toEqual(['2', '3']);
  expect(order.size).toBe(0);
});

test('while one waits for its next try, those behind it are put behind it with its pause, and come in order', async () => {
  const order = ordered();
  const leave = await go(order.enter('a', '1'));
  const second = order.enter('a', '2');
  leave(LATER);
  const behind: Turn = { kind: 'defer', pauseMs: 5_000 };
  expect(await second).toEqual(behind);
  expect(await order.enter('a', '3')).toEqual(behind);
  // The third comes back before the second: it goes round once more.
  (await go(order.enter('a', '1')))(DONE);
  expect(await order.enter('a', '3')).toEqual(behind);
  (await go(order.enter('a', '2')))(DONE);
  (await go(order.enter('a', '3')))(DONE);
  (await go(order.enter('a', '4')))(DONE);
  expect(order.size).toBe(0);
});

test('a pause that grows holds for those behind too', async () => {
  const order = ordered();
  (await go(order.enter('a', '1')))({ kind: 'later', pauseMs: 1_000 });
  expect(await order.enter('a', '2')).toEqual({ kind: 'defer', pauseMs: 1_000 });
  (await go(order.enter('a', '1')))(LATER);
  expect(await order.enter('a', '2')).toEqual({ kind: 'defer', pauseMs: 5_000 });
});

test('what waits too long for one in work leaves its place here and keeps its place in the order', async () => {
  const order = ordered();
  const leave = await go(order.enter('a', '1'));
  const [second, third] = [order.enter('a', '2'), order.enter('a', '3')];
  vi.advanceTimersByTime(1_000);
  expect(await second).toEqual({ kind: 'defer', pauseMs: 1_000 });
  expect(await third).toEqual({ kind: 'defer', pauseMs: 1_000 });
  // Back again while the first is still in work: it waits, and nobody overtakes.
  const again = order.enter('a', '2');
  expect((await order.enter('a', '4')).kind).toBe('defer');
  leave(DONE);
  (await go(again))(DONE);
  expect((await order.enter('a', '4')).kind).toBe('defer');
  (await go(order.enter('a', '3')))(DONE);
  (await go(order.enter('a', '4')))(DONE);
  expect(order.size).toBe(0);
});

test('a copy that is not needed lets the one that waits keep its place', async () => {
  const order = ordered();
  const leave = await go(order.enter('a', '1'));
  const copy = order.enter('a', '1');
  leave(LATER);
  (await go(copy))({ kind: 'aside' });
  expect((await order.enter('a', '2')).kind).toBe('defer');
  (await go(order.enter('a', '1')))(DONE);
  (await go(order.enter('a', '2')))(DONE);
});

test('one that never comes back holds up nobody for ever, and is forgotten', async () => {
  const order = ordered();
  (await go(order.enter('a', '1')))(LATER);
  expect((await turnOf(order.enter('a', '2'))).kind).toBe('defer');
  now = 64_999;
  expect((await turnOf(order.enter('a', '2'))).kind).toBe('defer');
  now = 200_000;
  (await go(order.enter('a', '3')))(DONE);
  expect(order.size).toBe(0);

  (await go(order.enter('gone', '1')))(LATER);
  now = 400_000;
  for (let i = 0; i < 1_000; i += 1) (await go(order.enter(`e${i}`, 'x')))(DONE);
  expect(order.size).toBe(0);
});
