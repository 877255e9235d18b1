/**
 * The way into one isolate: entries for its calls, on a thread of its own or on the runner's, and who is inside.
 * May import: runner.
 */
import type ivm from 'isolated-vm';
import type { Enter } from './boot.ts';
import type { EntryMeter } from './cpu-meter.ts';
import { readMessages } from './messages.ts';
import type { Seat } from './seat.ts';
import { Turns, type Turn } from './turns.ts';

/** Whose entrance it is. */
export interface Doorkeeper {
  readonly ending: boolean;
  /** The guest says something. */
  onPost(kind: string, id: number, text: string): void;
  /** Several calls share the isolate: what it says from here on is this one's. */
  onTurn(seat: Seat): void;
  /** An entry on the runner's own thread was ended. */
  onTimeout(seat: Seat): void;
  /** An entry ended, with what it threw; `seat` is null for one that was made for no call. */
  onLeft(seat: Seat | null, error?: unknown): void;
}

const TOGETHER_MS = 32;

export class Entrance {
  readonly #isolate: ivm.Isolate;
  readonly #keeper: Doorkeeper;
  readonly #quickTimeoutMs: number;
  /** Null where there is one seat: its entries need not wait for each other. */
  readonly #turns: Turns | null;
  #ref: Enter | null = null;
  /** Entries under way: while there is one, a thread may be inside the isolate. */
  #entries = 0;
  /** When the oldest of them can have begun, monotonic ms. */
  #enteredAt = 0;
  /** An entry on the runner's own thread is under way. */
  here = false;
  /** How long the last one took, ms. */
  lastEntryMs = 0;

  constructor(
    isolate: ivm.Isolate,
    keeper: Doorkeeper,
    { shared, quickTimeoutMs }: { readonly shared: boolean; readonly quickTimeoutMs: number },
  ) {
    this.#isolate = isolate;
    this.#keeper = keeper;
    this.#quickTimeoutMs = quickTimeoutMs;
    this.#turns = shared ? new Turns((turn) => this.#take(turn)) : null;
  }

  open(ref: Enter): void {
    this.#ref = ref;
  }

  get isStill(): boolean {
    return this.#entries === 0;
  }

  /** Whose entry is under way, where several calls share the isolate. */
  get inside(): Seat | null {
    return this.#turns?.seat ?? null;
  }

  /** How long an entry for the seat may have lasted, ms; 0 when there is none. */
  insideMs(seat: Seat, now: number): number {
    const isIn = this.#entries > 0 && (!this.#turns || this.#turns.seat === seat);
    return isIn ? now - this.#enteredAt : 0;
  }

  enter(seat: Seat, kind: string, id: number, text: string): void {
    seat.entries++;
    const turn = { seat, kind, id, text };
    if (this.#turns) this.#turns.add(turn);
    else this.#enter(turn);
  }

  /** What waits for its turn, for this seat or for all, is not wanted any more. */
  drop(seat: Seat | null): void {
    this.#turns?.drop(seat);
  }

  /** The isolate is at work for no call. */
  occupy(): void {
    if (this.#entries++ === 0) this.#enteredAt = performance.now();
  }

  vacate(): void {
    if (--this.#entries > 0) this.#enteredAt = performance.now();
  }

  /**
   * Do something in the isolate for no call. `after` is called, with what was thrown, when it is over; where calls share
   * the isolate their entries wait until then. Never rejects.
   */
  async alone(work: (ref: Enter) => Promise<unknown>, after: (e: unknown) => void): Promise<void> {
    this.#turns?.hold();
    this.occupy();
    let failure: unknown;
    try {
      if (this.#ref) await work(this.#ref);
    } catch (error) {
      failure = error ?? new Error('nothing was thrown');
    }
    this.vacate();
    after(failure);
    this.#turns?.release();
  }

  #take(turn: Turn): void {
    this.#keeper.onTurn(turn.seat);
    (turn.seat.meter as EntryMeter).enter();
    this.#enter(turn);
  }

  #enter(turn: Turn): void {
    const ref = this.#ref;
    if (!ref) return;
    const { seat, kind, id, text } = turn;
    this.occupy();
    if (seat.quick) return this.#enterHere(ref, turn);
    // isolated-vm's own timeout would wake a thread for every entry; `check` looks at the time instead.
    // oxlint-disable-next-line no-useless-call -- a Reference is no function: apply is its only way in
    ref.apply(undefined, [kind, id, text, false]).then(
      () => this.#left(seat),
      (error: unknown) => this.#left(seat, error),
    );
  }

  /** On this thread: what the guest has to say is there when this returns. */
  #enterHere(ref: Enter, { seat, kind, id, text }: Turn): void {
    const began = performance.now();
    let failure: unknown;
    this.here = true;
    try {
      const timeout = together(began, this.#quickTimeoutMs);
      ref.applySync(undefined, [kind, id, text, true], { timeout });
    } catch (error) {
      failure = error ?? new Error('nothing was thrown');
      if (!this.#isolate.isDisposed && isTimeout(error)) this.#keeper.onTimeout(seat);
    }
    if (seat.active && !this.#isolate.isDisposed) this.#takeMessages(ref);
    this.lastEntryMs = performance.now() - began;
    this.#left(seat, failure);
    this.here = false;
    seat.sendAnswer();
  }

  #takeMessages(ref: Enter): void {
    try {
      const all = ref.applySync(undefined, ['take', 0, '', false]);
      if (typeof all !== 'string') return;
      readMessages(all, (kind, from, said) => this.#keeper.onPost(kind, from, said));
    } catch {
      // The isolate is at its end: whoever looks at it next says so.
    }
  }

  #left(seat: Seat, error?: unknown): void {
    this.vacate();
    seat.entries--;
    if (this.#turns) (seat.meter as EntryMeter).leave();
    this.#keeper.onLeft(seat, error);
    if (!this.#keeper.ending) this.#turns?.left();
  }
}

/** A limit of at least `ms` that ends with those of other entries: isolated-vm wakes a thread for each end by itself. */
function together(now: number, ms: number): number {
  return ms + TOGETHER_MS - (Math.floor(now) % TOGETHER_MS);
}

export function isTimeout(error: unknown): boolean {
  return error instanceof Error && error.message.startsWith('Script execution timed out');
}
