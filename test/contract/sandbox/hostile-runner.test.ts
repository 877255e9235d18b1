import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { isAlive, openKit, resultOf, scriptBundle, until, type Kit } from './kit.ts';

const root = join(import.meta.dirname, '..', '..', '..');

const runnerProgram = {
  path: join(import.meta.dirname, 'liar.ts'),
  readable: [`${import.meta.dirname}/`, `${root}/host/runner/`, `${root}/package.json`],
};

/** For the lies that need no sandbox of their own. */
let shared: Kit;
beforeAll(() => {
  const patient = { threshold: 1_000 };
  shared = openKit({ runnerProgram, orgBreaker: patient, pluginBreaker: patient });
});
afterAll(() => shared[Symbol.asyncDispose]());

test('the program in the place of the runner serves calls when it is honest', async () => {
  const kit = shared;
  expect(resultOf(await kit.call(scriptBundle('honest')))).toBe('honest');
});

test.each([
  'reply for another call',
  'reply for another isolate',
  'settled before the reply',
  'host call for another call',
  'bounced though it was sent alone',
  'bounced for an unknown call',
  'waits twice',
  'unasked pong',
  'ready again',
  'opened again',
  'gone while busy',
  'unknown cause',
  'frame of the host',
  'oversized',
  'too short',
  'unknown type',
  'noise',
  'log flood',
])('a runner that sends "%s" is killed, its call answered, other plug-ins go on', async (lie) => {
  const kit = shared;
  const lost = () => kit.metrics.total('sandbox_runners_lost_total', { kind: 'protocol' });
  const before = await lost();
  const outcome = await kit.call(scriptBundle(lie, { plugin: 'liar' }));
  expect(resultOf(outcome)).toBe('RUNNER_KILLED');
  await until('the liar is gone', () => !isAlive(outcome.usage?.pid ?? 0));
  expect(resultOf(await kit.call(scriptBundle('honest')))).toBe('honest');
  expect(await lost()).toBe(before + 1);
});

test.each(['reply twice', 'done twice'])(
  'a runner that says "%s" is killed, and the caller keeps the first reply',
  async (lie) => {
    const kit = shared;
    const outcome = await kit.call(scriptBundle(lie));
    expect(resultOf(outcome)).toBe('honest');
    await until('the liar is gone', () => !isAlive(outcome.usage?.pid ?? 0));
  },
);

test('a runner can not run up more CPU time for an org than has passed', async () => {
  const kit = shared;
  let told = 0;
  const charge = (cpuMs: number): void => void (told += cpuMs);
  const outcome = await kit.call(scriptBundle('years of CPU time'), { charge });
  expect(resultOf(outcome)).toBe('honest');
  expect(resultOf(await kit.call(scriptBundle('honest')))).toBe('honest');
  expect((outcome.usage?.cpuMs ?? 0) + told).toBeLessThan(60_000);
});

test.each(['silence', 'half a frame', 'never gone'])(
  'a runner that answers with %s is killed after the deadline',
  async (lie) => {
    await using kit = openKit({ runnerProgram, heartbeatMs: 200, disposeGraceMs: 100 });
    const outcome = await kit.call(scriptBundle(lie, { limits: { wallMs: 100 } }));
    expect(resultOf(outcome)).toBe('WALL_EXCEEDED');
    await until('the runner is gone', () => !isAlive(outcome.usage?.pid ?? 0));
  },
);

test('a runner that dies whenever it loads the plug-in is not started for ever', async () => {
  await using kit = openKit({ runnerProgram, orgBreaker: { threshold: 2 } });
  const bundle = scriptBundle('dies while loading');
  expect(resultOf(await kit.call(bundle))).toBe('RUNNER_KILLED');
  await until('the breaker opens', async () => {
    return resultOf(await kit.call(bundle)) === 'PLUGIN_QUARANTINED';
  });
  expect(await kit.metrics.total('sandbox_runner_starts_total')).toBeLessThan(15);
});

test('a runner that was taken over can not read, connect, spawn or signal', async () => {
  await using kit = openKit({ runnerProgram });
  const outcome = await kit.call(scriptBundle('nosy'));
  expect(outcome).toMatchObject({ kind: 'failed', code: 'PLUGIN_UNAVAILABLE' });
  const found = JSON.parse(outcome.kind === 'failed' ? outcome.message : '{}') as unknown;
  const uid = kit.sandbox.status().barriers.find((barrier) => barrier.name === 'uid');
  expect(found).toMatchObject({
    file: 'ERR_ACCESS_DENIED',
    process: 'ERR_ACCESS_DENIED',
    network: 'ERR_ACCESS_DENIED',
    environment: '',
    folder: '/',
    ...(uid?.active ? { signal: 'EPERM', user: expect.stringMatching(/^7[0-4]\d{3}$/) } : {}),
  });
});
