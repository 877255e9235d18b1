/**
 * Sees to it that no held operation is left to vCloud's time-out: what a handler does not decide is decided for it.
 * May import: kernel, storage, vcloud.
 *
 * One timer for each task in hand, and a sweep for what other hosts left. The order of things in `begin` matters: the
 * entry is on disk before anything can fail.
 */
import { codeOf, messageOf } from '../../kernel/errors.ts';
import type { OpenBlockingTask, StoredBlockingTask } from '../../storage/open-blocking.ts';
import { readBlockingTask, type BlockingTask } from '../../vcloud/blocking-tasks/tasks.ts';
import { uuidOf } from '../../vcloud/links.ts';
import { openSweeps, type Sweeps } from '../sweeps.ts';
import { policyOutcome, tellOutcome, type BlockingRooms } from './ending.ts';
import { createAlarms, TIMER_MS } from './alarms.ts';
import { HeldBlockingTask, lastMoment } from './held.ts';

/** As the manifest has it. */
export interface BlockingPolicy {
  readonly operations: readonly string[];
  readonly onFailure: 'resume' | 'abort' | 'fail';
  readonly decideWithinMs: number;
}

export interface AnnouncedTask {
  readonly plugin: string;
  /** URN. */
  readonly org: string;
  /** Bare id of the blocking task, from the event's entity. */
  readonly id: string;
  /** Name of the operation as the routing key has it; null when it has none. */
  readonly operation: string | null;
  readonly policy: BlockingPolicy;
}

export interface BlockingWatchOptions extends BlockingRooms {
  /** How long a host may be silent before its tasks are taken over, ms. */
  readonly leaseMs: number;
  /** Pause between sweeps, ms; several go into a lease. */
  readonly everyMs: number;
  /** Of several hosts one cleans up after the others. @default always */
  readonly maySweep?: (() => boolean) | undefined;
}

/** How the call ended that had a task in hand; `again` when the event will be delivered once more. */
export type CallEnd = 'returned' | 'failed' | 'again';

export interface BlockingWatch extends AsyncDisposable {
  /**
   * Take a task in hand, or null: another operation than those of the policy, decided already, or of another org than
   * was announced. Throws `VCLOUD_UNAVAILABLE` and `VCLOUD_REFUSED`: the policy is applied in time all the same.
   */
  begin(announced: AnnouncedTask, signal?: AbortSignal): Promise<HeldBlockingTask | null>;
  /** The call is over; what it left undecided gets the policy unless the event comes again. Never throws. */
  end(held: HeldBlockingTask, how: CallEnd): Promise<void>;
  /** Renew our leases and decide what is due or was left over; never throws. */
  sweep(): Promise<void>;
  /** Tasks in hand. */
  readonly open: number;
}

/** Sweeps at once and from then on. Disposing gives up what is in hand: a delivery that was not handled comes again. */
export function openBlockingWatch(options: BlockingWatchOptions): BlockingWatch {
  const { store, log } = options;
  const hands = createHands(options);
  const sweeper = sweepsOf(options, hands);
  const alarms = createAlarms(options, () => void sweeper.sweep()); // never rejects
  return {
    begin: (announced, signal) => begin(options, hands, announced, signal),
    async end(held, how) {
      hands.drop(held);
      if (held.over) return;
      if (how !== 'again') return held.applyPolicy(how === 'failed' ? 'failed' : 'undecided');
      await store
        .release(held.task.key)
        .catch((error: unknown) => log.error('blocking.not-stored', { reason: messageOf(error) }));
      // Between two sweeps the last moment could pass.
      alarms.set(held.task.dueAt);
    },
    sweep: () => sweeper.sweep(),
    get open() {
      return hands.all().length;
    },
    async [Symbol.asyncDispose]() {
      alarms.clear();
      await sweeper[Symbol.asyncDispose]();
      const left = hands.all();
      for (const held of left) hands.drop(held);
      for (const { task, over } of left) if (!over) await store.release(task.key);
    },
  };
}

async function begin(
  options: BlockingWatchOptions,
  hands: Hands,
  announced: AnnouncedTask,
  signal?: AbortSignal,
): Promise<HeldBlockingTask | null> {
  const { store, client, clock, leaseMs } = options;
  const { policy, operation, id, org } = announced;
  const wanted = (name: string | null) => name !== null && policy.operations.includes(name);
  if (operation !== null && !wanted(operation)) return null;
  const entry = entryOf(announced, null, clock.now());
  const keep = (task: OpenBlockingTask) => store.open(task, clock.now() + leaseMs);
  try {
    const early = operation === null ? null : await keep(entry);
    // What was decided and could not be told is told by the sweeper.
    if (early?.outcome) return await release(options, entry);
    const task = await readBlockingTask(client, id, signal ? { signal } : {});
    if (task.org !== null && task.org !== uuidOf(org)) {
      // The event says so, vCloud says otherwise: nobody decides on the operations of another org.
      options.log.warn('blocking.foreign', { plugin: announced.plugin, org, id });
      if (early) await (early.org === org ? store.remove(entry.key) : store.release(entry.key));
      return null;
    }
    if (!task.active || !(wanted(task.operation) || wanted(operation))) {
      await store.remove(entry.key);
      return null;
    }
    const kept = await keep(entryOf(announced, task, clock.now()));
    return kept.outcome ? await release(options, kept) : hands.take(kept);
  } catch (error) {
    if (codeOf(error) === 'BLOCKING_TASK_UNKNOWN') {
      await store.remove(entry.key);
      return null;
    }
    await store.release(entry.key).catch(() => undefined);
    throw error;
  }
}

async function release({ store }: BlockingWatchOptions, { key }: OpenBlockingTask): Promise<null> {
  await store.release(key);
  return null;
}

function entryOf(
  { plugin, org, id, operation, policy }: AnnouncedTask,
  task: BlockingTask | null,
  now: number,
): OpenBlockingTask {
  const remainingMs = task?.remainingMs ?? null;
  const timeoutAt = remainingMs === null ? null : now + remainingMs;
  const ours = now + policy.decideWithinMs;
  return {
    key: `${plugin}/${id}`,
    id,
    plugin,
    org,
    operation: task?.operation || (operation ?? ''),
    onFailure: policy.onFailure,
    createdAt: now,
    dueAt: timeoutAt === null ? ours : Math.min(ours, lastMoment(timeoutAt, now)),
    timeoutAt,
  };
}

/** The tasks of the calls under way, each with its timer. */
function createHands(rooms: BlockingRooms) {
  const { clock } = rooms;
  const timers = new Map<HeldBlockingTask, NodeJS.Timeout>();

  function drop(held: HeldBlockingTask): void {
    clearTimeout(timers.get(held));
    timers.delete(held);
  }

  function set(held: HeldBlockingTask): void {
    clearTimeout(timers.get(held));
    const ms = Math.min(TIMER_MS, Math.max(0, held.task.dueAt - clock.now()));
    timers.set(held, setTimeout(() => void look(held), ms).unref()); // never rejects
  }

  async function look(held: HeldBlockingTask): Promise<void> {
    if (!timers.has(held) || held.over) return;
    if (held.task.dueAt > clock.now()) return set(held);
    await held.applyPolicy('late');
  }

  return {
    take(task: OpenBlockingTask): HeldBlockingTask {
      const held = new HeldBlockingTask(rooms, task, () => {
        if (timers.has(held)) set(held);
      });
      set(held);
      return held;
    },
    drop,
    all: () => [...timers.keys()],
    async lookAtAll(): Promise<void> {
      for (const held of timers.keys()) if (held.task.dueAt <= clock.now()) await look(held);
    },
  };
}

type Hands = ReturnType<typeof createHands>;

function sweepsOf(options: BlockingWatchOptions, hands: Hands): Sweeps {
  const { store, clock, log, leaseMs, everyMs } = options;

  async function pass(): Promise<void> {
    await store.renew(clock.now() + leaseMs);
    await hands.lookAtAll();
    const mayGoOn = () => options.maySweep?.() !== false;
    if (!mayGoOn()) return;
    const now = clock.now();
    for (const task of await store.claim(now, now + leaseMs)) {
      // What is left is taken by whoever sweeps by then.
      if (!mayGoOn() || clock.now() >= now + leaseMs) return;
      await settle(options, task);
    }
  }
  const failed = (error: unknown) =>
    log.error('blocking.sweep-failed', { reason: messageOf(error) });
  return openSweeps({ pass, everyMs, failed });
}

/** A task that nobody has in hand: told what was decided, or decided as its manifest says. */
async function settle(rooms: BlockingRooms, task: StoredBlockingTask): Promise<void> {
  const outcome = task.outcome ?? policyOutcome(task, 'late');
  try {
    // Between claim and now, another host may have got the event again and decided.
    if (task.outcome === null && !(await rooms.store.decide(task.key, outcome))) return;
    await tellOutcome(rooms, task, outcome);
  } catch {
    // Logged where it happened; the next sweep tries again.
  }
}
