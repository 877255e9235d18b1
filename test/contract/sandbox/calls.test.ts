import { expect, test } from 'vitest';
import { bundleOf, openKit, resultOf, scriptBundle, until } from './kit.ts';

test('a handler is answered from a process that is not the host', async () => {
  await using kit = openKit();
  const outcome = await kit.call(bundleOf('return input.x * 2'), { input: { x: 21 } });
  expect(outcome).toMatchObject({ kind: 'replied', reply: '42', usage: { cold: true } });
  expect(outcome.usage?.pid).not.toBe(process.pid);
});

test('the second call finds the isolate warm, with its state', async () => {
  await using kit = openKit();
  const bundle = bundleOf('return ++count', { before: 'let count = 0' });
  expect(resultOf(await kit.call(bundle))).toBe(1);
  const second = await kit.call(bundle);
  expect(resultOf(second)).toBe(2);
  expect(second.usage?.cold).toBe(false);
});

test('no org sees the state that another org left', async () => {
  await using kit = openKit();
  const bundle = bundleOf(
    'const before = globalThis.mark; globalThis.mark = input.org; return before ?? null',
  );
  const orgs = Array.from({ length: 8 }, (_, index) => `org-${index}`);
  for (let round = 0; round < 2; round++) {
    const answers = await Promise.all(orgs.map((org) => kit.call(bundle, { org, input: { org } })));
    expect(answers.map(resultOf)).toEqual(round === 0 ? orgs.map(() => null) : orgs);
  }
});

test('isolation: request gives each call a fresh isolate', async () => {
  await using kit = openKit();
  const bundle = bundleOf('return ++count', { before: 'let count = 0', isolation: 'request' });
  const answers = await Promise.all(Array.from({ length: 6 }, () => kit.call(bundle)));
  expect(answers.map(resultOf)).toEqual([1, 1, 1, 1, 1, 1]);
});

test('isolation: org gives each org a runner of its own', async () => {
  await using kit = openKit();
  const bundle = bundleOf('return 1', { isolation: 'org' });
  const [a, b] = await Promise.all([
    kit.call(bundle, { org: 'a' }),
    kit.call(bundle, { org: 'b' }),
  ]);
  expect(resultOf(a)).toBe(1);
  expect(resultOf(b)).toBe(1);
  expect(a.usage?.pid).not.toBe(b.usage?.pid);
});

test('orgs of one plug-in share a runner, and two plug-ins never do', async () => {
  await using kit = openKit();
  const one = bundleOf('return 1', { plugin: 'one' });
  const two = bundleOf('return 1', { plugin: 'two' });
  const a = await kit.call(one, { org: 'a' });
  const b = await kit.call(one, { org: 'b' });
  const c = await kit.call(two, { org: 'a' });
  expect(a.usage?.pid).toBe(b.usage?.pid);
  expect(c.usage?.pid).not.toBe(a.usage?.pid);
});

test('a full runner is followed by a second one', async () => {
  await using kit = openKit({ orgsPerRunner: 2 });
  const bundle = bundleOf('return 1');
  const pids = new Set<number | undefined>();
  for (const org of ['a', 'b', 'c', 'd', 'e']) {
    const outcome = await kit.call(bundle, { org });
    expect(resultOf(outcome)).toBe(1);
    pids.add(outcome.usage?.pid);
  }
  expect(pids.size).toBe(3);
});

test('a handler that waits for the host does not block its org', async () => {
  await using kit = openKit();
  const bundle = bundleOf('return (await host("slow", "wait", null)).value');
  let waiting = 0;
  const all = Promise.withResolvers<void>();
  const hostCall = async (): Promise<string> => {
    if (++waiting === 6) all.resolve();
    await all.promise;
    return '{"ok":true,"value":"done"}';
  };
  const calls = Array.from({ length: 6 }, () => kit.call(bundle, { hostCall }));
  expect((await Promise.all(calls)).map(resultOf)).toEqual(Array(6).fill('done'));
});

test('an org never has more isolates at work than its concurrency', async () => {
  await using kit = openKit();
  const bundle = bundleOf('return (await host("a", "b", 1)).value', { limits: { concurrency: 3 } });
  let now = 0;
  let most = 0;
  const hostCall = async (): Promise<string> => {
    most = Math.max(most, ++now);
    await new Promise((resolve) => setTimeout(resolve, 20));
    now--;
    return '{"ok":true,"value":1}';
  };
  const calls = Array.from({ length: 30 }, () => kit.call(bundle, { hostCall }));
  expect((await Promise.all(calls)).map(resultOf)).toEqual(Array(30).fill(1));
  expect(most).toBe(3);
});

test('calls beyond the queue of an org are refused, and those of another org are not', async () => {
  await using kit = openKit({ queuePerOrg: 2 });
  const bundle = bundleOf('return (await host("a", "b", 1)).value', { limits: { concurrency: 1 } });
  const gate = Promise.withResolvers<string>();
  const hostCall = (): Promise<string> => gate.promise;
  const calls = Array.from({ length: 5 }, () => kit.call(bundle, { hostCall }));
  const other = await kit.call(bundle, { org: 'other' });
  expect(resultOf(other)).toBe(null);
  gate.resolve('{"ok":true,"value":7}');
  const results = (await Promise.all(calls)).map(resultOf);
  expect(results.filter((result) => result === 7)).toHaveLength(3);
  expect(results.filter((result) => result === 'CONCURRENCY_EXCEEDED')).toHaveLength(2);
});

test('host calls carry their arguments there and the answer back', async () => {
  await using kit = openKit();
  const seen: unknown[] = [];
  const outcome = await kit.call(bundleOf('return await host("kv", "get", { key: "ä}\\"" })'), {
    hostCall: async (binding, method, args) => {
      seen.push(binding, method, JSON.parse(args));
      return '{"ok":false,"code":"BINDING_DENIED","message":"no"}';
    },
  });
  expect(seen).toEqual(['kv', 'get', { key: 'ä}"' }]);
  expect(resultOf(outcome)).toEqual({ ok: false, code: 'BINDING_DENIED', message: 'no' });
  expect(outcome.usage?.hostCalls).toBe(1);
});

test('a host service that rejects reaches the guest as a code without its words', async () => {
  await using kit = openKit();
  const outcome = await kit.call(bundleOf('return await host("kv", "get", 1)'), {
    hostCall: () => Promise.reject(new Error('secret path')),
  });
  expect(resultOf(outcome)).toEqual({
    ok: false,
    code: 'BINDING_FAILED',
    message: 'the host service failed',
  });
});

test('more host calls or bytes than allowed end the call with their code', async () => {
  await using kit = openKit();
  const many = bundleOf('for (let i = 0; i < 11; i++) await host("a", "b", i); return 1', {
    limits: { hostCalls: 10 },
  });
  expect(resultOf(await kit.call(many))).toBe('HOST_CALLS_EXCEEDED');
  const flood = bundleOf('for (;;) host("a", "b", 1)', { limits: { hostCalls: 10 } });
  expect(resultOf(await kit.call(flood))).toBe('HOST_CALLS_EXCEEDED');
  const big = bundleOf('await host("a", "b", "x".repeat(5000)); return 1', {
    limits: { hostCallBytes: 2_000 },
  });
  expect(resultOf(await kit.call(big))).toBe('HOST_CALLS_EXCEEDED');
  const answer = bundleOf('await host("a", "b", 1); return 1', {
    limits: { hostCallBytes: 2_000 },
  });
  const hostCall = async (): Promise<string> =>
    JSON.stringify({ ok: true, value: 'x'.repeat(5_000) });
  expect(resultOf(await kit.call(answer, { hostCall }))).toBe('HOST_CALLS_EXCEEDED');
});

test('the signal of a host call fires when its call ends', async () => {
  await using kit = openKit();
  let seen: AbortSignal | undefined;
  const outcome = await kit.call(bundleOf('void host("a", "b", 1); return 1'), {
    hostCall: (_binding, _method, _args, signal) => {
      seen = signal;
      return new Promise(() => {});
    },
  });
  expect(resultOf(outcome)).toBe(1);
  await until('the signal fires', () => seen?.aborted === true);
});

test('log lines come through up to their limit, cut to their length', async () => {
  await using kit = openKit();
  const lines: string[] = [];
  const bundle = bundleOf('for (let i = 0; i < 50; i++) console.log("x".repeat(5000)); return 1', {
    limits: { logLines: 5 },
  });
  const outcome = await kit.call(bundle, { log: (_level, text) => lines.push(text) });
  expect(resultOf(outcome)).toBe(1);
  expect(lines.map((line) => line.length)).toEqual([...Array<number>(5).fill(2_048), 45]);
  expect(lines.at(-1)).toBe('more than 5 log lines: the others are dropped');
  expect(await kit.metrics.total('sandbox_logs_cut_total')).toBe(1);
});

test('timers fire within the call and none outlives it', async () => {
  await using kit = openKit();
  const bundle = bundleOf(
    'if (input.read) return fired; setTimeout(() => fired++, 50); await new Promise((r) => setTimeout(r, 5)); return "later"',
    { before: 'let fired = 0' },
  );
  expect(resultOf(await kit.call(bundle))).toBe('later');
  await new Promise((resolve) => setTimeout(resolve, 100));
  expect(resultOf(await kit.call(bundle, { input: { read: true } }))).toBe(0);
});

test('work after the reply goes on, with host calls, and keeps its isolate to itself', async () => {
  await using kit = openKit();
  const bundle = bundleOf(
    'if (input.read) return done; ctx.waitUntil((async () => { await host("a", "b", 1); done = true; })()); return "early"',
    { before: 'let done = false' },
  );
  const gate = Promise.withResolvers<string>();
  expect(resultOf(await kit.call(bundle, { hostCall: () => gate.promise }))).toBe('early');
  expect(resultOf(await kit.call(bundle, { input: { read: true } }))).toBe(false);
  gate.resolve('{"ok":true,"value":1}');
  await until('the work is done', async () => {
    const answers = await Promise.all(
      [1, 2].map(() => kit.call(bundle, { input: { read: true } })),
    );
    return answers.some((outcome) => resultOf(outcome) === true);
  });
});

test('work after the reply that takes too long or too much is cut off', async () => {
  await using kit = openKit({ backgroundWallMs: 200, backgroundCpuMs: 50 });
  for (const work of ['for (;;);', 'await new Promise(() => {})']) {
    const bundle = bundleOf(
      `ctx.waitUntil((async () => { await null; await null; ${work} })()); return 1`,
    );
    expect(resultOf(await kit.call(bundle))).toBe(1);
    await until('the isolate is gone', () =>
      kit.sandbox.status().runners.every((runner) => runner.isolates === 0),
    );
  }
});

test('CPU time that shows after the outcome is told: of work after the reply, and of calls that the host ended', async () => {
  await using kit = openKit();
  let told = 0;
  const charge = (cpuMs: number): void => void (told += cpuMs);
  const burn = 'const start = Date.now(); let x = 0; while (Date.now() - start < 60) x++;';
  const limits = { cpuMs: 1_000, hostCallBytes: 2_000 };
  const later = bundleOf(`ctx.waitUntil((async () => { await null; ${burn} })()); return 1`, {
    limits,
  });
  const early = await kit.call(later, { charge });
  await until('it is told', () => (early.usage?.cpuMs ?? 0) + told >= 20);
  told = 0;
  const over = bundleOf(`${burn} await host("a", "b", 1)`, { limits });
  const hostCall = async (): Promise<string> =>
    JSON.stringify({ ok: true, value: 'x'.repeat(5_000) });
  const ended = await kit.call(over, { charge, hostCall });
  expect(ended).toMatchObject({ code: 'HOST_CALLS_EXCEEDED', usage: { cpuMs: 0 } });
  await until('it is told', () => told >= 20);
});

test('what loading takes is charged to the call that the isolate is opened for', async () => {
  await using kit = openKit();
  let told = 0;
  const charge = (cpuMs: number): void => void (told += cpuMs);
  const before = 'let x = 0; for (let i = 0; i < 3e7; i++) x += Math.sqrt(i)';
  const slow = bundleOf('return 1', { before });
  expect(resultOf(await kit.call(slow, { charge }))).toBe(1);
  const first = told;
  expect(first).toBeGreaterThan(5);
  expect(resultOf(await kit.call(slow, { charge }))).toBe(1);
  expect(told).toBe(first);
  const refuses = scriptBundle(`${before}; throw new Error('no')`);
  expect(resultOf(await kit.call(refuses, { charge }))).toBe('PLUGIN_UNAVAILABLE');
  expect(told).toBeGreaterThan(first + 5);
});

test('a handler that throws is answered with its message, and its isolate stays', async () => {
  await using kit = openKit();
  const bundle = bundleOf('n++; if (input.bad) throw new Error("no luck"); return n', {
    before: 'let n = 0',
  });
  const bad = await kit.call(bundle, { input: { bad: true } });
  expect(bad).toMatchObject({ kind: 'failed', code: 'PLUGIN_THREW', message: 'no luck' });
  expect(resultOf(await kit.call(bundle))).toBe(2);
});

test('a probe tells the handlers, or why a bundle can not be loaded', async () => {
  await using kit = openKit({ loadCpuMs: 200 });
  await expect(kit.sandbox.probe(bundleOf('return 1'))).resolves.toEqual(['fetch']);
  for (const source of ['0', 'this is no script', 'throw new Error("at load");0', 'for(;;);0']) {
    await expect(kit.sandbox.probe(scriptBundle(source))).rejects.toMatchObject({
      code: 'BUNDLE_INVALID',
    });
  }
});

test('a call of a plug-in that can not be loaded is answered', async () => {
  await using kit = openKit();
  expect(resultOf(await kit.call(scriptBundle('throw new Error("at load");0')))).toBe(
    'PLUGIN_UNAVAILABLE',
  );
  expect(resultOf(await kit.call(scriptBundle('][')))).toBe('PLUGIN_UNAVAILABLE');
});

test('a call whose deadline has passed is not run', async () => {
  await using kit = openKit();
  expect(resultOf(await kit.call(bundleOf('return 1'), { withinMs: -1 }))).toBe('DEADLINE_PASSED');
});

test('random bytes come from the runner, a bounded number at a time', async () => {
  await using kit = openKit();
  const outcome = await kit.call(
    bundleOf('return [randomBase64(16), randomBase64(1e9), randomBase64("x")]'),
  );
  const [few, many, none] = resultOf(outcome) as string[];
  expect(Buffer.from(few ?? '', 'base64')).toHaveLength(16);
  expect(Buffer.from(many ?? '', 'base64')).toHaveLength(1_024);
  expect(none).toBe('');
});

test('texts of all kinds and sizes cross unchanged', async () => {
  await using kit = openKit();
  const bundle = bundleOf('return input.text', { limits: { responseBytes: 4_000_000 } });
  for (const text of ['', 'ä€😀\u0000', 'x'.repeat(300_000), '😀'.repeat(200_000)]) {
    expect(resultOf(await kit.call(bundle, { input: { text } }))).toBe(text);
  }
});
