import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { bundleOf, isAlive, openKit, resultOf, until } from './kit.ts';

const hello = bundleOf('return ++n', { before: 'let n = 0' });

/** A runner program made of one line, in a folder of its own. */
async function programOf(source: string) {
  const folder = await mkdtemp(join(tmpdir(), 'vcx-runner-'));
  const path = join(folder, 'program.mjs');
  await writeFile(path, source);
  return {
    program: { path, readable: [`${folder}/`] },
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true }),
  };
}

test.each([
  ['never becomes ready', 'setInterval(() => {}, 1000)'],
  ['dies at once', 'process.exit(3)'],
  ['can not be loaded', 'this is no program'],
])(
  'a runner that %s is tried with pauses, calls are answered, status says why',
  async (_, source) => {
    await using made = await programOf(source);
    await using kit = openKit({ runnerProgram: made.program, readyMs: 300, spares: 1 });
    expect(resultOf(await kit.call(hello))).toBe('RUNNER_UNAVAILABLE');
    expect(kit.sandbox.status()).toMatchObject({
      ready: false,
      reason: expect.stringMatching(/.../),
    });
    const again = await Promise.all(Array.from({ length: 50 }, () => kit.call(hello)));
    expect(new Set(again.map(resultOf))).toEqual(new Set(['RUNNER_UNAVAILABLE']));
    expect(await kit.metrics.total('sandbox_runner_starts_total')).toBeLessThan(10);
  },
);

test('a runner that is ready and dies under its first call is not started for ever', async () => {
  const ready = 'const b = Buffer.alloc(17); b[0] = 13; b[4] = 10; writeSync(3, b)';
  const source = `import { writeSync } from "node:fs"; ${ready}; setTimeout(() => process.exit(), 20)`;
  await using made = await programOf(source);
  await using kit = openKit({ runnerProgram: made.program });
  const codes = new Set<unknown>();
  for (let n = 0; n < 20; n++) codes.add(resultOf(await kit.call(hello, { idempotent: true })));
  const allowed = new Set(['RUNNER_KILLED', 'RUNNER_UNAVAILABLE', 'PLUGIN_QUARANTINED']);
  expect([...codes].filter((code) => !allowed.has(String(code)))).toEqual([]);
  expect(await kit.metrics.total('sandbox_runner_starts_total')).toBeLessThan(30);
});

test('status becomes ready with the first spare, and lists every barrier', async () => {
  await using kit = openKit();
  expect(kit.sandbox.status().ready).toBe(false);
  await until('a spare is ready', () => kit.sandbox.status().ready);
  const { runners, barriers } = kit.sandbox.status();
  expect(runners).toMatchObject([{ state: 'spare', plugin: null, isolates: 0 }]);
  expect(barriers.map((barrier) => barrier.name)).toEqual([
    'process',
    'environment',
    'permission',
    'uid',
    'namespace',
    'memory',
    'prefix',
    'jitless',
  ]);
  for (const barrier of barriers) expect(barrier.detail).not.toBe('');
});

test('a runner in use is followed by a new spare', async () => {
  await using kit = openKit({ spares: 2 });
  await kit.call(hello);
  await until('two spares stand ready', () => {
    const states = kit.sandbox.status().runners.map((runner) => runner.state);
    return states.filter((state) => state === 'spare').length === 2 && states.includes('serving');
  });
});

test('two runners at the same time never have the same user', async () => {
  await using kit = openKit({ spares: 3 });
  await until(
    'all are ready',
    () => kit.sandbox.status().runners.filter((r) => r.state === 'spare').length === 3,
  );
  const uid = kit.sandbox.status().barriers.find((barrier) => barrier.name === 'uid');
  const { statSync } = await import('node:fs');
  const users = kit.pids().map((pid) => statSync(`/proc/${pid}`).uid);
  expect(new Set(users).size).toBe(uid?.active ? 3 : 1);
});

test('isolates and runners that nobody uses are freed', async () => {
  await using kit = openKit({ idleMs: 50 });
  const { usage } = await kit.call(hello);
  await until('the isolate is freed', () =>
    kit.sandbox.status().runners.every((r) => r.isolates === 0),
  );
  await until('the runner ends', () => !isAlive(usage?.pid ?? 0));
  expect(resultOf(await kit.call(hello))).toBe(1);
});

test('above the memory budget the isolates longest unused are freed', async () => {
  await using kit = openKit({ memoryBudgetMb: 1 });
  await kit.call(hello, { org: 'a' });
  await until(
    'the isolate is freed',
    async () => (await kit.metrics.total('sandbox_evictions_total')) > 0,
  );
  expect(resultOf(await kit.call(hello, { org: 'a' }))).toBe(1);
});

test.concurrent.each([
  ['number of calls', { isolateMaxCalls: 3 }, [1, 2, 3, 1, 2, 3, 1]],
  ['time', { isolateMaxAgeMs: 0 }, [1, 1, 1]],
])('an isolate is replaced after its %s', async (_, options, expected) => {
  await using kit = openKit(options);
  const results: unknown[] = [];
  while (results.length < expected.length) results.push(resultOf(await kit.call(hello)));
  expect(results).toEqual(expected);
});

test('an isolate whose heap keeps growing is replaced before V8 ends it', async () => {
  await using kit = openKit({ isolateMaxHeapShare: 0.3 });
  const bundle = bundleOf('kept.push(new Array(10_000).fill(1.5)); return kept.length', {
    before: 'const kept = []',
    limits: { memoryMb: 32, cpuMs: 1_000 },
  });
  const results: unknown[] = [];
  for (let n = 0; n < 400; n++) results.push(resultOf(await kit.call(bundle)));
  expect(results.every((result) => typeof result === 'number')).toBe(true);
  expect(results.filter((result) => result === 1).length).toBeGreaterThan(1);
});

test.concurrent.each([
  ['number of calls', { runnerMaxCalls: 5 }],
  ['time', { runnerMaxAgeMs: 1 }],
  // Less than nothing, so that any runner has it.
  ['growth', { runnerMaxGrowthMb: -10_000 }],
])('a runner is replaced after its %s, and no call notices', async (_, options) => {
  await using kit = openKit(options);
  const pids = new Set<number | undefined>();
  await until('another runner serves', async () => {
    const outcome = await kit.call(hello);
    expect(outcome.kind).toBe('replied');
    return pids.add(outcome.usage?.pid).size > 1;
  });
});

test('a retired version is freed once its calls have ended, and can be called again', async () => {
  await using kit = openKit({ drainMs: 10_000 });
  const bundle = bundleOf('await host("a", "b", 1); return 1');
  const gate = Promise.withResolvers<string>();
  const call = kit.call(bundle, { hostCall: () => gate.promise });
  await until('the call is in an isolate', () =>
    kit.sandbox.status().runners.some((r) => r.inFlight === 1),
  );
  const retired = kit.sandbox.retire(bundle.plugin, bundle.version);
  gate.resolve('{"ok":true,"value":1}');
  const outcome = await call;
  expect(resultOf(outcome)).toBe(1);
  await retired;
  await until('its runner is gone', () => !isAlive(outcome.usage?.pid ?? 0));
  expect(resultOf(await kit.call(bundle))).toBe(1);
});

test('dispose lets calls end, leaves no process, and can be repeated', async () => {
  const kit = openKit({ drainMs: 10_000, spares: 2 });
  const bundle = bundleOf('await host("a", "b", 1); return "ended"');
  const gate = Promise.withResolvers<string>();
  const call = kit.call(bundle, { hostCall: () => gate.promise });
  await until('the call is in an isolate', () =>
    kit.sandbox.status().runners.some((r) => r.inFlight === 1),
  );
  const pids = kit.pids();
  const closed = kit.sandbox[Symbol.asyncDispose]();
  expect(resultOf(await kit.call(hello))).toBe('DRAINING');
  gate.resolve('{"ok":true,"value":1}');
  expect(resultOf(await call)).toBe('ended');
  await closed;
  await kit.sandbox[Symbol.asyncDispose]();
  expect(pids.length).toBeGreaterThan(0);
  expect(pids.filter(isAlive)).toEqual([]);
  expect(kit.sandbox.status().runners).toEqual([]);
});

test('dispose does not wait for ever: what does not end in time is answered and killed', async () => {
  const kit = openKit({ drainMs: 100 });
  const bundle = bundleOf('await new Promise(() => {})', { limits: { wallMs: 30_000 } });
  const call = kit.call(bundle);
  await until('the call is in an isolate', () =>
    kit.sandbox.status().runners.some((r) => r.inFlight === 1),
  );
  const pids = kit.pids();
  await kit.sandbox[Symbol.asyncDispose]();
  expect(resultOf(await call)).toBe('RUNNER_KILLED');
  expect(pids.filter(isAlive)).toEqual([]);
});

test('the strict profile runs without a JIT, its code caches accepted', async () => {
  await using kit = openKit({ strict: true });
  await kit.sandbox.probe(hello);
  for (const org of ['a', 'b', 'c']) expect(resultOf(await kit.call(hello, { org }))).toBe(1);
  expect(kit.events.filter((e) => String(e['event']).startsWith('sandbox.codeCache'))).toEqual([]);
  expect(kit.sandbox.status().barriers).toContainEqual(
    expect.objectContaining({ name: 'jitless', active: true }),
  );
});

test('words before the command line are used, and what they start is found and ended', async () => {
  const shell = ['sh', '-c', '"$@"; exit $?', 'sh'];
  const kit = openKit({ argvPrefix: ['/usr/bin/env', 'TZ=Asia/Tokyo', ...shell] });
  // Asked for while the shell has not started anything yet.
  kit.pids();
  const place =
    '[new Date(0).getTimezoneOffset(), Intl.DateTimeFormat().resolvedOptions().timeZone]';
  const outcome = await kit.call(bundleOf(`return ${place}`));
  // Nor does a guest see where the machine stands.
  expect(resultOf(outcome)).toEqual([0, 'UTC']);
  expect(readFileSync(`/proc/${outcome.usage?.pid}/cmdline`, 'utf8')).toMatch(/^[^\0]*node\0/);
  const pids = kit.pids();
  await kit.sandbox[Symbol.asyncDispose]();
  expect(pids.filter(isAlive)).toEqual([]);
});
