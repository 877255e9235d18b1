/**
 * CPU and memory of process trees, from /proc.
 * May import: nothing.
 */
import { readFileSync, readdirSync } from 'node:fs';

/** `USER_HZ`: the unit of times in /proc, the same on every Linux. */
const TICK_MS = 10;

/** A process and all below it. */
export function treeOf(pid: number): number[] {
  const children = listed(`/proc/${pid}/task`).flatMap((task) =>
    (read(`/proc/${pid}/task/${task}/children`) ?? '').split(' ').filter(Boolean).map(Number),
  );
  return [pid, ...children.flatMap(treeOf)];
}

/** CPU that a process and all below it have used so far, in ms; ended children count once they are reaped. */
export function cpuMsOf(pid: number): { readonly root: number; readonly below: number } {
  const [root = 0, ...rest] = treeOf(pid);
  const own = timesOf(root);
  let below = own.reaped;
  for (const child of rest) {
    const { used, reaped } = timesOf(child);
    below += used + reaped;
  }
  return { root: own.used, below };
}

/** CPU that the living threads of a process have used, microseconds: exact, where `cpuMsOf` counts in ticks. */
export function threadsUsOf(pid: number): number {
  return listed(`/proc/${pid}/task`).reduce((sum, task) => {
    const [nanoseconds = 0] = (read(`/proc/${pid}/task/${task}/schedstat`) ?? '')
      .split(' ')
      .map(Number);
    return sum + nanoseconds / 1_000;
  }, 0);
}

function timesOf(pid: number): { used: number; reaped: number } {
  const stat = read(`/proc/${pid}/stat`) ?? '';
  // The name in brackets may hold anything; fields are counted behind it.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const ticks = (index: number): number => Number(fields[index] ?? 0) * TICK_MS;
  return { used: ticks(11) + ticks(12), reaped: ticks(13) + ticks(14) };
}

/** Proportional share of memory in MB, or null when it may not be read (another user's process). */
export function pssMbOf(pid: number): number | null {
  const found = /^Pss:\s+(\d+) kB/m.exec(read(`/proc/${pid}/smaps_rollup`) ?? '');
  return found ? Number(found[1]) / 1_024 : null;
}

function read(path: string): string | null {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return null;
  }
}

function listed(path: string): string[] {
  try {
    return readdirSync(path);
  } catch {
    return [];
  }
}
