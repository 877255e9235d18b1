/**
 * What the guest asks for in a call: host calls, digests and log lines, each within the call's allowance.
 * May import: runner.
 */
import { Allowance } from './allowance.ts';
import { answerDigest, isDigestCall } from './digests.ts';
import type { Room, Seat } from './seat.ts';

export class Asks {
  readonly #seat: Seat;
  readonly #room: Room;
  readonly #allowance: Allowance;
  /** The host knows that the call may rest. */
  #waits = false;

  constructor(seat: Seat, room: Room) {
    this.#seat = seat;
    this.#room = room;
    this.#allowance = new Allowance(room.plan);
  }

  /** A call begins. */
  renew(): void {
    this.#allowance.renew();
    this.#waits = false;
  }

  host(seq: number, body: string): void {
    if (isDigestCall(body)) return this.#digest(seq, body);
    if (!this.#allowance.hostCall(body.length)) return this.#overspent();
    const { slot, call } = this.#seat;
    this.#room.send({ type: 'host', slot, call, value: seq, body });
  }

  #digest(seq: number, text: string): void {
    if (!this.#allowance.digest(text.length)) return this.#overspent();
    const seat = this.#seat;
    const { call } = seat;
    // Not at once: the guest's next digest would be answered inside this one, and so on.
    if (seat.quick) setImmediate(() => seat.hostReply(call, seq, answerDigest(text)));
    else this.#room.enter(seat, 'hostReply', seq, answerDigest(text));
  }

  log(text: string): void {
    const fate = this.#allowance.logLine(text.length);
    if (fate === 'dropped') return;
    const body = fate === 'sent' ? text : '';
    const { slot, call } = this.#seat;
    this.#room.send({ type: 'log', slot, call, value: 0, body });
  }

  timer(id: number, delayMs: number): void {
    if (!this.#room.startTimer(this.#seat, id, delayMs)) return this.#overspent();
    if (this.#waits || delayMs === 0) return;
    this.#waits = true;
    const { slot, call } = this.#seat;
    this.#room.send({ type: 'waits', slot, call });
  }

  #overspent(): void {
    this.#room.over(this.#seat, 'hostCalls', false);
  }
}
