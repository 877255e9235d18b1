import { afterAll, beforeAll, expect, test } from 'vitest';
import { bundleOf, isAlive, openKit, resultOf, until, type Kit } from './kit.ts';

const quiet = bundleOf('return "fine"', { plugin: 'quiet' });

/** Guests that use CPU for ever but can be stopped by disposing their isolate. */
const LOOPS: Record<string, string> = {
  'a loop': 'for (;;);',
  'a loop in try/finally': 'for (;;) { try { for (;;); } finally { continue; } }',
  'a microtask loop': 'for (;;) await null;',
  'a loop after a host call': 'await host("a", "b", 1); for (;;);',
  'a loop of host calls answered at once': 'for (;;) await host("a", "b", 1);',
  'a loop of log lines': 'for (;;) console.log("x");',
  'a loop of random bytes': 'for (;;) randomBase64(1);',
  'a loop in a getter of a thrown error': 'throw { get message() { for (;;); } };',
  'a loop in toString of a thrown object': 'throw { toString() { for (;;); } };',
  'a loop in prepareStackTrace':
    'Error.prepareStackTrace = () => { for (;;); }; throw new Error("x").stack;',
  'a loop in toJSON of the result': 'return { toJSON() { for (;;); } };',
  'a backtracking regular expression': '/^(a+)+$/.test("a".repeat(60) + "b");',
};

/** Guests whose thread V8 can not interrupt: only the death of the process ends them. */
const WEDGES: Record<string, string> = {
  'includes over 2**53': 'Array.prototype.includes.call({ length: 2 ** 53 - 1 }, 1);',
  'indexOf over a long hole': 'new Array(2 ** 32 - 1).indexOf(1);',
  'naive lastIndexOf': '("a".repeat(8e6)).lastIndexOf("a".repeat(4e6) + "b");',
  'BigInt squares': 'let x = 3n; for (;;) x *= x;',
  'a thrown proxy':
    'Promise.reject(new Proxy({}, { get() { for (;;); }, has() { for (;;); }, getPrototypeOf() { for (;;); } }));',
};

/** For those that need no sandbox of their own. */
let shared: Kit;
beforeAll(() => {
  // They are all of one org: its breaker must not open.
  const patient = { threshold: 1_000 };
  shared = openKit({ orgBreaker: patient, pluginBreaker: patient, disposeGraceMs: 300 });
});
afterAll(() => shared[Symbol.asyncDispose]());

test.each(Object.entries(LOOPS))(
  '%s is stopped, and the next call of another org is answered',
  async (_, body) => {
    const kit = shared;
    const bundle = bundleOf(`if (input.evil) { ${body} } return "fine"`, {
      limits: { cpuMs: 50, wallMs: 10_000, hostCalls: 10_000 },
    });
    const outcome = await kit.call(bundle, { input: { evil: true } });
    // Floods may fill the runner's memory with what waits for its thread, or keep it from answering pings, before
    // their CPU is used up.
    expect(['CPU_EXCEEDED', 'HOST_CALLS_EXCEEDED', 'MEMORY_EXCEEDED', 'RUNNER_KILLED']).toContain(
      resultOf(outcome),
    );
    const next = await kit.call(bundle, { org: 'other', idempotent: true });
    expect(resultOf(next)).toBe('fine');
    await kit.sandbox.retire(bundle.plugin, bundle.version);
  },
);

test.each(Object.entries(WEDGES))('%s costs its runner, and other orgs go on', async (_, body) => {
  const kit = shared;
  const bundle = bundleOf(`if (input.evil) { ${body} await new Promise(() => {}) } return "fine"`, {
    limits: { cpuMs: 50, wallMs: 1_000 },
  });
  const first = await kit.call(bundle, { org: 'other' });
  const outcome = await kit.call(bundle, { input: { evil: true } });
  expect(['CPU_EXCEEDED', 'WALL_EXCEEDED', 'MEMORY_EXCEEDED', 'RUNNER_KILLED']).toContain(
    resultOf(outcome),
  );
  await until('the runner is gone', () => !isAlive(first.usage?.pid ?? 0));
  const after = await kit.call(bundle, { org: 'other', idempotent: true });
  expect(resultOf(after)).toBe('fine');
  await kit.sandbox.retire(bundle.plugin, bundle.version);
});

test('the limit of one entry does not end a call that used less CPU time than it may', async () => {
  await using kit = openKit({ entryTimeoutFactor: 0.001 });
  const burn = 'const start = Date.now(); let x = 0; while (Date.now() - start < 60) x++; return 1';
  expect(resultOf(await kit.call(bundleOf(burn, { limits: { cpuMs: 1_000 } })))).toBe(1);
});

test('a call that waits for ever ends at its wall limit', async () => {
  const kit = shared;
  const bundle = bundleOf('await new Promise(() => {})', { limits: { wallMs: 100 } });
  const outcome = await kit.call(bundle);
  expect(resultOf(outcome)).toBe('WALL_EXCEEDED');
});

test('a call ends at its deadline even when its wall limit is later', async () => {
  const kit = shared;
  const bundle = bundleOf('await host("a", "b", 1)', { limits: { wallMs: 30_000 } });
  // So that it is in an isolate, and not still on the way to one.
  await kit.call(bundle);
  const started = performance.now();
  const hostCall = (): Promise<string> => new Promise(() => {});
  const outcome = await kit.call(bundle, { withinMs: 1_000, hostCall });
  expect(resultOf(outcome)).toBe('WALL_EXCEEDED');
  expect(performance.now() - started).toBeLessThan(10_000);
});

test('a heap that grows beyond its limit is answered as memory', async () => {
  const kit = shared;
  const bundle = bundleOf('const all = []; for (;;) all.push(new Array(1000).fill(all.length));', {
    limits: { cpuMs: 2_000, memoryMb: 16 },
  });
  expect(resultOf(await kit.call(bundle))).toBe('MEMORY_EXCEEDED');
  expect(resultOf(await kit.call(quiet, { org: 'other' }))).toBe('fine');
});

test('a heap that V8 can not even report as full is answered, and nobody else pays', async () => {
  const kit = shared;
  const bundle = bundleOf('const m = new Map(); for (let i = 0; ; i++) m.set(i, i);', {
    limits: { cpuMs: 2_000, wallMs: 20_000, memoryMb: 16 },
  });
  expect(['MEMORY_EXCEEDED', 'RUNNER_KILLED']).toContain(
    resultOf(await kit.call(bundle, { withinMs: 20_000 })),
  );
  expect(resultOf(await kit.call(quiet, { org: 'other' }))).toBe('fine');
});

test('memory outside the heap is seen by the resident size', async () => {
  const kit = shared;
  const body =
    'const all = []; for (;;) { const b = new ArrayBuffer(8, { maxByteLength: 2 ** 30 }); b.resize(2 ** 30); new Uint8Array(b).fill(1); all.push(b); }';
  const bundle = bundleOf(body, { limits: { cpuMs: 2_000, memoryMb: 16 } });
  expect(['MEMORY_EXCEEDED', 'CPU_EXCEEDED']).toContain(resultOf(await kit.call(bundle)));
  expect(resultOf(await kit.call(quiet, { org: 'other' }))).toBe('fine');
});

test('a reply over its limit is refused', async () => {
  const kit = shared;
  const bundle = bundleOf('return "x".repeat(10_000_000)', { limits: { cpuMs: 2_000 } });
  expect(resultOf(await kit.call(bundle))).toBe('RESPONSE_TOO_LARGE');
});

test('when a runner is killed from outside, each call in it is answered: the safe ones by a second run', async () => {
  await using kit = openKit();
  const bundle = bundleOf('await host("a", "b", 1); return input.n');
  let waiting = 0;
  const gate = Promise.withResolvers<void>();
  const hostCall = async (): Promise<string> => {
    waiting++;
    await gate.promise;
    return '{"ok":true,"value":1}';
  };
  const calls = Array.from({ length: 6 }, (_, n) =>
    kit.call(bundle, { org: `org-${n}`, input: { n }, hostCall, idempotent: n % 2 === 0 }),
  );
  await until('all calls are in the runner', () => waiting === 6);
  const serving = kit.sandbox.status().runners.find((runner) => runner.state === 'serving');
  process.kill(serving?.pid ?? 0, 'SIGKILL');
  gate.resolve();
  const results = (await Promise.all(calls)).map(resultOf);
  expect(results).toEqual([0, 'RUNNER_KILLED', 2, 'RUNNER_KILLED', 4, 'RUNNER_KILLED']);
  expect(await kit.metrics.total('sandbox_retries_total')).toBe(3);
  expect(resultOf(await kit.call(bundle, { org: 'next', input: { n: 9 } }))).toBe(9);
});

test('a second try ends at the deadline of the call, whatever its own limits would give it', async () => {
  await using kit = openKit();
  const bundle = bundleOf('await host("a", "b", 1)', { limits: { wallMs: 30_000 } });
  let tries = 0;
  const hostCall = (): Promise<string> => {
    tries++;
    return new Promise(() => {});
  };
  const call = kit.call(bundle, { withinMs: 4_000, idempotent: true, hostCall });
  await until('it is in the runner', () => tries === 1);
  const serving = kit.sandbox.status().runners.find((runner) => runner.state === 'serving');
  process.kill(serving?.pid ?? 0, 'SIGKILL');
  expect(resultOf(await call)).toBe('WALL_EXCEEDED');
  expect(tries).toBe(2);
});

test('an org whose call killed a runner gets a runner of its own, the others go back to a shared one', async () => {
  await using kit = openKit({ disposeGraceMs: 100 });
  const bundle = bundleOf(`if (input.evil) { ${WEDGES['includes over 2**53']} } return 1`, {
    limits: { cpuMs: 50, wallMs: 1_000 },
  });
  await kit.call(bundle, { org: 'a' });
  const bad = await kit.call(bundle, { org: 'bad', input: { evil: true } });
  expect(resultOf(bad)).toBe('CPU_EXCEEDED');
  await until('the blame is laid', () => kit.events.some((e) => e['event'] === 'sandbox.blamed'));
  const a = await kit.call(bundle, { org: 'a' });
  const b = await kit.call(bundle, { org: 'b' });
  const alone = await kit.call(bundle, { org: 'bad' });
  expect([a, b, alone].map(resultOf)).toEqual([1, 1, 1]);
  expect(a.usage?.pid).toBe(b.usage?.pid);
  expect(alone.usage?.pid).not.toBe(a.usage?.pid);
  const blamed = kit.events.filter((event) => event['event'] === 'sandbox.blamed');
  expect(blamed).toMatchObject([{ org: 'bad' }]);
});

test('a call that must not run twice is not begun beside one whose isolate does not end', async () => {
  await using kit = openKit({ disposeGraceMs: 300 });
  const bundle = bundleOf(
    `if (input.evil) { ${WEDGES['includes over 2**53']} } await host("a", "b", 1); return 1`,
    { limits: { cpuMs: 50, wallMs: 5_000 } },
  );
  await kit.call(bundle, { org: 'a' });
  const bad = await kit.call(bundle, { org: 'bad', input: { evil: true } });
  expect(resultOf(bad)).toBe('CPU_EXCEEDED');
  const isLost = (): boolean => kit.events.some((e) => e['event'] === 'runner.lost');
  expect(isLost()).toBe(false);
  const hostCall = async (): Promise<string> => {
    await until('the runner is lost', isLost);
    return '{"ok":true,"value":1}';
  };
  const orgs = ['a', 'bad'];
  const beside = orgs.map((org) => kit.call(bundle, { org, hostCall, idempotent: false }));
  expect((await Promise.all(beside)).map(resultOf)).toEqual([1, 1]);
});

test('an org that kills its runners again and again is paused, the others are not', async () => {
  await using kit = openKit({ orgBreaker: { threshold: 2 }, disposeGraceMs: 100 });
  const bundle = bundleOf(`if (input.evil) { ${WEDGES['includes over 2**53']} } return 1`, {
    limits: { cpuMs: 50, wallMs: 1_000 },
  });
  for (let kills = 1; kills <= 2; kills++) {
    await kit.call(bundle, { org: 'bad', input: { evil: true } });
    await until(
      'the blame is laid',
      async () => (await kit.metrics.total('sandbox_blames_total')) === kills,
    );
  }
  expect(resultOf(await kit.call(bundle, { org: 'bad' }))).toBe('PLUGIN_QUARANTINED');
  expect(resultOf(await kit.call(bundle, { org: 'good' }))).toBe(1);
});

test('calls that wait while their org is paused are refused, and kill nothing more', async () => {
  await using kit = openKit({ orgBreaker: { threshold: 2 }, disposeGraceMs: 100 });
  const bundle = bundleOf(WEDGES['includes over 2**53'] ?? '', {
    limits: { cpuMs: 50, wallMs: 10_000, concurrency: 1 },
  });
  const calls = Array.from({ length: 6 }, () => kit.call(bundle, { org: 'bad' }));
  const results = (await Promise.all(calls)).map(resultOf);
  expect(results.filter((result) => result === 'PLUGIN_QUARANTINED')).toHaveLength(4);
  expect(await kit.metrics.total('sandbox_runners_lost_total')).toBe(2);
});

test('a plug-in that kills runners for many orgs is paused for all', async () => {
  await using kit = openKit({ pluginBreaker: { threshold: 2 }, disposeGraceMs: 100 });
  const bundle = bundleOf(`if (input.evil) { ${WEDGES['includes over 2**53']} } return 1`, {
    limits: { cpuMs: 50, wallMs: 1_000 },
  });
  for (const [at, org] of ['x', 'y'].entries()) {
    await kit.call(bundle, { org, input: { evil: true } });
    await until(
      'the blame is laid',
      async () => (await kit.metrics.total('sandbox_blames_total')) === at + 1,
    );
  }
  expect(resultOf(await kit.call(bundle, { org: 'good' }))).toBe('PLUGIN_QUARANTINED');
  expect(resultOf(await kit.call(quiet, { org: 'good' }))).toBe('fine');
});
