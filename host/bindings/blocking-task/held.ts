/**
 * A blocking task that a call works on: extended any number of times, decided once.
 * May import: kernel, storage, vcloud.
 */
import { codeOf, HostError, messageOf } from '../../kernel/errors.ts';
import type { BlockingOutcome, OpenBlockingTask } from '../../storage/open-blocking.ts';
import { extendBlockingTask } from '../../vcloud/blocking-tasks/tasks.ts';
import { policyOutcome, tellOutcome, type BlockingRooms, type PolicyReason } from './ending.ts';

/** vCloud's time-out comes this much after ours, ms, or a fifth of the time there is when that is less. */
const MARGIN_MS = 15_000;

/** When to decide so that vCloud hears of it before its own time-out: whole ms, since stores take no others. */
export function lastMoment(timeoutAt: number, now: number): number {
  return Math.floor(timeoutAt - Math.min(MARGIN_MS, Math.max(0, timeoutAt - now) / 5));
}

/** Open until it is decided: by the plug-in, by the policy of its manifest, or by somebody else in vCloud. */
export class HeldBlockingTask {
  readonly #rooms: BlockingRooms;
  readonly #onExtended: () => void;
  #task: OpenBlockingTask;
  #over = false;
  #last: Promise<unknown> = Promise.resolve();

  /** `onExtended` is told when there is another time by which to decide. */
  constructor(rooms: BlockingRooms, task: OpenBlockingTask, onExtended: () => void) {
    this.#rooms = rooms;
    this.#task = task;
    this.#onExtended = onExtended;
  }

  get task(): OpenBlockingTask {
    return this.#task;
  }

  /** True from the moment that it is decided. */
  get over(): boolean {
    return this.#over;
  }

  /**
   * Decide, once only. The decision is on disk before vCloud is told; when vCloud is away it hears of it later, and
   * this resolves all the same. Throws `BLOCKING_TASK_OVER`, `BLOCKING_TASK_UNKNOWN`, `VCLOUD_REFUSED`.
   */
  async decide(outcome: BlockingOutcome): Promise<void> {
    this.#claim();
    const { store, log } = this.#rooms;
    const first = await store.decide(this.#task.key, outcome).catch((error: unknown) => {
      // A disk that fails is no reason not to tell vCloud.
      log.error('blocking.not-stored', { reason: messageOf(error) });
      return true;
    });
    if (!first) throw over();
    await this.#queued(() => tellOutcome(this.#rooms, this.#task, outcome)).catch(
      (error: unknown) => {
        if (codeOf(error) !== 'VCLOUD_UNAVAILABLE') throw error;
      },
    );
  }

  /** Do what the manifest says for this case. Never throws; nothing happens when it was decided. */
  async applyPolicy(reason: PolicyReason): Promise<void> {
    if (this.#over) return;
    // What keeps it from being told is logged where it happens, and tried again by the sweeper.
    await this.decide(policyOutcome(this.#task, reason)).catch(() => undefined);
  }

  /** Tell progress, and with `timeoutMs` win time. Throws `BLOCKING_TASK_OVER`, or what vCloud refused. */
  async extend(message: string, timeoutMs: number | null): Promise<number | null> {
    if (this.#over) throw over();
    return this.#queued(async () => {
      const { client, store, clock } = this.#rooms;
      const extended = await extendBlockingTask(client, this.#task.id, { message, timeoutMs });
      const now = clock.now();
      const { remainingMs } = extended;
      const timeoutAt = remainingMs === null ? this.#task.timeoutAt : now + remainingMs;
      const { key, dueAt } = this.#task;
      const later = timeoutMs === null || timeoutAt === null ? dueAt : lastMoment(timeoutAt, now);
      this.#task = { ...this.#task, timeoutAt, dueAt: later };
      await store.extend(key, { dueAt: later, timeoutAt });
      this.#onExtended();
      return timeoutAt;
    });
  }

  #claim(): void {
    if (this.#over) throw over();
    this.#over = true;
  }

  /** In the order in which they were asked for: an earlier progress must not overtake the decision. */
  #queued<T>(act: () => Promise<T>): Promise<T> {
    const result = this.#last.then(act);
    this.#last = result.catch(() => undefined);
    return result;
  }
}

function over(): HostError {
  return new HostError('BLOCKING_TASK_OVER', 'blockingTask: it is decided already');
}
