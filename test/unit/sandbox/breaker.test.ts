import { expect, test } from 'vitest';
import { createBreaker } from '../../../host/sandbox/calls/breaker.ts';

const options = { threshold: 3, windowMs: 1_000, pauseMs: 100, maxPauseMs: 300 };

test('a breaker opens at its threshold and lets one call try after the pause', () => {
  const breaker = createBreaker(options);
  breaker.failure(0);
  breaker.failure(10);
  expect(breaker.refusalMs(20)).toBe(0);
  breaker.failure(20);
  expect(breaker.refusalMs(30)).toBe(90);
  expect(breaker.refusalMs(120)).toBe(0);
  expect(breaker.refusalMs(121)).toBeGreaterThan(0);
  breaker.success();
  expect(breaker.refusalMs(122)).toBe(0);
  expect(breaker.state).toBe('closed');
});

test('failures further apart than the window do not add up', () => {
  const breaker = createBreaker(options);
  for (const at of [0, 600, 1_200, 1_800, 2_400]) breaker.failure(at);
  expect(breaker.state).toBe('closed');
  expect(breaker.clean(2_500)).toBe(false);
  expect(breaker.clean(4_000)).toBe(true);
});

test('the pause doubles with every failed trial, up to its bound, and starts anew after a success', () => {
  const breaker = createBreaker(options);
  for (const at of [0, 0, 0]) breaker.failure(at);
  const pauses: number[] = [];
  let now = 0;
  for (let turn = 0; turn < 4; turn++) {
    const pause = breaker.refusalMs(now);
    pauses.push(pause);
    now += pause;
    expect(breaker.refusalMs(now)).toBe(0);
    breaker.failure(now);
  }
  expect(pauses).toEqual([100, 200, 300, 300]);
  now += breaker.refusalMs(now);
  expect(breaker.refusalMs(now)).toBe(0);
  breaker.success();
  for (const at of [now, now, now]) breaker.failure(at);
  expect(breaker.refusalMs(now)).toBe(100);
});

test('a trial that nobody reports does not shut the door for ever', () => {
  const breaker = createBreaker(options);
  for (const at of [0, 0, 0]) breaker.failure(at);
  expect(breaker.refusalMs(100)).toBe(0);
  expect(breaker.refusalMs(150)).toBe(50);
  expect(breaker.refusalMs(200)).toBe(0);
});
