/** Isolates of a version that takes over stand ready before its first call. */
import { expect, test } from 'vitest';

import { bundleOf, openKit } from './kit.ts';

const version = (text: string) => ({ ...bundleOf(`return "${text}"`), version: text });

test('orgs that called the old version find an isolate of the new one ready, others do not', async () => {
  await using kit = openKit();
  const [from, to] = [version('1.0.0'), version('2.0.0')];
  for (const org of ['a', 'b']) await kit.call(from, { org });
  await kit.sandbox.warm(from, to);
  const cold = async (org: string) => (await kit.call(to, { org })).usage?.cold;
  const opened = () =>
    kit.sandbox
      .status()
      .runners.filter((runner) => runner.version === '2.0.0')
      .reduce((sum, { isolates }) => sum + isolates, 0);
  expect(opened()).toBe(2);
  await Promise.all(['a', 'b'].map((org) => cold(org)));
  expect(opened()).toBe(2);
  await cold('c');
  expect(opened()).toBe(3);
});

test('a version that can not be loaded, or that nobody called, keeps nobody waiting', async () => {
  await using kit = openKit();
  const from = version('1.0.0');
  await kit.call(from);
  const broken = bundleOf('return 1', { before: 'throw new Error("at load")' });
  await kit.sandbox.warm(from, { ...broken, version: '2.0.0' });
  await kit.sandbox.warm(version('0.1.0'), version('0.2.0'));
  expect((await kit.call(from)).kind).toBe('replied');
});
