/** Isolates that are made before they are wanted: who gets one, and when the next is made. */
import { afterEach, expect, test } from 'vitest';

import { createBlanks, type Blank } from '../../../host/runner/blank.ts';
import type { CachedScript } from '../../../host/runner/boot.ts';
import type { Trimmable } from '../../../host/runner/trimmer.ts';
import { openKit, bundleOf, tinyPrelude, until } from './kit.ts';

const SMALL_MB = 16;
const LARGE_MB = 32;
const owner = { post: () => undefined, onCatastrophe: () => undefined };
const made: Blank[] = [];

function stock({ source = tinyPrelude.source } = {}) {
  const prelude: CachedScript = { source, filename: 'vcx:prelude', cache: null };
  const idle = new Set<Trimmable>();
  const trimmer = {
    add: (subject: Trimmable) => void idle.add(subject),
    drop: (subject: Trimmable) => void idle.delete(subject),
  };
  const blanks = createBlanks(prelude, trimmer, () => undefined);
  const take = (memoryMb: number): Blank => {
    const blank = blanks.take(memoryMb);
    made.push(blank);
    return blank;
  };
  return { blanks, take, idle };
}

afterEach(() => {
  for (const blank of made.splice(0)) blank.dispose();
});

test('the one that stands ready is given out once, with the prelude in it', async () => {
  const { blanks, take, idle } = stock();
  blanks.prepare(SMALL_MB);
  await until('it stands ready', () => idle.size === 1);
  const [ready] = idle;
  const first = take(SMALL_MB);
  expect(first).toBe(ready);
  expect(idle.size).toBe(0);
  expect(take(SMALL_MB)).not.toBe(first);
  const { enter } = await first.own(owner);
  expect(enter.typeof).toBe('function');
});

test('one of another size is not given out, but ended when the right one is made', async () => {
  const { blanks, take, idle } = stock();
  blanks.prepare(SMALL_MB);
  await until('it stands ready', () => idle.size === 1);
  const [small] = [...idle] as Blank[];
  expect(take(LARGE_MB).memoryMb).toBe(LARGE_MB);
  blanks.opened(LARGE_MB);
  await until('the next one stands ready', () => [...idle].some((blank) => blank !== small));
  expect(small?.isolate.isDisposed).toBe(true);
  expect(take(LARGE_MB).memoryMb).toBe(LARGE_MB);
});

test('it is trimmed while it waits, and whoever takes it meanwhile gets it afterwards', async () => {
  const { blanks, take, idle } = stock();
  blanks.prepare(SMALL_MB);
  await until('it stands ready', () => idle.size === 1);
  const [ready] = [...idle];
  const trimming = ready?.trim();
  const taken = take(SMALL_MB);
  await taken.own(owner);
  await trimming;
  expect(taken.idleSince).toBe(0);
});

test('one whose prelude fails is never given out, and who opens one learns why', async () => {
  const { blanks, take } = stock({ source: 'throw new Error("no prelude");0' });
  blanks.prepare(SMALL_MB);
  const failed = take(SMALL_MB);
  await expect(failed.own(owner)).rejects.toThrow('no prelude');
  expect(failed.usable).toBe(false);
});

test('a plug-in with another memory limit than the one prepared for gets its own', async () => {
  await using kit = openKit();
  await until('a spare stands ready', () => kit.sandbox.status().ready);
  const hungry = 'const all = []; for (;;) all.push(new Array(1e5).fill(all.length));';
  const small = await kit.call(bundleOf(hungry, { limits: { memoryMb: 16 } }), { org: 'a' });
  expect(small).toMatchObject({ kind: 'failed', code: 'MEMORY_EXCEEDED' });
  const filling = 'return new Array(3e6).fill(1.5).length';
  const large = await kit.call(bundleOf(filling, { plugin: 'p2', limits: { memoryMb: 128 } }));
  expect(large).toMatchObject({ kind: 'replied', reply: '3000000' });
});
