/**
 * Who gets the processor first: usual runners, then those whose isolates compute for long, then orgs over their CPU time.
 * May import: nothing.
 *
 * Linux shares the processor out between sessions before it looks at processes (autogroup), and every runner is a
 * session: the niceness of a thread then counts only against its own process, and the session's against all others.
 * In containers and under cpu control groups it is the other way round. So both are set.
 */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { getPriority, setPriority } from 'node:os';

/**
 * Steps of niceness below the host. `yielding` is a third of a processor's share: enough that whoever wakes up goes first,
 * and no more, since a machine that others keep busy would starve it.
 */
export const NICENESS = { usual: 0, yielding: 5, last: 10 } as const;
export type Rank = keyof typeof NICENESS;

/** Whether this process may raise again what it lowered: root may, but not in every container. */
export const CAN_RAISE = hasCapability(23n);

/** Number as in `capabilities(7)`. */
function hasCapability(number: bigint): boolean {
  const held = /^CapEff:\s*([0-9a-f]+)/m.exec(textOf('/proc/self/status'))?.[1] ?? '0';
  return ((BigInt(`0x${held}`) >> number) & 1n) === 1n;
}

/**
 * The same of the thread of an isolate that computes for long: below its runner's main thread, which serves short calls.
 * Where it can not be raised again it stays so for other orgs' calls: then less.
 */
export const THREAD_NICENESS = CAN_RAISE ? 10 : 5;
const LOWEST = 19;

/** Put a process with all its threads at a rank. Throws what the system says; see `CAN_RAISE`. */
export function setRank(pid: number, rank: Rank): void {
  const own = sessionNiceness();
  const target = below(getPriority(), NICENESS[rank]);
  try {
    // Absent in kernels that do not know it; there the niceness of the threads is all.
    if (own !== null) writeFileSync(`/proc/${pid}/autogroup`, String(below(own, NICENESS[rank])));
  } finally {
    for (const tid of threadsOf(pid))
      if (rank === 'usual' || getPriority(tid) < target) setPriority(tid, target);
  }
}

const below = (niceness: number, steps: number): number => Math.min(LOWEST, niceness + steps);

let session: number | null | undefined;

/** Niceness of this process's session, read once; null where sessions have none. */
function sessionNiceness(): number | null {
  if (session !== undefined) return session;
  try {
    const found = /nice (-?\d+)/.exec(readFileSync('/proc/self/autogroup', 'utf8'));
    session = found ? Number(found[1]) : null;
  } catch {
    session = null;
  }
  return session;
}

/** CPU time of an isolate's threads. */
export interface ThreadGauge {
  /** Lower the threads of isolates that used `ms` of CPU since the gauge was made; whether there is one. */
  lowerBusy(ms: number): boolean;
}

const NS_PER_MS = 1e6;

/** Look at a process from now on. */
export function createThreadGauge(pid: number): ThreadGauge {
  const before = new Map<number, number>();
  const main = nameOf(pid, pid);
  for (const tid of isolateThreads(pid, main)) before.set(tid, cpuNsOf(pid, tid));
  return {
    lowerBusy(ms) {
      const isBusy = (tid: number): boolean =>
        cpuNsOf(pid, tid) - (before.get(tid) ?? 0) >= ms * NS_PER_MS;
      const busy = isolateThreads(pid, main).filter(isBusy);
      for (const tid of busy) setPriority(tid, below(getPriority(), THREAD_NICENESS));
      return busy.length > 0;
    },
  };
}

/** isolated-vm's threads have the name of the one that made them; all others have names of their own. */
function isolateThreads(pid: number, main: string): number[] {
  return threadsOf(pid).filter((tid) => tid !== pid && nameOf(pid, tid) === main);
}

/** Without /proc the one that is known. */
function threadsOf(pid: number): number[] {
  try {
    return readdirSync(`/proc/${pid}/task`).map(Number);
  } catch {
    return [pid];
  }
}

function nameOf(pid: number, tid: number): string {
  return textOf(`/proc/${pid}/task/${tid}/comm`);
}

function cpuNsOf(pid: number, tid: number): number {
  return Number(textOf(`/proc/${pid}/task/${tid}/schedstat`).split(' ')[0]) || 0;
}

function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    // The thread or the process is gone, or there is no /proc.
    return '';
  }
}
