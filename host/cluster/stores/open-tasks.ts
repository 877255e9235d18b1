/**
 * The store of open tasks on NATS.
 * May import: storage, cluster.
 */
import type { OpenTaskStore, StoredTask } from '../../storage/open-tasks.ts';
import { openLeased, type LeasedParts } from './leased.ts';

/** Throws a CLUSTER code. */
export async function openNatsOpenTasks(parts: LeasedParts): Promise<OpenTaskStore & Disposable> {
  const tasks = await openLeased<StoredTask>('tasks', parts);
  return {
    async add(task, leaseUntil) {
      await tasks.open(task.key, leaseUntil, () => ({ ...task, href: null, outcome: null }));
    },
    async located(key, href) {
      await tasks.change(key, (task) => ({ ...task, href }));
    },
    async settled(key, outcome) {
      await tasks.change(key, (task) => ({ ...task, outcome }));
    },
    remove: (key) => tasks.remove(key),
    renew: (leaseUntil) => tasks.renew(leaseUntil),
    release: (key) => tasks.release(key),
    claim: (now, again) =>
      tasks.claim(now, again, { isDue: () => true, rank: (_, leaseUntil) => leaseUntil }),
    holds: async (href) => tasks.items().some((task) => task.href === href),
    count: async () => tasks.items().length,
    [Symbol.dispose]: () => tasks[Symbol.dispose](),
  };
}
