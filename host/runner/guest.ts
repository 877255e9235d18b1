/**
 * One isolate and the call in it: entries, posts, caps, and its end.
 * May import: runner.
 */
import type ivm from 'isolated-vm';
import { Allowance } from './allowance.ts';
import { createIsolate, type CachedScript, type Enter } from './boot.ts';
import type { DecodedFrame } from './codec.ts';
import { CpuMeter } from './cpu-meter.ts';
import { answerDigest, isDigestCall } from './digests.ts';
import type { FromRunner, OverCause, RunnerPlan } from './frames.ts';
import { loadFailure } from './load-failure.ts';
import { createLoading, type Loading } from './loading.ts';
import { readMessages, replyJson } from './messages.ts';
import { createGuestTimers } from './timers.ts';

/** What all isolates of a runner have in common. */
export interface GuestKit {
  readonly plan: RunnerPlan;
  readonly prelude: CachedScript;
  readonly main: CachedScript;
  send(frame: FromRunner): void;
  /** The isolate began to use time: the watchdog looks at it from now on. */
  watch(guest: Guest): void;
  /** The isolate is idle and worth trimming after a while. */
  mayTrim(guest: Guest): void;
  /** The isolate is gone; its slot is free. */
  forget(guest: Guest): void;
}

type Phase = 'loading' | 'idle' | 'call' | 'background' | 'dying' | 'gone';

/** Has no limit of its own in the plan. */
const MAX_FAILURE_CHARS = 16_384;
/** After a call that held the runner's own thread for longer, those that follow go back to the host, ms. */
const LONG_ENTRY_MS = 5;
const TOGETHER_MS = 32;
/** Calls after which an isolate has garbage enough to be trimmed again. */
const TRIM_EVERY_CALLS = 256;
/** The collection of a larger heap takes longer than a disposal may, bytes. */
const MAX_TRIM_BYTES = 16_777_216;

/** The frame that begins a call. */
type CallFrame = Pick<DecodedFrame, 'type' | 'call' | 'value' | 'body'>;
type Answer = FromRunner & { readonly type: 'reply' | 'threw' };

export class Guest {
  readonly slot: number;
  readonly #kit: GuestKit;
  readonly #isolate: ivm.Isolate;
  readonly #cpu: CpuMeter;
  readonly #timers = createGuestTimers((id) => this.#enter('timer', id, ''));
  #enterRef: Enter | null = null;
  #phase: Phase = 'loading';
  #call = 0;
  /** Entries of this call are made on the runner's own thread. */
  #quick = false;
  #served = 0;
  /** An entry on the runner's own thread is under way. */
  #here = false;
  /** Came in such an entry: it leaves at its end, with the end of the call if that came too. */
  #answer: Answer | null = null;
  /** How long the last entry on the runner's own thread took, ms. */
  #lastEntryMs = 0;
  #cpuBudget: number;
  #wallEnd: number;
  /** Entries under way: while there is one, a thread may be inside the isolate. */
  #entries = 0;
  /** When the oldest of them can have begun, monotonic ms. */
  #enteredAt = 0;
  readonly #allowance: Allowance;
  /** See `Trimmable`. */
  idleSince = 0;
  #trimming = false;
  /** Number of calls at which it was trimmed last. */
  #trimmedAt = -TRIM_EVERY_CALLS;
  /** The guest said that nothing of the call is left. */
  #settled = false;
  #heapKb = '';
  /** CPU of the call that the isolate ended with, microseconds. */
  #endMicros = 0;
  readonly #loading: Loading;

  constructor(slot: number, kit: GuestKit) {
    this.slot = slot;
    this.#kit = kit;
    this.#cpuBudget = kit.plan.loadCpuMs;
    this.#wallEnd = performance.now() + kit.plan.loadWallMs;
    this.#isolate = createIsolate(kit.plan.memoryMb, (text) => {
      kit.send({ type: 'catastrophe', slot, body: text.slice(0, 500) });
    });
    this.#cpu = new CpuMeter(this.#isolate);
    this.#allowance = new Allowance(kit.plan);
    this.#loading = createLoading(this.#isolate, kit, (...message) => this.#onPost(...message));
  }

  /** Run the prelude and the plug-in's script; answers with `opened` or `refused`. Never rejects. */
  async open(): Promise<void> {
    this.#kit.watch(this);
    this.#entries++;
    try {
      const { enter, rejected, handlers } = await this.#loading.run();
      this.#enterRef = enter;
      this.#cpu.restart();
      this.#setPhase('idle');
      this.#kit.send({ type: 'opened', slot: this.slot, value: rejected, body: handlers });
    } catch (error) {
      this.#loadFailed(error);
    } finally {
      this.#entries--;
      this.#goneWhenStill();
    }
  }

  #loadFailed(error: unknown): void {
    if (this.#phase === 'dying' || this.#phase === 'gone') return;
    if (this.#isolate.isDisposed) return this.over('memory');
    if (isTimeout(error)) return this.over('entry');
    this.#kit.send({ type: 'refused', slot: this.slot, body: loadFailure(error) });
    this.dispose();
  }

  /** Begin a call. False when the isolate is not idle: the host is out of step. */
  begin({ type, call, value: wallMs, body: text }: CallFrame): boolean {
    if (this.#phase === 'dying') return true;
    const isBusy = this.#phase !== 'idle';
    if (type === 'nextCall' && (isBusy || this.#lastEntryMs > LONG_ENTRY_MS)) {
      this.#kit.send({ type: 'bounced', slot: this.slot, call });
      return true;
    }
    if (isBusy) return false;
    this.#call = call;
    // The runner's own thread must not wait for the one that is inside.
    this.#quick = type !== 'call' && !this.#trimming;
    this.#allowance.renew();
    this.#cpuBudget = this.#kit.plan.cpuMs;
    const now = performance.now();
    this.#wallEnd = now + wallMs;
    this.#setPhase('call');
    // Nobody can look at the clocks of a call that is over when its first entry is.
    if (this.#quick) this.#cpu.markThread(now);
    else this.#startClocks();
    this.#enter('call', call, text);
    if (this.#quick && this.#active()) this.#startClocks();
    return true;
  }

  #startClocks(): void {
    this.#cpu.leaveThread();
    this.#cpu.markProcess();
    this.#kit.watch(this);
  }

  /** Hand the answer of a host call in; late ones for an earlier call are dropped. */
  hostReply(call: number, seq: number, text: string): void {
    if (call === this.#call && this.#active()) this.#enter('hostReply', seq, text);
  }

  /** Look at budgets; called every few ms while there is something to watch. False once there is not. */
  check(now: number): boolean {
    if (this.#phase === 'idle' || this.#phase === 'dying' || this.#phase === 'gone') return false;
    if (this.#isolate.isDisposed) this.over('memory');
    else if (this.#cpu.isOver(this.#cpuBudget))
      this.over(this.#phase === 'background' ? 'background' : 'cpu');
    else if (
      this.#active() &&
      this.#entries > 0 &&
      now - this.#enteredAt > this.#kit.plan.entryTimeoutMs &&
      // A call that waits for a core holds nothing up.
      this.#cpu.isProcessOver(this.#cpuBudget)
    )
      this.over('entry');
    else if (now > this.#wallEnd) this.over(this.#phase === 'background' ? 'background' : 'wall');
    return true;
  }

  /** A limit is broken: say so, then end the isolate. */
  over(cause: OverCause): void {
    if (this.#phase === 'dying' || this.#phase === 'gone') return;
    const value = this.#cpu.spentMicros();
    this.#sendAnswer();
    this.#kit.send({ type: 'over', slot: this.slot, call: this.#call, value, body: cause });
    this.dispose();
  }

  /** End the isolate; `gone` is sent once no thread is inside. Safe to repeat. */
  dispose(): void {
    if (this.#phase === 'dying' || this.#phase === 'gone') return;
    if (this.#active()) this.#endMicros = this.#cpu.spentMicros();
    this.#setPhase('dying');
    this.#timers.clear();
    this.#loading.stop();
    try {
      this.#isolate.dispose();
    } catch {
      // Already disposed by the memory limit.
    }
    this.#goneWhenStill();
  }

  #goneWhenStill(): void {
    if (this.#phase !== 'dying' || this.#entries > 0) return;
    this.#setPhase('gone');
    this.#kit.send({ type: 'gone', slot: this.slot, value: this.#endMicros });
    this.#kit.forget(this);
  }

  #enter(kind: string, id: number, text: string): void {
    const ref = this.#enterRef;
    if (!ref || this.#phase === 'dying' || this.#phase === 'gone') return;
    if (this.#entries++ === 0) this.#enteredAt = performance.now();
    if (this.#quick) return this.#enterHere(ref, kind, id, text);
    // isolated-vm's own timeout would wake a thread for every entry; `check` looks at the time instead.
    // oxlint-disable-next-line no-useless-call -- a Reference is no function: apply is its only way in
    ref.apply(undefined, [kind, id, text, false]).then(
      () => this.#left(),
      (error: unknown) => this.#left(error),
    );
  }

  /** On this thread: what the guest has to say is there when this returns. */
  #enterHere(ref: Enter, kind: string, id: number, text: string): void {
    const began = performance.now();
    let failure: unknown;
    this.#here = true;
    try {
      const timeout = together(began, this.#kit.plan.quickTimeoutMs);
      ref.applySync(undefined, [kind, id, text, true], { timeout });
    } catch (error) {
      failure = error ?? new Error('nothing was thrown');
      if (!this.#isolate.isDisposed && isTimeout(error)) this.over('entry');
    }
    if (this.#active() && !this.#isolate.isDisposed) this.#takeMessages(ref);
    this.#lastEntryMs = performance.now() - began;
    this.#left(failure);
    this.#here = false;
    this.#sendAnswer();
  }

  #takeMessages(ref: Enter): void {
    try {
      const all = ref.applySync(undefined, ['take', 0, '', false]);
      if (typeof all === 'string') readMessages(all, this.#onPost.bind(this));
    } catch {
      // The isolate is at its end: whoever looks at it next says so.
    }
  }

  /** An entry ended. A rejection that is not about a limit is the guest's own (an unhandled one): it harms only its call. */
  #left(error?: unknown): void {
    if (--this.#entries > 0) this.#enteredAt = performance.now();
    if (this.#phase === 'dying') this.#goneWhenStill();
    else if (error === undefined) this.#finishWhenStill();
    else if (this.#isolate.isDisposed) this.over('memory');
    else this.#finishWhenStill();
  }

  #onPost(kind: string, id: number, text: string): void {
    if (!this.#active()) return;
    switch (kind) {
      case 'reply':
      case 'threw':
        return this.#onAnswer(kind, id, text);
      case 'settled':
        return this.#onSettled(id);
      case 'host':
        return this.#onHostCall(id, text);
      case 'log':
        return this.#onLog(text);
      case 'timer':
        if (!this.#timers.start(id, Number(text))) this.over('hostCalls');
        return;
      case 'cancelTimer':
        return this.#timers.cancel(id);
      default:
    }
  }

  #onAnswer(type: 'reply' | 'threw', id: number, text: string): void {
    if (id !== this.#call || this.#phase !== 'call') return;
    const most = type === 'reply' ? this.#kit.plan.replyChars : MAX_FAILURE_CHARS;
    if (text.length > most) return this.over('tooLarge');
    const value = this.#cpu.spentMicros();
    const body = type === 'reply' ? replyJson(text) : text;
    if (body.length > most) return this.over('tooLarge');
    this.#answer = { type, slot: this.slot, call: this.#call, value, body };
    if (!this.#here) this.#sendAnswer();
    this.#setPhase('background');
    this.#cpuBudget = value / 1_000 + this.#kit.plan.backgroundCpuMs;
    this.#wallEnd = performance.now() + this.#kit.plan.backgroundWallMs;
  }

  #sendAnswer(): void {
    if (this.#answer) this.#kit.send(this.#answer);
    this.#answer = null;
  }

  #onSettled(id: number): void {
    if (id !== this.#call || this.#phase !== 'background') return;
    this.#timers.clear();
    this.#settled = true;
    this.#finishWhenStill();
  }

  /** The call ends when its thread has left too: what it leaves running is charged to it and not to the next one. */
  #finishWhenStill(): void {
    if (!this.#settled || this.#entries > 0) return;
    if (this.#looksDue()) {
      if (this.#quick) this.#lookAtHeapHere();
      else {
        void this.#lookAtHeap(); // never rejects, and comes back here
        return;
      }
    }
    this.#settled = false;
    const value = this.#cpu.spentMicros();
    this.#sendEnd(value);
    this.#heapKb = '';
    this.#cpu.settle();
    this.#call = 0;
    this.#served++;
    this.#setPhase('idle');
  }

  /** A reply whose call is over leaves in one frame with the end. */
  #sendEnd(value: number): void {
    const { slot } = this;
    const call = this.#call;
    if (this.#answer?.type === 'reply' && this.#heapKb === '') {
      this.#kit.send({ type: 'done', slot, call, value, body: this.#answer.body });
      this.#answer = null;
      return;
    }
    this.#sendAnswer();
    this.#kit.send({ type: 'settled', slot, call, value, body: this.#heapKb });
  }

  #onHostCall(seq: number, text: string): void {
    if (isDigestCall(text)) return this.#onDigest(seq, text);
    if (!this.#allowance.hostCall(text.length)) return this.over('hostCalls');
    this.#kit.send({ type: 'host', slot: this.slot, call: this.#call, value: seq, body: text });
  }

  #onDigest(seq: number, text: string): void {
    if (!this.#allowance.digest(text.length)) return this.over('hostCalls');
    const call = this.#call;
    // Not at once: the guest's next digest would be answered inside this one, and so on.
    if (this.#quick) setImmediate(() => this.hostReply(call, seq, answerDigest(text)));
    else this.#enter('hostReply', seq, answerDigest(text));
  }

  #onLog(text: string): void {
    const fate = this.#allowance.logLine(text.length);
    if (fate === 'dropped') return;
    const body = fate === 'sent' ? text : '';
    this.#kit.send({ type: 'log', slot: this.slot, call: this.#call, value: 0, body });
  }

  /** Let V8 collect what is not needed any more, on another thread. Never rejects. */
  async trim(): Promise<void> {
    const ref = this.#enterRef;
    if (!ref || this.#phase !== 'idle' || this.#trimming) return;
    this.#trimmedAt = this.#served;
    this.#trimming = true;
    if (this.#entries++ === 0) this.#enteredAt = performance.now();
    let failure: unknown;
    try {
      if (this.#isolate.getHeapStatisticsSync().total_heap_size <= MAX_TRIM_BYTES)
        // oxlint-disable-next-line no-useless-call -- a Reference is no function: apply is its only way in
        await ref.apply(undefined, ['trim', 0, '', false]);
    } catch (error) {
      // Disposed meanwhile.
      failure = error;
    }
    this.#trimming = false;
    // A call that came meanwhile has waited for its turn: none of this is its CPU time.
    if (!this.#isolate.isDisposed) this.#cpu.settle();
    this.#left(failure);
  }

  /** The heap is looked at as the call leaves it: it costs a trip into the isolate, so not at every call. */
  #looksDue(): boolean {
    return this.#heapKb === '' && (this.#served + 1) % this.#kit.plan.heapEvery === 0;
  }

  /** Heap and external memory in KiB go out with `settled`. Never rejects. */
  async #lookAtHeap(): Promise<void> {
    if (this.#entries++ === 0) this.#enteredAt = performance.now();
    let failure: unknown;
    try {
      this.#heapKb = kibOf(await this.#isolate.getHeapStatistics());
    } catch (error) {
      // The isolate was disposed meanwhile; it is looked at once, whatever comes of it.
      this.#heapKb = '0';
      failure = error;
    }
    this.#left(failure);
  }

  #lookAtHeapHere(): void {
    try {
      this.#heapKb = kibOf(this.#isolate.getHeapStatisticsSync());
    } catch {
      this.#heapKb = '0';
    }
  }

  #active(): boolean {
    return this.#phase === 'call' || this.#phase === 'background';
  }

  /** The only writer of the phase, so that narrowing never outlives a call that changes it. */
  #setPhase(phase: Phase): void {
    this.#phase = phase;
    const isWorth = phase === 'idle' && this.#served - this.#trimmedAt >= TRIM_EVERY_CALLS;
    this.idleSince = isWorth ? performance.now() : 0;
    if (isWorth) this.#kit.mayTrim(this);
  }
}

function kibOf(heap: ivm.HeapStatistics): string {
  const bytes = heap.used_heap_size + heap.externally_allocated_size;
  return String(Math.ceil(bytes / 1_024));
}

/** A limit of at least `ms` that ends with those of other entries: isolated-vm wakes a thread for each end by itself. */
function together(now: number, ms: number): number {
  return ms + TOGETHER_MS - (Math.floor(now) % TOGETHER_MS);
}

function isTimeout(error: unknown): boolean {
  return error instanceof Error && error.message.startsWith('Script execution timed out');
}
