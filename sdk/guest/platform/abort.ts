/**
 * AbortController and AbortSignal, with `any`, `timeout` and reasons.
 * May import: install, platform/errors, platform/events, platform/timers.
 */
import { publish } from '../install.ts';
import { DOMException } from './errors.ts';
import { Event, EventTarget } from './events.ts';
import { setTimeout } from './timers.ts';

const KEY = Symbol('construct');
type Listener = ((event: Event) => unknown) | null;

let trigger: (signal: AbortSignal, reason: unknown) => void;

export class AbortSignal extends EventTarget {
  #aborted = false;
  #reason: unknown = undefined;
  #handler: Listener = null;
  /** Signals made by `any` from this one. */
  #followers: AbortSignal[] = [];

  constructor(key?: symbol) {
    if (key !== KEY) throw new TypeError('Illegal constructor');
    super();
  }
  static {
    trigger = (signal, reason) => {
      if (signal.#aborted) return;
      signal.#aborted = true;
      signal.#reason =
        reason === undefined
          ? new DOMException('This operation was aborted', 'AbortError')
          : reason;
      signal.dispatchEvent(new Event('abort'));
      const followers = signal.#followers;
      signal.#followers = [];
      for (const follower of followers) trigger(follower, signal.#reason);
    };
  }

  static abort(reason?: unknown): AbortSignal {
    const signal = new AbortSignal(KEY);
    trigger(signal, reason);
    return signal;
  }
  static timeout(delayMs: number): AbortSignal {
    const signal = new AbortSignal(KEY);
    const reason = (): DOMException =>
      new DOMException('The operation was aborted due to timeout', 'TimeoutError');
    setTimeout(() => trigger(signal, reason()), delayMs);
    return signal;
  }
  static any(signals: Iterable<AbortSignal>): AbortSignal {
    const sources = [...signals];
    const result = new AbortSignal(KEY);
    const first = sources.find((source) => source.aborted);
    if (first) trigger(result, first.reason);
    else for (const source of sources) source.#followers.push(result);
    return result;
  }

  get aborted(): boolean {
    return this.#aborted;
  }
  get reason(): unknown {
    return this.#reason;
  }
  get onabort(): Listener {
    return this.#handler;
  }
  set onabort(handler: Listener) {
    if (this.#handler) this.removeEventListener('abort', this.#handler);
    this.#handler = typeof handler === 'function' ? handler : null;
    if (this.#handler) this.addEventListener('abort', this.#handler);
  }
  throwIfAborted(): void {
    if (this.#aborted) throw this.#reason;
  }
  get [Symbol.toStringTag](): string {
    return 'AbortSignal';
  }
}

export class AbortController {
  readonly #signal = new AbortSignal(KEY);
  get signal(): AbortSignal {
    return this.#signal;
  }
  abort(reason?: unknown): void {
    trigger(this.#signal, reason);
  }
  get [Symbol.toStringTag](): string {
    return 'AbortController';
  }
}

publish({ AbortController, AbortSignal });
