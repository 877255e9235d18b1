/**
 * One isolate and the call in it: entries, posts, caps, and its end.
 * May import: runner.
 */
import type ivm from 'isolated-vm';
import {
  createGuestContext,
  createIsolate,
  runScript,
  takeEnter,
  type CachedScript,
  type Enter,
} from './boot.ts';
import type { DecodedFrame } from './codec.ts';
import { answerDigest, isDigestCall } from './digests.ts';
import type { FromRunner, OverCause, RunnerPlan } from './frames.ts';
import { createGuestTimers } from './timers.ts';

/** What all isolates of a runner have in common. */
export interface GuestKit {
  readonly plan: RunnerPlan;
  readonly prelude: CachedScript;
  readonly main: CachedScript;
  send(frame: FromRunner): void;
  /** The isolate began to use time: the watchdog looks at it from now on. */
  watch(guest: Guest): void;
  /** The isolate is gone; its slot is free. */
  forget(guest: Guest): void;
}

type Phase = 'loading' | 'idle' | 'call' | 'background' | 'dying' | 'gone';

/** Bounds for texts that have no limit of their own in the plan. */
const MAX_FAILURE_CHARS = 16_384;
const MAX_LOG_CHARS = 16_384;
/** What one call may have digested: the runner's own thread does it, which all guests share. */
const MAX_DIGESTS = 10_000;
const MAX_DIGEST_CHARS = 33_554_432;

/** The frame that begins a call. */
type CallFrame = Pick<DecodedFrame, 'type' | 'call' | 'value' | 'body'>;

export class Guest {
  readonly slot: number;
  readonly #kit: GuestKit;
  readonly #isolate: ivm.Isolate;
  readonly #timers = createGuestTimers((id) => this.#enter('timer', id, ''));
  #enterRef: Enter | null = null;
  #phase: Phase = 'loading';
  #call = 0;
  /** Entries of this call are made on the runner's own thread. */
  #quick = false;
  #served = 0;
  /** CPU of the isolate when the present budget began, ms. */
  #cpuMark = 0;
  /** CPU of this process at that time, ms. */
  #processMark = processCpu();
  #cpuBudget: number;
  #wallEnd: number;
  /** Entries under way: while there is one, a thread may be inside the isolate. */
  #entries = 0;
  /** When the oldest of them can have begun, monotonic ms. */
  #enteredAt = 0;
  #hostCalls = 0;
  #hostChars = 0;
  #digests = 0;
  #digestChars = 0;
  #logLines = 0;
  /** The guest said that nothing of the call is left. */
  #settled = false;
  #heapKb = '';
  #rejected = 0;
  #loaded: ((error: Error | null) => void) | null = null;
  #handlers = '[]';

  constructor(slot: number, kit: GuestKit) {
    this.slot = slot;
    this.#kit = kit;
    this.#cpuBudget = kit.plan.loadCpuMs;
    this.#wallEnd = performance.now() + kit.plan.loadWallMs;
    this.#isolate = createIsolate(kit.plan.memoryMb, (text) => {
      kit.send({ type: 'catastrophe', slot, body: text.slice(0, 500) });
    });
  }

  /** Run the prelude and the plug-in's script; answers with `opened` or `refused`. Never rejects. */
  async open(): Promise<void> {
    this.#kit.watch(this);
    this.#entries++;
    try {
      await this.#load();
      this.#cpuMark = this.#cpu();
      this.#setPhase('idle');
      this.#kit.send({
        type: 'opened',
        slot: this.slot,
        value: this.#rejected,
        body: this.#handlers,
      });
    } catch (error) {
      this.#loadFailed(error);
    } finally {
      this.#entries--;
      this.#goneWhenStill();
    }
  }

  async #load(): Promise<void> {
    const { plan, prelude, main } = this.#kit;
    const isolate = this.#isolate;
    const post = (kind: unknown, id: unknown, text: unknown): void => this.#onPost(kind, id, text);
    const context = await createGuestContext(isolate, post);
    if (await runScript(isolate, context, prelude, plan.loadWallMs)) this.#rejected |= 1;
    this.#enterRef = await takeEnter(context);
    if (await runScript(isolate, context, main, plan.loadWallMs)) this.#rejected |= 2;
    const loaded = new Promise<void>((resolve, reject) => {
      this.#loaded = (error) => (error ? reject(error) : resolve());
    });
    this.#enter('load', 0, plan.setup);
    await loaded;
  }

  #loadFailed(error: unknown): void {
    if (this.#phase === 'dying' || this.#phase === 'gone') return;
    if (this.#isolate.isDisposed) return this.over('memory');
    const body =
      error instanceof Error ? error.message : 'the script threw something that is no error';
    if (isTimeout(error)) return this.over('entry');
    this.#kit.send({ type: 'refused', slot: this.slot, body: body.slice(0, 1_000) });
    this.dispose();
  }

  /** Begin a call. False when the isolate is not idle: the host is out of step. */
  begin({ type, call, value: wallMs, body: text }: CallFrame): boolean {
    if (this.#phase !== 'idle') return this.#phase === 'dying';
    this.#call = call;
    this.#quick = type === 'quickCall';
    this.#hostCalls = this.#hostChars = this.#logLines = 0;
    this.#digests = this.#digestChars = 0;
    this.#cpuBudget = this.#kit.plan.cpuMs;
    this.#processMark = processCpu();
    this.#enteredAt = performance.now();
    this.#wallEnd = this.#enteredAt + wallMs;
    this.#setPhase('call');
    this.#kit.watch(this);
    this.#enter('call', call, text);
    return true;
  }

  /** Hand the answer of a host call in; late ones for an earlier call are dropped. */
  hostReply(call: number, seq: number, text: string): void {
    if (call === this.#call && this.#active()) this.#enter('hostReply', seq, text);
  }

  /** Look at budgets; called every few ms while there is something to watch. False once there is not. */
  check(now: number): boolean {
    if (this.#phase === 'idle' || this.#phase === 'dying' || this.#phase === 'gone') return false;
    if (this.#isolate.isDisposed) this.over('memory');
    else if (this.#overCpu()) this.over(this.#phase === 'background' ? 'background' : 'cpu');
    else if (
      this.#active() &&
      this.#entries > 0 &&
      now - this.#enteredAt > this.#kit.plan.entryTimeoutMs
    )
      this.over('entry');
    else if (now > this.#wallEnd) this.over(this.#phase === 'background' ? 'background' : 'wall');
    return true;
  }

  /** A limit is broken: say so, then end the isolate. */
  over(cause: OverCause): void {
    if (this.#phase === 'dying' || this.#phase === 'gone') return;
    const value = this.#spentMicros();
    this.#kit.send({ type: 'over', slot: this.slot, call: this.#call, value, body: cause });
    this.dispose();
  }

  /** End the isolate; `gone` is sent once no thread is inside. Safe to repeat. */
  dispose(): void {
    if (this.#phase === 'dying' || this.#phase === 'gone') return;
    this.#setPhase('dying');
    this.#timers.clear();
    this.#loaded?.(new Error('disposed'));
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
    this.#kit.send({ type: 'gone', slot: this.slot });
    this.#kit.forget(this);
  }

  #enter(kind: string, id: number, text: string): void {
    const ref = this.#enterRef;
    if (!ref || this.#phase === 'dying' || this.#phase === 'gone') return;
    if (this.#entries++ === 0) this.#enteredAt = performance.now();
    if (this.#quick) return this.#enterHere(ref, kind, id, text);
    // isolated-vm's own timeout would wake a thread for every entry; `check` looks at the time instead.
    // oxlint-disable-next-line no-useless-call -- a Reference is no function: apply is its only way in
    ref.apply(undefined, [kind, id, text]).then(
      () => this.#left(),
      (error: unknown) => this.#left(error),
    );
  }

  /** Posts of the guest arrive after this has returned, as for any other entry. */
  #enterHere(ref: Enter, kind: string, id: number, text: string): void {
    try {
      ref.applySync(undefined, [kind, id, text], { timeout: this.#kit.plan.quickTimeoutMs });
      this.#left();
    } catch (error) {
      if (!this.#isolate.isDisposed && isTimeout(error)) this.over('entry');
      this.#left(error);
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

  #onPost(kind: unknown, id: unknown, text: unknown): void {
    if (typeof kind !== 'string' || typeof id !== 'number' || typeof text !== 'string') return;
    if (this.#phase === 'loading') return this.#onLoadPost(kind, text);
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

  #onLoadPost(kind: string, text: string): void {
    if (kind === 'refused') this.#loaded?.(new Error(text.slice(0, 1_000)));
    if (kind !== 'loaded' || text.length > 200) return;
    this.#handlers = text;
    this.#loaded?.(null);
  }

  #onAnswer(type: 'reply' | 'threw', id: number, text: string): void {
    if (id !== this.#call || this.#phase !== 'call') return;
    if (text.length > (type === 'reply' ? this.#kit.plan.replyChars : MAX_FAILURE_CHARS))
      return this.over('tooLarge');
    const value = this.#spentMicros();
    this.#kit.send({ type, slot: this.slot, call: this.#call, value, body: text });
    this.#setPhase('background');
    this.#cpuBudget = value / 1_000 + this.#kit.plan.backgroundCpuMs;
    this.#wallEnd = performance.now() + this.#kit.plan.backgroundWallMs;
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
      void this.#lookAtHeap(); // never rejects, and comes back here
      return;
    }
    this.#settled = false;
    const value = this.#spentMicros();
    const body = this.#heapKb;
    this.#kit.send({ type: 'settled', slot: this.slot, call: this.#call, value, body });
    this.#heapKb = '';
    this.#cpuMark += value / 1_000;
    this.#call = 0;
    this.#served++;
    this.#setPhase('idle');
  }

  #onHostCall(seq: number, text: string): void {
    if (isDigestCall(text)) return this.#onDigest(seq, text);
    const { plan } = this.#kit;
    this.#hostChars += text.length;
    if (++this.#hostCalls > plan.hostCalls || this.#hostChars > plan.hostCallBytes)
      return this.over('hostCalls');
    this.#kit.send({ type: 'host', slot: this.slot, call: this.#call, value: seq, body: text });
  }

  #onDigest(seq: number, text: string): void {
    this.#digestChars += text.length;
    if (++this.#digests > MAX_DIGESTS || this.#digestChars > MAX_DIGEST_CHARS)
      return this.over('hostCalls');
    this.#enter('hostReply', seq, answerDigest(text));
  }

  #onLog(text: string): void {
    if (++this.#logLines > this.#kit.plan.logLines || text.length > MAX_LOG_CHARS) return;
    this.#kit.send({ type: 'log', slot: this.slot, call: this.#call, value: 0, body: text });
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
      const heap = await this.#isolate.getHeapStatistics();
      const bytes = heap.used_heap_size + heap.externally_allocated_size;
      this.#heapKb = String(Math.ceil(bytes / 1_024));
    } catch (error) {
      // The isolate was disposed meanwhile; it is looked at once, whatever comes of it.
      this.#heapKb = '0';
      failure = error;
    }
    this.#left(failure);
  }

  #active(): boolean {
    return this.#phase === 'call' || this.#phase === 'background';
  }

  /** The only writer of the phase, so that narrowing never outlives a call that changes it. */
  #setPhase(phase: Phase): void {
    this.#phase = phase;
  }

  /**
   * While a thread is inside, isolated-vm counts the time that passes and not the CPU: on a busy machine an honest
   * call would be over its budget by waiting. No isolate can have used more than its process did.
   */
  #overCpu(): boolean {
    const budget = this.#cpuBudget;
    return this.#cpu() - this.#cpuMark > budget && processCpu() - this.#processMark > budget;
  }

  /** CPU of the isolate so far in ms; 0 for one that is disposed. */
  #cpu(): number {
    try {
      return Number(this.#isolate.cpuTime) / 1e6;
    } catch {
      return 0;
    }
  }

  #spentMicros(): number {
    return Math.max(0, Math.round((this.#cpu() - this.#cpuMark) * 1_000));
  }
}

/** CPU of this process so far, ms. */
function processCpu(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1_000;
}

function isTimeout(error: unknown): boolean {
  return error instanceof Error && error.message.startsWith('Script execution timed out');
}
