/**
 * CPU of a call when so many orgs take turns, for isolates of one age.
 * May import: test/bench.
 */
import { setTimeout as delay } from 'node:timers/promises';

import { threadsUsOf, treeOf } from './processes.ts';

export interface Turns {
  /** Orgs that take turns. */
  readonly orgs: number;
  /** Calls of each isolate before it counts, and while it does. */
  readonly warmCalls: number;
  readonly calls: number;
  readonly call: (org: number) => Promise<unknown>;
}

const IN_FLIGHT = 16;
/** Calls that count, at least: with few orgs, further ones have their turns afterwards. */
const LEAST_CALLS = 2_000;
/** Within so long an idle isolate has been looked at by its runner's trimmer, which does one after the other, ms. */
const IDLE_MS = 1_000;
const TRIM_MS = 30;

/**
 * CPU of this process and all below it, microseconds a call. Compiled code is per isolate and improves with each call:
 * to tell what having many orgs costs, each isolate counts for the same calls of its life whatever the number of orgs.
 */
export async function costInTurns({ orgs, warmCalls, calls, call }: Turns): Promise<number> {
  const groups = Math.ceil(LEAST_CALLS / (orgs * calls));
  const run = (group: number, each: number): Promise<void> =>
    inFlight(orgs * each, (turn) => call(group * orgs + (turn % orgs)));
  for (let group = 0; group < groups; group += 1) await run(group, warmCalls);
  await delay(IDLE_MS + groups * orgs * TRIM_MS);
  // Looked at twice only: looking costs as much as a dozen calls.
  const from = usedUs();
  for (let group = 0; group < groups; group += 1) await run(group, calls);
  return (usedUs() - from) / (groups * orgs * calls);
}

async function inFlight(count: number, call: (turn: number) => Promise<unknown>): Promise<void> {
  let turn = 0;
  const worker = async (): Promise<void> => {
    while (turn < count) {
      const next = turn;
      turn += 1;
      await call(next);
    }
  };
  await Promise.all(Array.from({ length: IN_FLIGHT }, worker));
}

function usedUs(): number {
  return treeOf(process.pid).reduce((sum, pid) => sum + threadsUsOf(pid), 0);
}
