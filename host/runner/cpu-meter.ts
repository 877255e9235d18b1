/**
 * CPU of a call: what its isolate used since it began, or, where calls share one, what its own entries used.
 * May import: isolated-vm.
 */
import type ivm from 'isolated-vm';

/** Reading the clock of the thread costs as much as a short entry, so it is read at most so often, ms. */
const THREAD_EVERY_MS = 0.5;
/** Below this the clock of the isolate is exact enough, microseconds. */
const EXACT_MICROS = 1_000;

let threadMark = threadMicros();
let threadMarkedAt = 0;

export interface Meter {
  /** Charged up to here; what comes is the next call's. */
  settle(): void;
  /** A call begins. */
  markProcess(): void;
  /** The call begins on this thread. */
  markThread(now: number): void;
  /** The call is not only on this thread any more. */
  leaveThread(): void;
  spentMicros(): number;
  /** Whether the call has used more. */
  isOver(budgetMs: number): boolean;
  /** Whether this process, with all its isolates, has used more while the call could use some. */
  isProcessOver(budgetMs: number): boolean;
}

export class CpuMeter implements Meter {
  readonly #isolate: ivm.Isolate;
  /** CPU of the isolate when the present budget began, ms. */
  #mark = 0;
  /** CPU of this process at that time, ms. */
  #processMark = processCpu();
  /** CPU of this thread a little before, while nothing of the call ran anywhere else, microseconds. */
  #threadMark: number | null = null;

  constructor(isolate: ivm.Isolate) {
    this.#isolate = isolate;
  }

  /** Nothing that was used so far is charged. */
  restart(): void {
    this.settle();
    this.markProcess();
  }

  settle(): void {
    this.#mark = this.#used();
  }

  markProcess(): void {
    this.#processMark = processCpu();
  }

  markThread(now: number): void {
    if (now - threadMarkedAt > THREAD_EVERY_MS) {
      threadMark = threadMicros();
      threadMarkedAt = now;
    }
    this.#threadMark = threadMark;
  }

  leaveThread(): void {
    this.#threadMark = null;
  }

  spentMicros(): number {
    const micros = Math.max(0, Math.round((this.#used() - this.#mark) * 1_000));
    if (this.#threadMark === null || micros <= EXACT_MICROS) return micros;
    // The clock of the isolate went on while other processes had the core.
    return Math.min(micros, threadMicros() - this.#threadMark);
  }

  /**
   * While a thread is inside, isolated-vm counts the time that passes and not the CPU: on a busy machine an honest
   * call would be over its budget by waiting. No isolate can have used more than its process did.
   */
  isOver(budgetMs: number): boolean {
    return this.#used() - this.#mark > budgetMs && this.isProcessOver(budgetMs);
  }

  isProcessOver(budgetMs: number): boolean {
    return processCpu() - this.#processMark > budgetMs;
  }

  #used(): number {
    return usedBy(this.#isolate);
  }
}

/** Charges a call for the entries that are made for it; no two of an isolate are under way at once. */
export class EntryMeter implements Meter {
  readonly #isolate: ivm.Isolate;
  #usedMs = 0;
  #processMs = 0;
  /** CPU of the isolate, and of this process, when the entry under way began, ms; null while there is none. */
  #entered: { readonly used: number; readonly process: number } | null = null;

  constructor(isolate: ivm.Isolate) {
    this.#isolate = isolate;
  }

  enter(): void {
    this.#entered = { used: usedBy(this.#isolate), process: processCpu() };
  }

  leave(): void {
    this.#usedMs = this.#used();
    this.#processMs = this.#processUsed();
    this.#entered = null;
  }

  settle(): void {
    this.#usedMs = this.#processMs = 0;
  }

  // No such call runs on the runner's own thread, and each entry marks the process by itself.
  markProcess(): void {}
  markThread(): void {}
  leaveThread(): void {}

  spentMicros(): number {
    return Math.round(this.#used() * 1_000);
  }

  isOver(budgetMs: number): boolean {
    return this.#used() > budgetMs && this.isProcessOver(budgetMs);
  }

  isProcessOver(budgetMs: number): boolean {
    return this.#processUsed() > budgetMs;
  }

  #used(): number {
    if (!this.#entered) return this.#usedMs;
    return this.#usedMs + Math.max(0, usedBy(this.#isolate) - this.#entered.used);
  }

  #processUsed(): number {
    if (!this.#entered) return this.#processMs;
    return this.#processMs + Math.max(0, processCpu() - this.#entered.process);
  }
}

/** CPU of an isolate so far in ms; 0 for one that is disposed. */
function usedBy(isolate: ivm.Isolate): number {
  try {
    return Number(isolate.cpuTime) / 1e6;
  } catch {
    return 0;
  }
}

function threadMicros(): number {
  const { user, system } = process.threadCpuUsage();
  return user + system;
}

/** CPU of this process so far, ms. */
function processCpu(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1_000;
}
