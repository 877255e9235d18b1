/**
 * Entries of several calls into one isolate, one after the other: so it is known whose CPU time and whose messages they are.
 * May import: runner.
 */
import type { Seat } from './seat.ts';

export interface Turn {
  readonly seat: Seat;
  readonly kind: string;
  readonly id: number;
  readonly text: string;
}

export class Turns {
  readonly #run: (turn: Turn) => void;
  #waiting: Turn[] = [];
  #current: Turn | null = null;
  #held = 0;

  /** `run` enters the isolate; `left` is to be called when that entry is over. */
  constructor(run: (turn: Turn) => void) {
    this.#run = run;
  }

  /** Whose entry is under way. */
  get seat(): Seat | null {
    return this.#current?.seat ?? null;
  }

  add(turn: Turn): void {
    this.#waiting.push(turn);
    this.#next();
  }

  left(): void {
    this.#current = null;
    this.#next();
  }

  /** No further entry begins until `release`: the isolate is at work for nobody. */
  hold(): void {
    this.#held++;
  }

  release(): void {
    this.#held--;
    this.#next();
  }

  /** What waits for this seat, or for all, is not wanted any more. */
  drop(seat: Seat | null): void {
    this.#waiting = seat ? this.#waiting.filter((turn) => turn.seat !== seat) : [];
  }

  #next(): void {
    if (this.#current || this.#held > 0) return;
    this.#current = this.#waiting.shift() ?? null;
    if (this.#current) this.#run(this.#current);
  }
}
