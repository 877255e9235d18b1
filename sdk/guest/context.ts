/**
 * `ctx` of one call: who asks, how long there is, and work after the answer.
 * May import: abi, bindings, platform, primordials, tasks.
 */
import type { GuestCaller, GuestRequest } from './abi.ts';
import type { Binding } from './bindings.ts';
import { AbortController, type AbortSignal } from './platform/abort.ts';
import { DOMException } from './platform/errors.ts';
import { setTimeout } from './platform/timers.ts';
import { now } from './primordials.ts';
import { createTask, type Task } from './tasks.ts';

/** The signal fires this long before the deadline, so that a handler can still answer. */
const SIGNAL_MARGIN_MS = 50;

export interface ContextOptions {
  readonly request: GuestRequest;
  /** Take a promise that must settle before the call does; throws when the call is over. */
  readonly waitUntil: (work: unknown) => void;
  /** Any binding; the host refuses the calls of those that the manifest does not grant. */
  readonly bind: (name: string) => Binding;
}

export class Context {
  readonly #waitUntil: (work: unknown) => void;
  readonly #bind: (name: string) => Binding;
  #signal: AbortSignal | null = null;
  readonly caller: GuestCaller;
  readonly params: Readonly<Record<string, string>>;
  readonly requestId: string;
  /** Epoch milliseconds. */
  readonly deadline: number;

  constructor({ request, waitUntil, bind }: ContextOptions) {
    this.#waitUntil = waitUntil;
    this.#bind = bind;
    this.caller = request.caller;
    this.params = request.params;
    this.requestId = request.requestId;
    this.deadline = now() + request.remainingMs;
  }
  remainingMs(): number {
    const left = this.deadline - now();
    return left > 0 ? left : 0;
  }
  waitUntil(work: unknown): void {
    this.#waitUntil(work);
  }
  /** Begin a task of vCloud; it ends with this call at the latest. */
  task(options: unknown): Promise<Task> {
    return createTask(this.#bind('tasks'), options);
  }
  passThroughOnException(): void {
    // There is nothing to pass through to; Hono's types ask for the method.
  }
  get props(): object {
    return {};
  }
  /** Made when first asked for, since it costs a timer. */
  get signal(): AbortSignal {
    if (this.#signal === null) {
      const controller = new AbortController();
      this.#signal = controller.signal;
      const abort = (): void =>
        controller.abort(new DOMException('The deadline of the call is near', 'TimeoutError'));
      setTimeout(abort, Math.max(this.remainingMs() - SIGNAL_MARGIN_MS, 0));
    }
    return this.#signal;
  }
}
