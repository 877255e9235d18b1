import { expect, test } from 'vitest';
import { bundleOf, openKit, resultOf, until, type CallOptions, type Kit } from './kit.ts';

const isolatesOf = ({ sandbox }: Kit): number =>
  sandbox.status().runners.reduce((sum, { isolates }) => sum + isolates, 0);

/** Host calls that wait until they are let go. */
function gate() {
  const { promise, resolve: open } = Promise.withResolvers<string>();
  const state = { waiting: 0, open: () => open('{"ok":true,"value":null}') };
  const hostCall = (): Promise<string> => {
    state.waiting++;
    return promise;
  };
  return { state, hostCall, options: { hostCall, withinMs: 30_000 } satisfies CallOptions };
}

const limits = { cpuMs: 100, wallMs: 30_000, hostCalls: 3, logLines: 2 };
/** What a call does is in its input: burn CPU, wait for the host, log, ask. */
const bundle = bundleOf(
  `console.log(input.n);
   if (input.burnMs) { const end = Date.now() + input.burnMs; while (Date.now() < end); }
   if (input.sleepMs) await new Promise((done) => setTimeout(done, input.sleepMs));
   for (let n = 0; n < (input.asks ?? 1); n++) await host("a", "b", n);
   if (input.spin) for (;;);
   return input.n;`,
  { callsPerIsolate: 8, limits },
);

test('eight calls that wait are in one isolate, and each has its own CPU time, log and answer', async () => {
  await using kit = openKit();
  const { state, options } = gate();
  const lines: string[][] = Array.from({ length: 8 }, () => []);
  const calls = lines.map((own, n) =>
    kit.call(bundle, {
      ...options,
      input: { n, ...(n === 3 ? { burnMs: 60 } : {}) },
      log: (_, text) => own.push(text),
    }),
  );
  await until('all wait', () => state.waiting === 8);
  expect(isolatesOf(kit)).toBe(1);
  state.open();
  const outcomes = await Promise.all(calls);
  expect(outcomes.map(resultOf)).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
  expect(lines).toEqual(lines.map((_, n) => [String(n)]));
  const cpu = outcomes.map(({ usage }) => usage?.cpuMs ?? 0);
  expect(cpu.indexOf(Math.max(...cpu))).toBe(3);
  expect(outcomes.every(({ usage }) => usage?.hostCalls === 1)).toBe(true);
  // They are used again, and a ninth call at once needs a second isolate.
  const more = gate();
  const nine = Array.from({ length: 9 }, (_, n) =>
    kit.call(bundle, { ...more.options, input: { n } }),
  );
  await until('all wait', () => more.state.waiting === 9);
  expect(isolatesOf(kit)).toBe(2);
  more.state.open();
  expect((await Promise.all(nine)).map(resultOf)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8]);
});

test('a call that uses too much CPU ends its isolate: neighbours run again where that is safe, or are told', async () => {
  await using kit = openKit();
  const { state, options } = gate();
  const neighbours = [true, false, true, false].map((idempotent, n) =>
    kit.call(bundle, { ...options, idempotent, input: { n } }),
  );
  await until('they wait', () => state.waiting === 4);
  const hog = kit.call(bundle, { input: { n: 'hog', spin: true } });
  expect(resultOf(await hog)).toBe('CPU_EXCEEDED');
  state.open();
  const results = (await Promise.all(neighbours)).map(resultOf);
  expect(results).toEqual([0, 'RUNNER_KILLED', 2, 'RUNNER_KILLED']);
  expect(state.waiting).toBe(6);
  expect(resultOf(await kit.call(bundle, { input: { n: 'next' } }))).toBe('next');
});

test('a call that takes too long ends alone; its isolate takes no more and ends with its neighbours', async () => {
  await using kit = openKit();
  const { state, options } = gate();
  const neighbours = [0, 1].map((n) => kit.call(bundle, { ...options, input: { n } }));
  // A neighbour that goes on by itself meanwhile.
  const sleeper = kit.call(bundle, { ...options, input: { n: 2, sleepMs: 700 } });
  await until('they wait', () => state.waiting === 2);
  const late = kit.call(bundle, { ...options, withinMs: 300, input: { n: 'late' } });
  expect(resultOf(await late)).toBe('WALL_EXCEEDED');
  const next = kit.call(bundle, { ...options, input: { n: 'next' } });
  await until('the others wait', () => state.waiting === 5);
  expect(isolatesOf(kit)).toBe(2);
  state.open();
  expect((await Promise.all([...neighbours, sleeper])).map(resultOf)).toEqual([0, 1, 2]);
  expect(resultOf(await next)).toBe('next');
  await until('the first isolate is gone', () => isolatesOf(kit) === 1);
  expect(kit.pids()).toHaveLength(2); // the runner and its spare: none was killed
});

test('a call that is late and holds the thread too ends all calls of its isolate', async () => {
  await using kit = openKit();
  const patient = { ...bundle, limits: { ...bundle.limits, cpuMs: 2_000 } };
  const { state, options } = gate();
  const neighbour = kit.call(patient, { ...options, idempotent: true, input: { n: 1 } });
  await until('it waits', () => state.waiting === 1);
  const late = kit.call(patient, { withinMs: 300, input: { n: 'late', spin: true } });
  expect(resultOf(await late)).toBe('WALL_EXCEEDED');
  await until('the neighbour runs again', () => state.waiting === 2);
  state.open();
  expect(resultOf(await neighbour)).toBe(1);
});

test('host calls and log lines are limited for each call', async () => {
  await using kit = openKit();
  const { state, options } = gate();
  const neighbour = kit.call(bundle, { ...options, input: { n: 'waits' } });
  await until('it waits', () => state.waiting === 1);
  const asks = [3, 3, 4].map((count) => kit.call(bundle, { input: { n: count, asks: count } }));
  const results = (await Promise.all(asks)).map(resultOf);
  expect(results).toEqual([3, 3, 'HOST_CALLS_EXCEEDED']);
  state.open();
  expect(resultOf(await neighbour)).toBe('waits');
});

test('when its runner is killed, each of several calls in an isolate is answered', async () => {
  await using kit = openKit();
  const { state, options } = gate();
  const calls = [true, false, true].map((idempotent, n) =>
    kit.call(bundle, { ...options, idempotent, input: { n } }),
  );
  await until('they wait', () => state.waiting === 3);
  const serving = kit.sandbox.status().runners.find(({ plugin }) => plugin !== null);
  expect(serving).toMatchObject({ isolates: 1, inFlight: 3 });
  process.kill(serving?.pid ?? 0, 'SIGKILL');
  state.open();
  expect((await Promise.all(calls)).map(resultOf)).toEqual([0, 'RUNNER_KILLED', 2]);
});

test('a version that is retired ends when all calls of its isolate have', async () => {
  await using kit = openKit({ drainMs: 15_000 });
  const { state, options } = gate();
  const calls = [0, 1, 2].map((n) => kit.call(bundle, { ...options, input: { n } }));
  await until('they wait', () => state.waiting === 3);
  const retired = kit.sandbox.retire(bundle.plugin, bundle.version);
  state.open();
  expect((await Promise.all(calls)).map(resultOf)).toEqual([0, 1, 2]);
  await retired;
  await until('nothing is left', () => isolatesOf(kit) === 0);
});

test('an isolate that has done its calls is replaced while others are at work in it', async () => {
  await using kit = openKit({ isolateMaxCalls: 10 });
  const run = async (n: number): Promise<unknown> => {
    for (let times = 0; times < 9; times++) {
      const outcome = await kit.call(bundle, { input: { n, sleepMs: n } });
      if (resultOf(outcome) !== n) return resultOf(outcome);
    }
    return n;
  };
  expect(await Promise.all([1, 2, 3, 4].map(run))).toEqual([1, 2, 3, 4]);
  await until('worn ones are gone', () => isolatesOf(kit) <= 1);
  const text = await kit.metrics.text();
  expect(Number(/sandbox_isolates_opened_total (\d+)/.exec(text)?.[1])).toBeGreaterThan(2);
});

test('who wants an isolate for each call gets one, and the operator may lower the number', async () => {
  await using kit = openKit({ maxCallsPerIsolate: 2 });
  const { state, options } = gate();
  const calls = [0, 1, 2, 3].map((n) => kit.call(bundle, { ...options, input: { n } }));
  const alone = { ...bundle, plugin: 'alone', isolation: 'request' as const };
  const more = [4, 5].map((n) => kit.call(alone, { ...options, input: { n } }));
  await until('all wait', () => state.waiting === 6);
  expect(isolatesOf(kit)).toBe(4);
  state.open();
  expect((await Promise.all([...calls, ...more])).map(resultOf)).toEqual([0, 1, 2, 3, 4, 5]);
});

/** Guests that do what they can to the calls beside them. */
const HOSTILE: Record<string, string> = {
  'a microtask loop': 'for (;;) await null;',
  'a loop of host calls answered at once': 'for (;;) await host("a", "now", 1);',
  'a loop of log lines': 'for (;;) console.log("x");',
  'a heap that grows': 'const all = []; for (;;) all.push(new Array(1000).fill(all.length));',
  'a thread that V8 can not interrupt':
    'Array.prototype.includes.call({ length: 2 ** 53 - 1 }, 1);',
};

test.each(Object.entries(HOSTILE))(
  '%s beside other calls costs them a second run at most',
  async (_, body) => {
    await using kit = openKit({ disposeGraceMs: 300 });
    const evil = bundleOf(`if (input.evil) { ${body} } await host("a", "b", 1); return input.n`, {
      callsPerIsolate: 4,
      limits: { cpuMs: 50, hostCalls: 10_000, wallMs: 10_000, memoryMb: 16 },
    });
    const { state, hostCall } = gate();
    const options = { withinMs: 30_000, hostCall, idempotent: true };
    const neighbours = [1, 2].map((n) => kit.call(evil, { ...options, input: { n } }));
    await until('they wait', () => state.waiting === 2);
    const outcome = await kit.call(evil, { input: { evil: true } });
    expect(['CPU_EXCEEDED', 'HOST_CALLS_EXCEEDED', 'MEMORY_EXCEEDED', 'RUNNER_KILLED']).toContain(
      resultOf(outcome),
    );
    // Where the runner was lost too, each runs alone as a suspect: the one that holds the other up must not wait.
    state.open();
    expect((await Promise.all(neighbours)).map(resultOf)).toEqual([1, 2]);
  },
);
