/**
 * Whose a message of the guest is, and whose a timer that is due, in an isolate of one call or several.
 * May import: runner.
 */
import type { Seat } from './seat.ts';
import { createGuestTimers, MAX_TIMERS } from './timers.ts';

export class Voices {
  readonly #seats: readonly Seat[];
  /** The only seat, where there is one. */
  readonly #only: Seat | null;
  readonly #timers;
  /** For whom the guest speaks, where several calls share the isolate. */
  #speaker: Seat | null = null;

  /** `seats` stays the caller's. */
  constructor(seats: readonly Seat[], fire: (seat: Seat, id: number) => void) {
    this.#seats = seats;
    this.#only = seats.length === 1 ? (seats[0] ?? null) : null;
    this.#timers = createGuestTimers<number>(MAX_TIMERS * seats.length, (call, id) => {
      const seat = this.#only ?? this.#keeperOf(call);
      if (seat) fire(seat, id);
    });
  }

  /** What the guest says from here on is this one's. */
  speakFor(seat: Seat): void {
    this.#speaker = seat;
  }

  onPost(kind: string, id: number, text: string): void {
    if (this.#only) return this.#only.onPost(kind, id, text);
    if (kind === 'as') this.#speaker = this.#seatOf(id);
    else if (kind === 'reply' || kind === 'threw' || kind === 'settled')
      this.#seatOf(id)?.onPost(kind, id, text);
    else this.#speaker?.onPost(kind, id, text);
  }

  startTimer(seat: Seat, id: number, delayMs: number): boolean {
    return this.#timers.start(seat.call, id, delayMs);
  }

  cancelTimer(id: number): void {
    this.#timers.cancel(id);
  }

  /** The call is over. Where there are other calls the guest says which timers end. */
  settled(): void {
    if (this.#only) this.#timers.clear();
  }

  /** Those of a call that was ended, or all. */
  endTimers(call?: number): void {
    this.#timers.clear(call);
  }

  #seatOf(call: number): Seat | null {
    return this.#seats.find((seat) => seat.active && seat.call === call) ?? null;
  }

  /** Who pays for a timer: the call that started it, or, since others may wait for what it does, the oldest of them. */
  #keeperOf(call: number): Seat | null {
    const others = this.#seats.filter((seat) => seat.active).sort((a, b) => a.call - b.call);
    return this.#seatOf(call) ?? others[0] ?? null;
  }
}
