/**
 * A place for one call in an isolate: its entries, posts, caps and end. Most isolates have one seat.
 * May import: runner.
 */
import { Asks, type Asker } from './asks.ts';
import type { DecodedFrame } from './codec.ts';
import type { Meter } from './cpu-meter.ts';
import type { FromRunner, OverCause, RunnerPlan } from './frames.ts';
import { replyJson } from './messages.ts';

/** What a seat needs of its isolate. */
export interface Room {
  readonly plan: RunnerPlan;
  /** The isolate is ending, or gone. */
  readonly ending: boolean;
  /** Several calls share it: then none runs on the runner's own thread. */
  readonly shared: boolean;
  readonly trimming: boolean;
  /** An entry on the runner's own thread is under way. */
  readonly here: boolean;
  /** How long the last entry on the runner's own thread took, ms. */
  readonly lastEntryMs: number;
  send(frame: FromRunner): void;
  enter(seat: Seat, kind: string, id: number, text: string): void;
  /** A seat is at work: the watchdog looks at it from now on. */
  watch(): void;
  /** Start, or end, a timer of the seat; false when there are too many. */
  startTimer(seat: Seat, id: number, delayMs: number): boolean;
  cancelTimer(id: number): void;
  /** The guest says that nothing of the call is left. */
  settled(): void;
  /** Look at the heap if that is due; false when the seat is called again afterwards. */
  mayFinish(seat: Seat): boolean;
  /** The heap as it was looked at, KiB; empty when it was not. Each look is given out once. */
  takeHeap(): string;
  finished(): void;
  /** The seat broke a limit. `endsAll`: what goes on in the isolate can only be ended with it. */
  over(seat: Seat, cause: OverCause, endsAll: boolean): void;
  close(seat: Seat): void;
}

/** `closed`: its call is ended, but other calls of the isolate are not. */
type Phase = 'loading' | 'idle' | 'call' | 'background' | 'closed';

/** The frame that begins a call. */
type CallFrame = Pick<DecodedFrame, 'type' | 'call' | 'value' | 'body'>;
type Answer = FromRunner & { readonly type: 'reply' | 'threw' };

/** Has no limit of its own in the plan. */
const MAX_FAILURE_CHARS = 16_384;
/** After a call that held the runner's own thread for longer, those that follow go back to the host, ms. */
const LONG_ENTRY_MS = 5;

export class Seat implements Asker {
  readonly slot: number;
  readonly meter: Meter;
  readonly #room: Room;
  readonly #asks: Asks;
  #phase: Phase = 'loading';
  #call = 0;
  /** Entries of this call are made on the runner's own thread. */
  #quick = false;
  /** Its entries that are under way or wait for their turn. */
  entries = 0;
  /** Came in an entry on the runner's own thread: it leaves at its end, with the end of the call if that came too. */
  #answer: Answer | null = null;
  #cpuBudget = 0;
  #wallEnd = 0;
  #settled = false;
  /** CPU of the call that was ended with the seat, microseconds. */
  #endMicros = 0;
  /** When it was closed, monotonic ms. */
  closedAt = 0;

  constructor(slot: number, room: Room, meter: Meter) {
    this.slot = slot;
    this.meter = meter;
    this.#room = room;
    this.#asks = new Asks(this);
  }

  get plan(): RunnerPlan {
    return this.#room.plan;
  }

  send(frame: FromRunner): void {
    this.#room.send(frame);
  }

  enter(seq: number, text: string): void {
    this.#room.enter(this, 'hostReply', seq, text);
  }

  startTimer(id: number, delayMs: number): boolean {
    return this.#room.startTimer(this, id, delayMs);
  }

  overspent(): void {
    this.#room.over(this, 'hostCalls', false);
  }

  get call(): number {
    return this.#call;
  }

  get quick(): boolean {
    return this.#quick;
  }

  get active(): boolean {
    return this.#phase === 'call' || this.#phase === 'background';
  }

  get closed(): boolean {
    return this.#phase === 'closed';
  }

  /** The plug-in is loaded: calls may come. */
  ready(): void {
    this.#phase = 'idle';
  }

  /** Begin a call. False when the seat is not idle: the host is out of step. */
  begin({ type, call, value: wallMs, body: text }: CallFrame): boolean {
    const room = this.#room;
    if (room.ending || this.closed) return true;
    const isBusy = this.#phase !== 'idle';
    if (type === 'nextCall' && (isBusy || room.lastEntryMs > LONG_ENTRY_MS)) {
      room.send({ type: 'bounced', slot: this.slot, call });
      return true;
    }
    if (isBusy) return false;
    this.#call = call;
    // The runner's own thread must not wait for the one that is inside.
    this.#quick = type !== 'call' && !room.trimming && !room.shared;
    this.#asks.renew();
    this.#cpuBudget = room.plan.cpuMs;
    const now = performance.now();
    this.#wallEnd = now + wallMs;
    this.#phase = 'call';
    // Nobody can look at the clocks of a call that is over when its first entry is.
    if (this.#quick) this.meter.markThread(now);
    else this.#startClocks();
    room.enter(this, 'call', call, text);
    if (this.#quick && this.active) this.#startClocks();
    return true;
  }

  #startClocks(): void {
    this.meter.leaveThread();
    this.meter.markProcess();
    this.#room.watch();
  }

  /** Hand the answer of a host call in; late ones for an earlier call are dropped. */
  hostReply(call: number, seq: number, text: string): void {
    if (call === this.#call && this.active) this.enter(seq, text);
  }

  /** Look at the budgets of the call. `insideMs`: how long an entry of it has lasted, 0 when there is none. */
  check(now: number, insideMs: number): void {
    const { plan } = this.#room;
    const late = this.#phase === 'background' ? 'background' : null;
    if (this.meter.isOver(this.#cpuBudget)) this.#room.over(this, late ?? 'cpu', true);
    // A call that waits for a core holds nothing up.
    else if (insideMs > plan.entryTimeoutMs && this.meter.isProcessOver(this.#cpuBudget))
      this.#room.over(this, 'entry', true);
    else if (now > this.#wallEnd) this.#room.over(this, late ?? 'wall', false);
  }

  /** Say why the isolate, or this call in it, ends. */
  sendOver(cause: OverCause): void {
    const value = this.meter.spentMicros();
    this.sendAnswer();
    this.#room.send({ type: 'over', slot: this.slot, call: this.#call, value, body: cause });
  }

  /** The host gives the seat up. */
  dispose(): void {
    this.#room.close(this);
  }

  /** Nothing more comes from the call in it, and none comes to it. */
  end(now: number): void {
    if (this.closed) return;
    if (this.active) this.#endMicros = this.meter.spentMicros();
    this.#phase = 'closed';
    this.closedAt = now;
  }

  sendGone(): void {
    this.#room.send({ type: 'gone', slot: this.slot, value: this.#endMicros });
  }

  /** What the guest posted for this call. */
  onPost(kind: string, id: number, text: string): void {
    if (!this.active) return;
    switch (kind) {
      case 'reply':
      case 'threw':
        return this.#onAnswer(kind, id, text);
      case 'settled':
        return this.#onSettled(id);
      case 'host':
        return this.#asks.host(id, text);
      case 'log':
        return this.#asks.log(text);
      case 'timer':
        return this.#asks.timer(id, Number(text));
      case 'cancelTimer':
        return this.#room.cancelTimer(id);
      default:
    }
  }

  #onAnswer(type: 'reply' | 'threw', id: number, text: string): void {
    if (id !== this.#call || this.#phase !== 'call') return;
    const { plan, here } = this.#room;
    const most = type === 'reply' ? plan.replyChars : MAX_FAILURE_CHARS;
    if (text.length > most) return this.#room.over(this, 'tooLarge', false);
    const value = this.meter.spentMicros();
    const body = type === 'reply' ? replyJson(text) : text;
    if (body.length > most) return this.#room.over(this, 'tooLarge', false);
    this.#answer = { type, slot: this.slot, call: this.#call, value, body };
    if (!here) this.sendAnswer();
    this.#phase = 'background';
    this.#cpuBudget = value / 1_000 + plan.backgroundCpuMs;
    this.#wallEnd = performance.now() + plan.backgroundWallMs;
  }

  sendAnswer(): void {
    if (this.#answer) this.#room.send(this.#answer);
    this.#answer = null;
  }

  #onSettled(id: number): void {
    if (id !== this.#call || this.#phase !== 'background') return;
    this.#room.settled();
    this.#settled = true;
    this.finishWhenStill();
  }

  /** The call ends when its thread has left too: what it leaves running is charged to it and not to the next one. */
  finishWhenStill(): void {
    if (!this.#settled || this.entries > 0 || this.closed || !this.#room.mayFinish(this)) return;
    this.#settled = false;
    this.#sendEnd(this.meter.spentMicros());
    this.meter.settle();
    this.#call = 0;
    this.#phase = 'idle';
    this.#room.finished();
  }

  /** A reply whose call is over leaves in one frame with the end. */
  #sendEnd(value: number): void {
    const { slot } = this;
    const call = this.#call;
    const heapKb = this.#room.takeHeap();
    if (this.#answer?.type === 'reply' && heapKb === '') {
      this.#room.send({ type: 'done', slot, call, value, body: this.#answer.body });
      this.#answer = null;
      return;
    }
    this.sendAnswer();
    this.#room.send({ type: 'settled', slot, call, value, body: heapKb });
  }
}
