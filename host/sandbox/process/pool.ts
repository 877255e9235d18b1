/**
 * Runner processes from start to end: spares that stand ready, and a pause that grows while none can be started.
 * May import: kernel.
 */
import { HostError, messageOf } from '../../kernel/errors.ts';
import { backoffMs } from '../../kernel/time.ts';
import type { SandboxSettings } from '../options.ts';
import { Runner, type Loss, type RunnerEvents } from './runner.ts';
import type { Spawner } from './spawn.ts';

export interface Pool extends AsyncDisposable {
  /** All that are alive, spares included. */
  readonly runners: ReadonlySet<Runner>;
  /** Why runners can not be started, or null. */
  readonly trouble: string | null;
  /** A blank runner. Rejects with `RUNNER_UNAVAILABLE` while none can be started. */
  take(): Promise<Runner>;
  /** A runner has loaded a plug-in: starting works. */
  healthy(): void;
}

export interface PoolOptions {
  readonly settings: SandboxSettings;
  readonly spawner: Spawner;
  readonly program: string;
  /** `onReady` is called before anything else is sent to a runner. */
  readonly events: RunnerEvents;
  /** All places are taken and one is wanted: end a runner that can be spared, if there is one. */
  readonly evict: () => void;
}

/** Processes that start at the same time. */
const MAX_STARTING = 4;
/** Failures in a row from which callers are refused at once instead of waiting. */
const TROUBLE_AFTER = 3;
/** A failure longer ago says nothing about now, ms. */
const FORGET_MS = 120_000;

interface Waiter {
  readonly resolve: (runner: Runner) => void;
  readonly reject: (error: HostError) => void;
}

export function openPool(options: PoolOptions): Pool {
  return new RunnerPool(options);
}

class RunnerPool implements Pool {
  readonly runners = new Set<Runner>();
  readonly #options: PoolOptions;
  readonly #starting = new Map<Runner, NodeJS.Timeout>();
  readonly #spares: Runner[] = [];
  readonly #waiters: Waiter[] = [];
  #failures = 0;
  #failedAt = -Infinity;
  #notBefore = 0;
  #reason = 'no runner has started yet';
  #everReady = false;
  #retry: NodeJS.Timeout | null = null;
  #closed = false;

  constructor(options: PoolOptions) {
    this.#options = options;
    this.#refill();
  }

  get trouble(): string | null {
    return this.#inTrouble || !this.#everReady ? this.#reason : null;
  }

  healthy(): void {
    this.#failures = 0;
  }

  take(): Promise<Runner> {
    const spare = this.#spares.shift();
    if (spare) {
      // The place of the spare is filled after the call that wants this one has been started.
      setImmediate(() => this.#refill());
      return Promise.resolve(spare);
    }
    if (this.#closed || this.#inTrouble) return Promise.reject(this.#unavailable());
    const { promise, resolve, reject } = Promise.withResolvers<Runner>();
    this.#waiters.push({ resolve, reject });
    this.#refill();
    return promise;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    if (this.#retry) clearTimeout(this.#retry);
    this.#refuseWaiters();
    const all = [...this.runners];
    const reason = 'the sandbox is closed';
    for (const runner of all) runner.kill({ kind: 'retired', reason, culprit: null });
    await Promise.all(all.map((runner) => runner.gone));
  }

  get #inTrouble(): boolean {
    return this.#failures >= TROUBLE_AFTER;
  }

  #refill(): void {
    if (this.#closed) return;
    const { settings, evict } = this.#options;
    const wait = this.#notBefore - settings.clock.monotonic();
    if (wait > 0) return this.#retryIn(wait);
    // In trouble one start is always tried, or nobody would ever learn that it is over.
    const wanted = Math.max(settings.spares + this.#waiters.length, this.#inTrouble ? 1 : 0);
    let missing = wanted - this.#spares.length - this.#starting.size;
    while (missing-- > 0 && this.#starting.size < MAX_STARTING) {
      if (this.runners.size >= settings.maxRunners && this.#waiters.length > 0) evict();
      if (this.runners.size >= settings.maxRunners || !this.#start()) return;
    }
  }

  #retryIn(ms: number): void {
    this.#retry ??= setTimeout(() => {
      this.#retry = null;
      this.#refill();
    }, ms).unref();
  }

  #start(): boolean {
    const { settings, spawner, program, events } = this.#options;
    try {
      const runner = new Runner(spawner, program, () => settings.clock.monotonic(), {
        onFrame: (from, frame) => events.onFrame(from, frame),
        onPong: (from, value) => events.onPong(from, value),
        onReady: (ready) => this.#onReady(ready),
        onLost: (lost, loss) => this.#onLost(lost, loss),
      });
      this.runners.add(runner);
      this.#starting.set(runner, setTimeout(giveUp, settings.readyMs, runner).unref());
      settings.metrics.count('sandbox_runner_starts_total');
      return true;
    } catch (error) {
      this.#failed(messageOf(error));
      return false;
    }
  }

  #onReady(runner: Runner): void {
    clearTimeout(this.#starting.get(runner));
    this.#starting.delete(runner);
    this.#everReady = true;
    this.#options.settings.log.debug('runner.ready', { pid: runner.pid });
    this.#options.events.onReady(runner);
    const waiter = this.#waiters.shift();
    if (waiter) waiter.resolve(runner);
    else this.#spares.push(runner);
  }

  #onLost(runner: Runner, loss: Loss): void {
    clearTimeout(this.#starting.get(runner));
    const spare = this.#spares.indexOf(runner);
    if (spare >= 0) this.#spares.splice(spare, 1);
    const blank = this.#starting.delete(runner) || spare >= 0;
    // The place is free only when the process is gone: a storm of kills must not become a storm of processes.
    void runner.gone.then(() => {
      this.runners.delete(runner);
      this.#refill();
    });
    if (!blank) this.#options.events.onLost(runner, loss);
    else if (!this.#closed) this.#failed(loss.reason);
  }

  /** A runner died before it had any work: nothing but the machine or our own set-up can be the cause. */
  #failed(reason: string): void {
    const { log, metrics, clock } = this.#options.settings;
    const now = clock.monotonic();
    const failures = now - this.#failedAt > FORGET_MS ? 1 : this.#failures + 1;
    const pauseMs = backoffMs(failures);
    this.#failures = failures;
    this.#failedAt = now;
    this.#reason = reason;
    this.#notBefore = now + pauseMs;
    metrics.count('sandbox_runner_start_failures_total');
    log.warn('runner.startFailed', { reason, failures, pauseMs: Math.round(pauseMs) });
    if (this.#inTrouble) this.#refuseWaiters();
    this.#retryIn(pauseMs);
  }

  #refuseWaiters(): void {
    for (const waiter of this.#waiters.splice(0)) waiter.reject(this.#unavailable());
  }

  #unavailable(): HostError {
    const why = this.#closed ? 'the sandbox is closed' : this.#reason;
    return new HostError('RUNNER_UNAVAILABLE', `no runner can be started: ${why}`);
  }
}

function giveUp(runner: Runner): void {
  runner.kill({ kind: 'heartbeat', reason: 'it did not get ready in time', culprit: null });
}
