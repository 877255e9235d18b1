/**
 * What the guest asks for in a call: host calls, digests and log lines, each within the call's allowance.
 * May import: runner.
 */
import { Allowance } from './allowance.ts';
import { answerDigest, isDigestCall } from './digests.ts';
import type { FromRunner, RunnerPlan } from './frames.ts';

/** Whose call it is, and the ways out of its isolate. */
export interface Asker {
  readonly plan: RunnerPlan;
  readonly slot: number;
  /** The call under way. */
  readonly call: number;
  /** Its entries are made on the runner's own thread. */
  readonly quick: boolean;
  send(frame: FromRunner): void;
  /** Hand the answer of a host call in, in an entry that begins when it can. */
  enter(seq: number, text: string): void;
  /** The same; late ones for an earlier call are dropped. */
  hostReply(call: number, seq: number, text: string): void;
  /** False when there are too many. */
  startTimer(id: number, delayMs: number): boolean;
  /** It asked for more than it may. */
  overspent(): void;
}

export class Asks {
  readonly #asker: Asker;
  readonly #allowance: Allowance;
  /** The host knows that the call may rest. */
  #waits = false;

  constructor(asker: Asker) {
    this.#asker = asker;
    this.#allowance = new Allowance(asker.plan);
  }

  /** A call begins. */
  renew(): void {
    this.#allowance.renew();
    this.#waits = false;
  }

  host(seq: number, body: string): void {
    if (isDigestCall(body)) return this.#digest(seq, body);
    const asker = this.#asker;
    if (!this.#allowance.hostCall(body.length)) return asker.overspent();
    const { slot, call } = asker;
    asker.send({ type: 'host', slot, call, value: seq, body });
  }

  #digest(seq: number, text: string): void {
    const asker = this.#asker;
    if (!this.#allowance.digest(text.length)) return asker.overspent();
    const { call } = asker;
    // Not at once: the guest's next digest would be answered inside this one, and so on.
    if (asker.quick) setImmediate(() => asker.hostReply(call, seq, answerDigest(text)));
    else asker.enter(seq, answerDigest(text));
  }

  log(text: string): void {
    const fate = this.#allowance.logLine(text.length);
    if (fate === 'dropped') return;
    const body = fate === 'sent' ? text : '';
    const { slot, call } = this.#asker;
    this.#asker.send({ type: 'log', slot, call, value: 0, body });
  }

  timer(id: number, delayMs: number): void {
    const asker = this.#asker;
    if (!asker.startTimer(id, delayMs)) return asker.overspent();
    if (this.#waits || delayMs === 0) return;
    this.#waits = true;
    const { slot, call } = asker;
    asker.send({ type: 'waits', slot, call });
  }
}
