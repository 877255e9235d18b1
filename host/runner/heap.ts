/**
 * The heap of one isolate: looked at now and then, and trimmed when nobody uses it.
 * May import: runner.
 */
import type ivm from 'isolated-vm';
import type { Entrance } from './entrance.ts';
import type { Seat } from './seat.ts';

export interface HeapOptions {
  /** Calls between two looks. */
  readonly every: number;
  isBusy(): boolean;
  /** The isolate is idle and worth trimming after a while. */
  mayTrim(): void;
  /** What was done so far is no call's. */
  onTrimmed(): void;
  /** Something that was done for no call is over, with what it threw. */
  onLeft(failure: unknown): void;
}

/** Calls after which an isolate has garbage enough to be trimmed again. */
const TRIM_EVERY_CALLS = 256;
/** The collection of a larger heap takes longer than a disposal may, bytes. */
const MAX_TRIM_BYTES = 16_777_216;

export class Heap {
  readonly #isolate: ivm.Isolate;
  readonly #entrance: Entrance;
  readonly #options: HeapOptions;
  /** See `Trimmable`. */
  idleSince = 0;
  trimming = false;
  #served = 0;
  /** Number of calls at which it was trimmed last. */
  #trimmedAt = -TRIM_EVERY_CALLS;
  #looking = false;
  #seenKb = '';

  constructor(isolate: ivm.Isolate, entrance: Entrance, options: HeapOptions) {
    this.#isolate = isolate;
    this.#entrance = entrance;
    this.#options = options;
  }

  /** The isolate was opened, or a call in it ended. */
  noteIdle(calls: 0 | 1): void {
    this.#served += calls;
    if (this.#served - this.#trimmedAt < TRIM_EVERY_CALLS || this.#options.isBusy()) return;
    this.idleSince = performance.now();
    this.#options.mayTrim();
  }

  /** Let V8 collect what is not needed any more, on another thread. Never rejects. */
  async trim(): Promise<void> {
    if (this.#options.isBusy() || this.trimming) return;
    this.#trimmedAt = this.#served;
    this.idleSince = 0;
    this.trimming = true;
    await this.#entrance.alone(
      async (ref) => {
        if (this.#isolate.getHeapStatisticsSync().total_heap_size <= MAX_TRIM_BYTES)
          // oxlint-disable-next-line no-useless-call -- a Reference is no function: apply is its only way in
          await ref.apply(undefined, ['trim', 0, '', false]);
      },
      (failure) => {
        this.trimming = false;
        this.#options.onTrimmed();
        this.#options.onLeft(failure);
      },
    );
  }

  /**
   * The heap is looked at as a call leaves it: it costs a trip into the isolate, so not at every call. False when the
   * look takes a while; `finishWhenStill` of the seat is called after it.
   */
  mayFinish(seat: Seat): boolean {
    const isDue = this.#seenKb === '' && (this.#served + 1) % this.#options.every === 0;
    if (!isDue || this.#looking) return true;
    if (seat.quick) {
      this.#lookHere();
      return true;
    }
    void this.#look(seat); // never rejects
    return false;
  }

  /** Heap and external memory in KiB, empty when they were not looked at; each look is given out once. */
  take(): string {
    const seen = this.#seenKb;
    this.#seenKb = '';
    return seen;
  }

  async #look(seat: Seat): Promise<void> {
    this.#looking = true;
    seat.entries++;
    await this.#entrance.alone(
      async () => {
        this.#seenKb = kibOf(await this.#isolate.getHeapStatistics());
      },
      (failure) => {
        // The isolate was disposed meanwhile; it is looked at once, whatever comes of it.
        if (failure !== undefined) this.#seenKb = '0';
        this.#looking = false;
        seat.entries--;
        this.#options.onLeft(failure);
        seat.finishWhenStill();
      },
    );
  }

  #lookHere(): void {
    try {
      this.#seenKb = kibOf(this.#isolate.getHeapStatisticsSync());
    } catch {
      this.#seenKb = '0';
    }
  }
}

function kibOf(heap: ivm.HeapStatistics): string {
  const bytes = heap.used_heap_size + heap.externally_allocated_size;
  return String(Math.ceil(bytes / 1_024));
}
