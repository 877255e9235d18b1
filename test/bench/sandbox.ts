/**
 * The sandbox alone, at its seam and with nothing above it: rate, CPU per call, cold starts, memory, many orgs.
 * Run with `node test/bench/sandbox.ts`; prints JSON. Figures mean something only on a machine that is idle otherwise.
 * May import: host/sandbox, sdk/guest, test/bench.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { buildPrelude, bundlePlugin } from '#sdk/guest';
import { defaultLimits } from '../../host/quotas/limits.ts';
import { openSandbox } from '../../host/sandbox/open.ts';
import type { GuestBundle, Outcome, Sandbox } from '../../host/sandbox/sandbox.ts';
import { median, percentile } from './figures.ts';
import { cpuMsOf, pssMbOf } from './processes.ts';
import { costInTurns } from './turns.ts';

const WARM_MS = 1_500;
const TEST_MS = 3_000;
/** Calls that each isolate has served before orgs are compared: what counts is having many, not being new. */
const WARM_CALLS = 50;

const prelude = await buildPrelude();
const script = await bundlePlugin(
  fileURLToPath(new URL('../../plugins/hello/main.ts', import.meta.url)),
);
const hello: GuestBundle = {
  plugin: 'hello',
  version: '1.0.0',
  digest: script.digest,
  source: script.source,
  limits: defaultLimits(),
  isolation: 'plugin',
  bindings: [],
};
const payload = JSON.stringify({
  handler: 'fetch',
  method: 'GET',
  url: 'https://vcloud.example.com/api/hello?name=bench',
  headers: [['accept', 'application/json']],
  body: null,
  params: {},
  requestId: 'bench',
  caller: { user: 'u', org: 'o', rights: [], provider: false },
  remainingMs: 5_000,
  config: null,
});

const open = (): Sandbox => openSandbox({ prelude, idleMs: 600_000, memoryBudgetMb: 16_384 });

async function call(sandbox: Sandbox, org: number, bundle = hello): Promise<Outcome> {
  const outcome = await sandbox.invoke({
    callId: 'bench',
    bundle,
    org: `org-${org}`,
    handler: 'fetch',
    payload,
    deadline: performance.now() + 30_000,
    idempotent: true,
    hostCall: () => Promise.resolve('{"ok":true,"value":null}'),
    log: () => undefined,
  });
  if (outcome.kind === 'failed') throw new Error(`${outcome.code}: ${outcome.message}`);
  return outcome;
}

/** Keep so many calls in flight while `more` says so; returns how many there were. */
async function keep(inFlight: number, next: () => Promise<unknown>, more: () => boolean) {
  let calls = 0;
  const worker = async (): Promise<void> => {
    for (; more(); calls++) await next();
  };
  await Promise.all(Array.from({ length: inFlight }, worker));
  return calls;
}

/** Rate, and CPU of both sides per call in microseconds. */
async function spend(inFlight: number, next: () => Promise<unknown>) {
  const from = cpuMsOf(process.pid);
  const began = performance.now();
  const calls = await keep(inFlight, next, () => performance.now() - began < TEST_MS);
  const ms = performance.now() - began;
  const to = cpuMsOf(process.pid);
  return {
    callsPerSecond: Math.round((calls / ms) * 1_000),
    hostUs: Math.round(((to.root - from.root) * 1_000) / calls),
    runnersUs: Math.round(((to.below - from.below) * 1_000) / calls),
  };
}

async function rate(inFlight: number) {
  await using sandbox = open();
  const began = performance.now();
  const next = (): Promise<Outcome> => call(sandbox, 0);
  await keep(inFlight, next, () => performance.now() - began < WARM_MS);
  return { inFlight, ...(await spend(inFlight, next)) };
}

async function timed(run: () => Promise<unknown>): Promise<number> {
  const began = performance.now();
  await run();
  return performance.now() - began;
}

async function spareOf(sandbox: Sandbox): Promise<number> {
  for (;;) {
    const spare = sandbox.status().runners.find(({ state }) => state === 'spare');
    // It has just started: what it still does by itself is no part of the call.
    await delay(100);
    if (spare) return spare.pid;
  }
}

const spread = (times: readonly number[]) => ({ p50: median(times), p99: percentile(times, 0.99) });

/** First call of an org, ms: in a runner that serves the plug-in already, and in one that stood ready, blank. */
async function coldStarts() {
  await using sandbox = open();
  await sandbox.probe(hello);
  await delay(500);
  const warm: number[] = [];
  for (let org = 0; org < 100; org++) warm.push(await timed(() => call(sandbox, org)));
  const fresh: number[] = [];
  for (let turn = 0; turn < 10; turn++) {
    await spareOf(sandbox);
    const bundle = { ...hello, plugin: `fresh-${turn}` };
    fresh.push(await timed(() => call(sandbox, 0, bundle)));
    await sandbox.retire(bundle.plugin, bundle.version);
  }
  return { warm: spread(warm), fresh: spread(fresh) };
}

/** Proportional share of a blank runner, and of one more isolate that has served a call, MB. */
async function memory() {
  await using sandbox = open();
  const blank = pssMbOf(await spareOf(sandbox));
  await sandbox.probe(hello);
  await delay(500);
  const upTo = async (from: number, to: number): Promise<number> => {
    let pid = 0;
    for (let org = from; org < to; org++) pid = (await call(sandbox, org)).usage?.pid ?? 0;
    await delay(300);
    return pssMbOf(pid) ?? 0;
  };
  const few = await upTo(0, 10);
  return { blank, isolate: ((await upTo(10, 70)) - few) / 60 };
}

async function manyOrgs(orgs: number) {
  await using sandbox = open();
  const counted = {
    warmCalls: WARM_CALLS,
    calls: WARM_CALLS,
    call: (org: number) => call(sandbox, org),
  };
  return { orgs, us: await costInTurns({ orgs, ...counted }) };
}

async function each<T>(values: readonly number[], run: (value: number) => Promise<T>) {
  const results: T[] = [];
  for (const value of values) results.push(await run(value));
  return results;
}

const figures = {
  rates: await each([1, 16, 64], rate),
  coldMs: await coldStarts(),
  memoryMb: await memory(),
  orgs: await each([1, 100, 1_000], manyOrgs),
};
console.log(JSON.stringify(figures, null, 2));
