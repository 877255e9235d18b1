/**
 * What is measured without a broker: dispatch, cold starts, memory, many orgs, waiting handlers.
 * May import: test/bench.
 */
import { setTimeout as delay } from 'node:timers/promises';

import { ORGS } from './compare.ts';
import { median, percentile } from './figures.ts';
import { type Inside, flood, openInside } from './inside.ts';
import { cpuMsOf, pssMbOf } from './processes.ts';
import { costInTurns } from './turns.ts';

export interface Spent {
  readonly rps: number;
  /** CPU of this process (corridor, supervisor, and who calls) and of the runners, microseconds a call. */
  readonly hostUs: number;
  readonly runnersUs: number;
}

async function spend(ms: number, call: (turn: number) => Promise<unknown>): Promise<Spent> {
  const from = cpuMsOf(process.pid);
  const { calls, ms: took } = await flood(16, ms, call);
  const to = cpuMsOf(process.pid);
  return {
    rps: (calls / took) * 1_000,
    hostUs: ((to.root - from.root) * 1_000) / calls,
    runnersUs: ((to.below - from.below) * 1_000) / calls,
  };
}

async function hello(inside: Inside, org: number): Promise<void> {
  const status = await inside.call('hello', 'GET', '/api/hello?name=bench', org);
  if (status !== 200) throw new Error(`hello answered ${status}`);
}

/** The corridor with a transport in this process: no broker, no sockets but the runner's. */
export async function dispatchAlone(ms: number): Promise<Spent> {
  await using inside = await openInside();
  // One org alone would come to the end of its rate.
  const call = (turn: number) => hello(inside, turn % ORGS);
  await flood(16, ms / 2, call);
  return await spend(ms, call);
}

/** After this a runner that has just started, and the code cache of a host that has, are made. */
const SETTLE_MS = 1_000;

export interface Cold {
  readonly p50: number;
  readonly p99: number;
  readonly samples: number;
}

/** First call of an org: in a runner that serves its plug-in already, and in one that stood ready without any. */
export async function coldStarts(
  warmSamples: number,
  newSamples: number,
): Promise<{ warm: Cold; fresh: Cold }> {
  await using inside = await openInside();
  // The first isolates make the code cache.
  for (let org = 0; org < 3; org += 1) await timed(inside, { key: 'hello', org });
  await delay(500);
  const warm: number[] = [];
  for (let org = 10; org < 10 + warmSamples; org += 1)
    warm.push(await timed(inside, { key: 'hello', org }));
  const fresh: number[] = [];
  for (let sample = 0; sample < newSamples; sample += 1) {
    await spareReady(inside);
    const plugin = `fresh-${sample}`;
    fresh.push(await timed(inside, { key: 'hello', org: 0, plugin }));
    await inside.sandbox.retire(plugin, '1.0.0');
  }
  return { warm: coldOf(warm), fresh: coldOf(fresh) };
}

async function timed(
  inside: Inside,
  options: { key: string; org: number; plugin?: string },
): Promise<number> {
  const began = performance.now();
  const outcome = await inside.invoke(options);
  if (outcome.kind === 'failed') throw new Error(`${outcome.code}: ${outcome.message}`);
  return performance.now() - began;
}

async function spareReady(inside: Inside): Promise<void> {
  const isReady = (): boolean => inside.sandbox.status().runners.some((r) => r.state === 'spare');
  while (!isReady()) await delay(10);
  // The spare has just started: what it still does by itself is no part of the call.
  await delay(SETTLE_MS);
}

function coldOf(times: readonly number[]): Cold {
  return { p50: median(times), p99: percentile(times, 0.99), samples: times.length };
}

export interface Memory {
  /** Proportional share of a runner that stands ready; null where it may not be read. */
  readonly runnerMb: number | null;
  readonly isolateMb: number | null;
}

const IDLE_MS = 1_000;
const TRIM_MS = 30;

export async function memory(isolates: number): Promise<Memory> {
  await using inside = await openInside();
  await spareReady(inside);
  const spare = inside.sandbox.status().runners.find(({ state }) => state === 'spare');
  const runnerMb = pssMbOf(spare?.pid ?? 0);
  let pid = 0;
  const open = async (from: number, to: number): Promise<number | null> => {
    const count = to - from;
    for (let org = from; org < to; org += 1) {
      const { usage } = await inside.invoke({ key: 'hello', org });
      pid = usage?.pid ?? 0;
    }
    // Idle for so long that its runner has trimmed them.
    await delay(IDLE_MS + count * TRIM_MS);
    return pssMbOf(pid);
  };
  const few = await open(0, 10);
  const many = await open(10, 10 + isolates);
  const isolateMb = few === null || many === null ? null : (many - few) / isolates;
  return { runnerMb, isolateMb };
}

export interface ManyOrgs {
  /** CPU per call in microseconds, by the number of orgs that take turns; isolates of one age. */
  readonly us: Readonly<Record<number, number>>;
  /** The same for one org that calls on and on, as its code is compiled better and better. */
  readonly oneForLongUs: number;
}

export async function manyOrgs(
  counts: readonly number[],
  warmCalls: number,
  ms: number,
): Promise<ManyOrgs> {
  const us: Record<number, number> = {};
  for (const orgs of counts) {
    await using inside = await openInside({ idleMs: 600_000, memoryBudgetMb: 16_384 });
    const call = (org: number) => inside.invoke({ key: 'hello', org });
    us[orgs] = await costInTurns({ orgs, warmCalls, calls: warmCalls, call });
  }
  await using inside = await openInside();
  const next = () => inside.invoke({ key: 'hello', org: 0 });
  await flood(16, ms, next);
  const { hostUs, runnersUs } = await spend(ms, next);
  return { us, oneForLongUs: hostUs + runnersUs };
}

export interface Waiting {
  /** Calls per 50 ms against 16: kept at 100 in flight, and 100 at once from nothing. */
  readonly sustained: number;
  readonly burst: number;
  /** 100 at once from nothing, where sixteen calls share an isolate. */
  readonly together: number;
}

const WAIT_MS = 50;
const QUOTA = 16;

export async function waitingHandlers(ms: number): Promise<Waiting> {
  const together = await burstOf('together');
  await using inside = await openInside();
  await spareReady(inside);
  const burst = await burstIn(inside, 'wait');
  const call = () => inside.call('bench-wait', 'GET', '/api/bench/wait', 0);
  const { calls, ms: took } = await flood(100, ms, call);
  return { sustained: shareOf(calls, took), burst, together };
}

async function burstOf(name: string): Promise<number> {
  await using inside = await openInside();
  await spareReady(inside);
  return await burstIn(inside, name);
}

const shareOf = (calls: number, took: number) => (calls / took) * (WAIT_MS / QUOTA);

/** 100 calls at once, the first ones of the plug-in. */
async function burstIn(inside: Inside, name: string): Promise<number> {
  const call = () => inside.call(`bench-${name}`, 'GET', `/api/bench/${name}`, 0);
  const began = performance.now();
  const statuses = await Promise.all(Array.from({ length: 100 }, call));
  const took = performance.now() - began;
  if (statuses.some((status) => status !== 200)) throw new Error(`${name}: ${statuses.join(' ')}`);
  return shareOf(100, took);
}
