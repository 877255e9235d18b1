/**
 * `ctx` of a notification: which try it is, the event's entity, and the blocking task that waits for a decision.
 * May import: abi, bindings, context.
 */
import type { GuestBlockingTask } from './abi.ts';
import type { Binding } from './bindings.ts';
import { Context, type ContextOptions } from './context.ts';

/** The host knows which task is meant: nothing here names it. */
export class BlockingTask {
  readonly #binding: Binding;
  readonly id: string;
  readonly operation: string;
  /** Epoch milliseconds; null when not known. */
  readonly timeoutAt: number | null;
  readonly decideBy: number;

  constructor(binding: Binding, { id, operation, timeoutAt, decideBy }: GuestBlockingTask) {
    this.#binding = binding;
    this.id = id;
    this.operation = operation;
    this.timeoutAt = timeoutAt;
    this.decideBy = decideBy;
  }
  async resume(message?: unknown): Promise<void> {
    await this.#binding.call('resume', [message]);
  }
  async abort(message?: unknown): Promise<void> {
    await this.#binding.call('abort', [message]);
  }
  async fail(message?: unknown): Promise<void> {
    await this.#binding.call('fail', [message]);
  }
  updateProgress(message?: unknown, options: unknown = {}): Promise<unknown> {
    return this.#binding.call('updateProgress', [message, options]);
  }
  entity(): Promise<unknown> {
    return this.#binding.call('entity', []);
  }
}

export class NotificationContext extends Context {
  readonly #notification: Binding;
  readonly attempt: number;
  readonly blockingTask: BlockingTask | null;

  constructor(options: ContextOptions) {
    super(options);
    const { attempt = 1, blockingTask = null } = options.request.notification ?? {};
    this.#notification = options.bind('notification');
    this.attempt = attempt;
    this.blockingTask =
      blockingTask && new BlockingTask(options.bind('blockingTask'), blockingTask);
  }
  entity(): Promise<unknown> {
    return this.#notification.call('entity', []);
  }
}
