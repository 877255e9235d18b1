/**
 * Calls that are handed to an isolate at work with another: order, limits, and what becomes of them at a loss.
 */
import { expect, test } from 'vitest';
import type { GuestBundle, Outcome } from '../../../host/sandbox/sandbox.ts';
import { buildPrelude } from '#sdk/guest';
import { bundleOf, openKit, resultOf, until, type CallOptions, type Kit } from './kit.ts';

const SPIN = 'for (const end = Date.now() + (input.spin ?? 0); Date.now() < end;);';
const limits = { cpuMs: 2_000 };

/** Calls of an org that are all under way at once, its first ones first. */
function together(kit: Kit, bundle: GuestBundle, calls: readonly CallOptions[]) {
  return Promise.all(calls.map((call) => kit.call(bundle, { idempotent: true, ...call })));
}

/** Short calls until those that come together are handed on ahead: seen by more in the runner than it has isolates. */
async function trusted(kit: Kit, bundle: GuestBundle): Promise<number> {
  let pid = 0;
  await until('calls are handed on ahead', async () => {
    for (let n = 0; n < 20; n++) await kit.call(bundle, { idempotent: true, input: { n } });
    const answers = together(
      kit,
      bundle,
      Array.from({ length: 6 }, (_, n) => ({ input: { n } })),
    );
    const busy = kit.sandbox.status().runners.find(({ inFlight }) => inFlight >= 6);
    const isAhead = busy !== undefined && busy.isolates < busy.inFlight;
    if (isAhead) pid = busy.pid;
    await answers;
    return isAhead;
  });
  return pid;
}

const numbers = (from: number, count: number): number[] =>
  Array.from({ length: count }, (_, n) => from + n);
const results = (outcomes: readonly Outcome[]): unknown[] => outcomes.map(resultOf);

test('calls that are handed on ahead run one after the other, and each gets its own answer', async () => {
  await using kit = openKit();
  const bundle = bundleOf(
    'if (inside++ > 0) throw new Error("two at once"); await null; inside--; return input.n',
    { before: 'let inside = 0' },
  );
  await trusted(kit, bundle);
  const answers = await together(
    kit,
    bundle,
    numbers(0, 100).map((n) => ({ input: { n } })),
  );
  expect(results(answers)).toEqual(numbers(0, 100));
});

test('of events, for which nobody waits, more are handed on at once than of calls', async () => {
  await using kit = openKit();
  const bundle = bundleOf('return input.n');
  await trusted(kit, bundle);
  const ahead = (calls: readonly CallOptions[]) => {
    const answers = together(kit, bundle, calls);
    const runner = kit.sandbox.status().runners.find(({ inFlight }) => inFlight > 0);
    return { answers, inEach: (runner?.inFlight ?? 0) / (runner?.isolates ?? 1) };
  };
  const calls = numbers(0, 40).map((n): CallOptions => ({ input: { n } }));
  const events = calls.map((call): CallOptions => ({ ...call, handler: 'notification' }));
  const ofCalls = ahead(calls);
  expect(results(await ofCalls.answers)).toEqual(numbers(0, 40));
  await trusted(kit, bundle);
  const ofEvents = ahead(events);
  expect(results(await ofEvents.answers)).toEqual(numbers(0, 40));
  expect(ofCalls.inEach).toBeLessThanOrEqual(8);
  expect(ofEvents.inEach).toBeGreaterThan(8);
});

test('a call that waits for the host gives those behind it back, and they are answered before it', async () => {
  await using kit = openKit();
  const bundle = bundleOf('if (input.wait) await host("a", "b", 1); return input.n');
  await trusted(kit, bundle);
  const gate = Promise.withResolvers<string>();
  const first = kit.call(bundle, {
    idempotent: true,
    input: { n: 0, wait: true },
    hostCall: () => gate.promise,
  });
  const others = await together(
    kit,
    bundle,
    numbers(1, 7).map((n) => ({ input: { n } })),
  );
  expect(results(others)).toEqual(numbers(1, 7));
  gate.resolve('{"ok":true,"value":1}');
  expect(resultOf(await first)).toBe(0);
  expect(await kit.metrics.total('sandbox_bounced_total')).toBeGreaterThan(0);
});

test('what is ahead in a runner that dies is answered by a second run, and nobody is blamed', async () => {
  await using kit = openKit();
  const bundle = bundleOf(`${SPIN} return input.n`, { limits });
  const pid = await trusted(kit, bundle);
  const answers = together(
    kit,
    bundle,
    numbers(0, 7).map((n) => ({ input: { n, spin: n === 0 ? 300 : 0 } })),
  );
  process.kill(pid, 'SIGKILL');
  expect(results(await answers)).toEqual(numbers(0, 7));
  expect(await kit.metrics.total('sandbox_blames_total')).toBe(0);
});

test('a call that never ends costs its own answer, and not those of the calls behind it', async () => {
  await using kit = openKit();
  const bundle = bundleOf('if (input.loop) for (;;); return input.n', { limits: { cpuMs: 100 } });
  await trusted(kit, bundle);
  const answers = await together(
    kit,
    bundle,
    numbers(0, 7).map((n) => ({ input: { n, loop: n === 0 } })),
  );
  expect(results(answers)).toEqual(['CPU_EXCEEDED', ...numbers(1, 6)]);
});

test('a call is answered at its deadline though it only waits behind another in the runner', async () => {
  await using kit = openKit();
  const bundle = bundleOf(`${SPIN} return input.n`, { limits });
  await trusted(kit, bundle);
  const slow = kit.call(bundle, { idempotent: true, input: { n: 0, spin: 1_500 } });
  const late = await kit.call(bundle, { idempotent: true, input: { n: 1 }, withinMs: 200 });
  expect(resultOf(late)).toBe('CONCURRENCY_EXCEEDED');
  expect(kit.sandbox.status().runners.some(({ inFlight }) => inFlight > 0)).toBe(true);
  expect(resultOf(await slow)).toBe(0);
  expect(resultOf(await kit.call(bundle, { input: { n: 2 } }))).toBe(2);
});

test('calls that must not run twice are never handed on ahead', async () => {
  await using kit = openKit();
  const bundle = bundleOf('return input.n');
  await trusted(kit, bundle);
  const answers = Promise.all(
    numbers(0, 20).map((n) => kit.call(bundle, { idempotent: false, input: { n } })),
  );
  for (const { inFlight, isolates } of kit.sandbox.status().runners)
    expect(inFlight).toBeLessThanOrEqual(isolates);
  expect(results(await answers)).toEqual(numbers(0, 20));
});

test("guests do not get at V8's garbage collector", async () => {
  await using kit = openKit({ prelude: await buildPrelude() });
  const source = `globalThis.__vcx_plugin = { fetch: () => Response.json(
    Object.getOwnPropertyNames(globalThis).filter((name) => /^gc$|vcx/.test(name)).map((name) => typeof globalThis[name]),
  ) };0`;
  const input = {
    method: 'GET',
    url: 'https://vcloud.example.com/api/x',
    headers: [],
    body: null,
    params: {},
    caller: {},
    remainingMs: 5_000,
  };
  const outcome = await kit.call({ ...bundleOf(''), source }, { input });
  const { body } = resultOf(outcome) as { body: string };
  expect(JSON.parse(Buffer.from(body, 'base64').toString())).toEqual(['undefined']);
});
