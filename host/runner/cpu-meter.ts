/**
 * CPU of one isolate since a call or a load began.
 * May import: isolated-vm.
 */
import type ivm from 'isolated-vm';

/** Reading the clock of the thread costs as much as a short entry, so it is read at most so often, ms. */
const THREAD_EVERY_MS = 0.5;
/** Below this the clock of the isolate is exact enough, microseconds. */
const EXACT_MICROS = 1_000;

let threadMark = threadMicros();
let threadMarkedAt = 0;

export class CpuMeter {
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

  /** Charged up to here; what comes is the next call's. */
  settle(): void {
    this.#mark = this.#used();
  }

  markProcess(): void {
    this.#processMark = processCpu();
  }

  /** The call begins on this thread. */
  markThread(now: number): void {
    if (now - threadMarkedAt > THREAD_EVERY_MS) {
      threadMark = threadMicros();
      threadMarkedAt = now;
    }
    this.#threadMark = threadMark;
  }

  /** The call is not only on this thread any more. */
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

  /** Whether this process, with all its isolates, has used more since the call began. */
  isProcessOver(budgetMs: number): boolean {
    return processCpu() - this.#processMark > budgetMs;
  }

  /** CPU of the isolate so far in ms; 0 for one that is disposed. */
  #used(): number {
    try {
      return Number(this.#isolate.cpuTime) / 1e6;
    } catch {
      return 0;
    }
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
