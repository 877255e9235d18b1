/**
 * A task that a call works on: its changes reach vCloud one after the other, and its end is told for sure.
 * May import: kernel, message, storage, vcloud.
 */
import { HostError, messageOf } from '../../kernel/errors.ts';
import type { Log } from '../../kernel/log.ts';
import { decodeXml } from '../../message/xml/documents.ts';
import type { OpenTaskStore, TaskOutcome } from '../../storage/open-tasks.ts';
import type { VcloudClient } from '../../vcloud/client.ts';
import { hasStatus } from '../../vcloud/errors.ts';
import type { Grant } from '../binding.ts';
import { discreet } from '../vcloud/access.ts';
import { changedTask, hasEnded, type TaskChange, type TaskDocument } from './document.ts';
import { endTask } from './ending.ts';

export interface HeldRooms {
  readonly client: VcloudClient;
  readonly store: OpenTaskStore;
  readonly log: Log;
}

export interface HeldTaskParts {
  readonly grant: Grant;
  readonly key: string;
  readonly document: TaskDocument;
}

/** Open until `end` was called, or vCloud turned out to have ended it. */
export class HeldTask {
  readonly grant: Grant;
  readonly #rooms: HeldRooms;
  readonly #key: string;
  #task: TaskDocument;
  #over = false;
  #last: Promise<unknown> = Promise.resolve();

  constructor(rooms: HeldRooms, { grant, key, document }: HeldTaskParts) {
    this.#rooms = rooms;
    this.grant = grant;
    this.#key = key;
    this.#task = document;
  }

  /** True from the moment that its end is decided. */
  get over(): boolean {
    return this.#over;
  }

  /** Tell progress. Resolves to whether somebody asked for its cancellation. Throws `TASK_OVER`, or what vCloud refused. */
  async update(change: TaskChange): Promise<boolean> {
    if (this.#over) throw new HostError('TASK_OVER', 'tasks: the task is over');
    return this.#queued(() => this.#put(change));
  }

  /**
   * End it, once only. What came of it is on disk when this resolves, and vCloud hears of it now or from the sweeper.
   * Throws `TASK_OVER`.
   */
  async end(outcome: TaskOutcome, details: string | null = null): Promise<void> {
    if (this.#over) throw new HostError('TASK_OVER', 'tasks: the task is over');
    this.#over = true;
    const { store, log } = this.#rooms;
    await store.settled(this.#key, outcome).catch((error: unknown) =>
      // A disk that fails is no reason not to tell vCloud.
      log.error('task.not-stored', { reason: messageOf(error) }),
    );
    await this.#queued(() => this.#finish(outcome, details));
  }

  /** In the order in which they were asked for: an earlier progress must not overtake the end. */
  #queued<T>(act: () => Promise<T>): Promise<T> {
    const result = this.#last.then(act);
    this.#last = result.catch(() => undefined);
    return result;
  }

  async #put(change: TaskChange): Promise<boolean> {
    const { client, store } = this.#rooms;
    const href = this.#task.href ?? '';
    const value = changedTask(this.#task, change);
    try {
      const answer = await client.sendXml('PUT', href, { name: 'Task', value });
      const now = answer.body.length > 0 ? decodeXml('Task', answer.body) : value;
      this.#task = { ...value, cancelRequested: now.cancelRequested };
      return now.cancelRequested ?? false;
    } catch (error) {
      if (!hasStatus(error, 400, 404)) throw discreet(error);
      const now = await client.getXml('Task', href).catch(() => null);
      if (now && !hasEnded(now))
        throw new HostError('BINDING_ARGUMENT', 'tasks: vCloud refused it', { cause: error });
      this.#over = true;
      await store.remove(this.#key);
      throw new HostError('TASK_OVER', 'tasks: the task was ended in vCloud', { cause: error });
    }
  }

  async #finish(outcome: TaskOutcome, details: string | null): Promise<void> {
    const { client, store, log } = this.#rooms;
    try {
      await endTask(client, changedTask(this.#task, { details }), outcome);
      await store.remove(this.#key);
    } catch (error) {
      log.warn('task.end-waits', { plugin: this.grant.plugin, reason: messageOf(error) });
      await store
        .release(this.#key)
        .catch((failed: unknown) => log.error('task.not-stored', { reason: messageOf(failed) }));
    }
  }
}
