/**
 * The store of open blocking tasks on NATS.
 * May import: storage, cluster.
 */
import type { OpenBlockingStore, StoredBlockingTask } from '../../storage/open-blocking.ts';
import { openLeased, type Leased, type LeasedParts } from './leased.ts';

/** Throws a CLUSTER code. Times are kept by the clock of the server and given back by ours. */
export async function openNatsOpenBlocking(
  parts: LeasedParts,
): Promise<OpenBlockingStore & Disposable> {
  const tasks = await openLeased<StoredBlockingTask>('blocking', parts);
  const kept = timesBy((time) => tasks.serverTime(time));
  const given = timesBy((time) => tasks.ourTime(time));
  return {
    async open(task, leaseUntil) {
      const fresh = kept({ ...task, outcome: null });
      const opened = await tasks.open(task.key, leaseUntil, (known) => again(known, fresh));
      return given(opened ?? fresh);
    },
    async extend(key, times) {
      const { dueAt, timeoutAt } = kept(times);
      await tasks.change(key, (task) => ({ ...task, dueAt, timeoutAt }));
    },
    decide: async (key, outcome) =>
      (await tasks.change(key, (task) => (task.outcome ? null : { ...task, outcome }))) !== null,
    remove: (key) => tasks.remove(key),
    renew: (leaseUntil) => tasks.renew(leaseUntil),
    release: (key) => tasks.release(key),
    claim: async (now, later) => (await claimDue(tasks, now, later)).map(given),
    count: async () => tasks.items().length,
    [Symbol.dispose]: () => tasks[Symbol.dispose](),
  };
}

/** A delivery that comes again keeps the time by which the first one had to decide, and its decision. */
function again(known: StoredBlockingTask | null, fresh: StoredBlockingTask): StoredBlockingTask {
  if (!known) return fresh;
  return {
    ...known,
    onFailure: fresh.onFailure,
    timeoutAt: fresh.timeoutAt ?? known.timeoutAt,
    dueAt: Math.min(known.dueAt, fresh.dueAt),
  };
}

function claimDue(
  tasks: Leased<StoredBlockingTask>,
  now: number,
  later: number,
): Promise<StoredBlockingTask[]> {
  const at = tasks.serverTime(now);
  return tasks.claim(now, later, {
    isDue: ({ outcome, dueAt }) => outcome !== null || dueAt <= at,
    rank: ({ dueAt }) => dueAt,
  });
}

function timesBy(move: (time: number) => number) {
  return <T extends { readonly dueAt: number; readonly timeoutAt: number | null }>(task: T): T => ({
    ...task,
    dueAt: move(task.dueAt),
    timeoutAt: task.timeoutAt === null ? null : move(task.timeoutAt),
  });
}
