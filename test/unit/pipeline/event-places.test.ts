import { afterEach, beforeEach, expect, test, vi } from 'vitest';

import { createPlaces } from '../../../host/pipeline/notifications/places.ts';

let now = 0;
const clock = { now: () => now, monotonic: () => now };
beforeEach(() => {
  now = 0;
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

test('slow handlers get as many places as the org may have, and another when one is done', async () => {
  const places = createPlaces({ clock });
  expect([places.enter('a', 2), places.enter('a', 2)]).toEqual([true, true]);
  const third = places.enter('a', 2);
  expect(places.enter('b', 2)).toBe(true);
  places.leave('a', 500);
  expect(await third).toBe(true);
});

test('quick handlers may queue at their isolates', () => {
  const places = createPlaces({ clock });
  void places.enter('a', 2);
  places.leave('a', 1);
  for (let i = 0; i < 16; i += 1) expect(places.enter('a', 2)).toBe(true);
  expect(places.enter('a', 2)).toBeInstanceOf(Promise);
});

test('who waits in vain goes away, and for a while nobody else of the org waits', async () => {
  const places = createPlaces({ clock, waitMs: 1_000 });
  void places.enter('a', 1);
  const second = places.enter('a', 1);
  vi.advanceTimersByTime(1_000);
  expect(await second).toBe(false);
  now = 500;
  expect(places.enter('a', 1)).toBe(false);
  now = 1_500;
  expect(places.enter('a', 1)).toBeInstanceOf(Promise);
});

test('the more are away, the longer the next one stays; those that come back make room', () => {
  const places = createPlaces({ clock });
  expect(places.away('a', 1_000, 10)).toBe(1_000);
  for (let i = 0; i < 98; i += 1) places.away('a', 1_000, 10);
  expect(places.away('a', 1_000, 10)).toBe(10_000);
  for (let i = 0; i < 50; i += 1) places.back('a');
  expect(places.away('a', 1_000, 10)).toBe(5_100);
  now = 200_000;
  expect(places.away('a', 1_000, 10)).toBe(1_000);
});
