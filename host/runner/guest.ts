/**
 * One isolate: how it is loaded, entered and ended. What happens to the calls in it is in `seat.ts`.
 * May import: runner.
 */
import type ivm from 'isolated-vm';
import { CpuMeter, EntryMeter } from './cpu-meter.ts';
import { Entrance, isTimeout, type Doorkeeper } from './entrance.ts';
import { openedValue, type FromRunner, type OverCause, type RunnerPlan } from './frames.ts';
import type { GuestKit } from './kit.ts';
import { Heap } from './heap.ts';
import { loadFailure } from './load-failure.ts';
import { createLoading, type Loading } from './loading.ts';
import { Seat, type Room } from './seat.ts';
import { Voices } from './voices.ts';

type State = 'loading' | 'open' | 'dying' | 'gone';

/** A thread that is inside for a call which was ended has so long to leave before the isolate is ended with all its calls, ms. */
const LEAVE_MS = 20;

export class Guest implements Room, Doorkeeper {
  readonly #kit: GuestKit;
  readonly #slot: number;
  readonly #isolate: ivm.Isolate;
  readonly #cpu: CpuMeter;
  readonly #loading: Loading;
  readonly #voices: Voices;
  readonly #entrance: Entrance;
  readonly #heap: Heap;
  readonly shared: boolean;
  /** Places for calls; those that are empty for ever leave. */
  readonly #seats: Seat[];
  readonly #first: Seat;
  #state: State = 'loading';
  #isLoaded = false;
  readonly #loadEnd: number;

  /** An isolate whose calls have the slots from `slot` on, `seats` in number. */
  constructor(slot: number, seats: number, kit: GuestKit) {
    const { plan } = kit;
    this.#slot = slot;
    this.#kit = kit;
    this.shared = seats > 1;
    this.#loadEnd = performance.now() + plan.loadWallMs;
    const blank = kit.blanks.take(plan.memoryMb);
    this.#isolate = blank.isolate;
    this.#cpu = new CpuMeter(this.#isolate);
    this.#entrance = new Entrance(this.#isolate, this, { ...plan, shared: this.shared });
    this.#heap = this.#createHeap();
    this.#seats = Array.from({ length: seats }, (_, at) => {
      return new Seat(slot + at, this, this.shared ? new EntryMeter(this.#isolate) : this.#cpu);
    });
    this.#first = this.#seats[0] as Seat;
    this.#voices = new Voices(this.#seats, (seat, id) => this.enter(seat, 'timer', id, ''));
    this.#loading = createLoading(blank, kit, {
      // What is the same for all plug-ins is charged to nobody.
      onOwned: () => this.#cpu.restart(),
      onMessage: (...message) => this.onPost(...message),
      onCatastrophe: (text) => this.#onCatastrophe(text),
    });
  }

  #onCatastrophe(text: string): void {
    const slot = this.#entrance.inside?.slot ?? this.#slot;
    this.#kit.send({ type: 'catastrophe', slot, body: text.slice(0, 500) });
  }

  #createHeap(): Heap {
    return new Heap(this.#isolate, this.#entrance, {
      every: this.plan.heapEvery,
      isBusy: () => this.#state !== 'open' || this.#seats.some((seat) => seat.active),
      mayTrim: () => this.#kit.mayTrim(this),
      // A call that came meanwhile has waited for its turn: none of this is its CPU time.
      onTrimmed: () => {
        if (!this.#isolate.isDisposed) this.#cpu.settle();
      },
      onLeft: (failure) => this.onLeft(null, failure),
    });
  }

  get plan(): RunnerPlan {
    return this.#kit.plan;
  }

  get ending(): boolean {
    return this.#state === 'dying' || this.#state === 'gone';
  }

  get trimming(): boolean {
    return this.#heap.trimming;
  }

  get idleSince(): number {
    return this.#heap.idleSince;
  }

  get here(): boolean {
    return this.#entrance.here;
  }

  get lastEntryMs(): number {
    return this.#entrance.lastEntryMs;
  }

  /** Run the prelude and the plug-in's script; answers with `opened` or `refused`. Never rejects. */
  async open(): Promise<void> {
    this.#kit.place(this.#first);
    this.watch();
    this.#entrance.occupy();
    try {
      const { enter, rejected, handlers } = await this.#loading.run();
      this.#entrance.open(enter);
      const value = openedValue(rejected, this.#cpu.spentMicros());
      this.#cpu.restart();
      this.#state = 'open';
      this.#isLoaded = true;
      for (const seat of this.#seats) {
        seat.ready();
        this.#kit.place(seat);
      }
      this.#heap.noteIdle(0);
      this.send({ type: 'opened', slot: this.#slot, value, body: handlers });
      this.#kit.blanks.opened(this.plan.memoryMb);
    } catch (error) {
      this.#loadFailed(error);
    } finally {
      this.#entrance.vacate();
      this.#goneWhenStill();
    }
  }

  #loadFailed(error: unknown): void {
    if (this.ending) return;
    if (this.#isolate.isDisposed) return this.#full();
    if (isTimeout(error)) return this.over(this.#first, 'entry', true);
    const value = this.#cpu.spentMicros();
    this.send({ type: 'refused', slot: this.#slot, value, body: loadFailure(error) });
    this.dispose();
  }

  send(frame: FromRunner): void {
    this.#kit.send(frame);
  }

  watch(): void {
    this.#kit.watch(this);
  }

  /** Look at budgets; called every few ms while there is something to watch. False once there is not. */
  check(now: number): boolean {
    if (this.ending) return false;
    const { inside } = this.#entrance;
    const isBusy = this.#seats.some((seat) => seat.active) || inside !== null;
    if (this.#state === 'open' && !isBusy) return false;
    if (this.#isolate.isDisposed) this.#full();
    else if (this.#state === 'loading') this.#checkLoading(now);
    else if (inside?.closed && now - inside.closedAt > LEAVE_MS) this.#endForAll(inside);
    else this.#checkSeats(now);
    return true;
  }

  #checkLoading(now: number): void {
    if (this.#cpu.isOver(this.plan.loadCpuMs)) this.over(this.#first, 'cpu', true);
    else if (now > this.#loadEnd) this.over(this.#first, 'wall', true);
  }

  #checkSeats(now: number): void {
    for (const seat of this.#seats.slice())
      if (seat.active) seat.check(now, this.#entrance.insideMs(seat, now));
  }

  /** V8 ended the isolate, most likely for the call whose entry is under way. */
  #full(): void {
    const seat = this.#entrance.inside ?? this.#seats.find(({ active }) => active) ?? this.#first;
    if (seat.closed) this.#endForAll(seat);
    else this.over(seat, 'memory', true);
  }

  over(seat: Seat, cause: OverCause, endsAll: boolean): void {
    if (this.ending || seat.closed) return;
    seat.sendOver(cause);
    if (endsAll) this.#endForAll(seat);
    else this.close(seat);
  }

  /** Other calls of the isolate end with it, through no fault of theirs. */
  #endForAll(culprit: Seat): void {
    if (this.#state === 'open')
      for (const seat of this.#seats)
        if (seat !== culprit && !seat.closed) seat.sendOver('neighbour');
    this.dispose();
  }

  close(seat: Seat): void {
    if (this.ending || seat.closed) return;
    const isLast = this.#seats.every((one) => one === seat || one.closed);
    if (isLast || this.#state === 'loading') return this.dispose();
    this.#voices.endTimers(seat.call);
    this.#entrance.drop(seat);
    seat.end(performance.now());
    if (this.#entrance.inside !== seat) this.#leave(seat);
  }

  /** A closed seat is empty. */
  #leave(seat: Seat): void {
    this.#seats.splice(this.#seats.indexOf(seat), 1);
    seat.sendGone();
    this.#kit.vacate(seat.slot);
  }

  /** End the isolate; `gone` is sent once no thread is inside. Safe to repeat. */
  dispose(): void {
    if (this.ending) return;
    for (const seat of this.#seats) seat.end(performance.now());
    this.#state = 'dying';
    this.#heap.idleSince = 0;
    this.#voices.endTimers();
    this.#entrance.drop(null);
    this.#loading.stop();
    try {
      this.#isolate.dispose();
    } catch {
      // Already disposed by the memory limit.
    }
    this.#goneWhenStill();
  }

  #goneWhenStill(): void {
    if (this.#state !== 'dying' || !this.#entrance.isStill) return;
    this.#state = 'gone';
    // Before it was loaded the host knows of the first one only.
    for (const seat of this.#isLoaded ? this.#seats.slice() : [this.#first]) this.#leave(seat);
    this.#kit.forget(this);
  }

  enter(seat: Seat, kind: string, id: number, text: string): void {
    if (this.#state !== 'open') return;
    this.#heap.idleSince = 0;
    this.#entrance.enter(seat, kind, id, text);
  }

  onTurn(seat: Seat): void {
    this.#voices.speakFor(seat);
  }

  onTimeout(seat: Seat): void {
    this.over(seat, 'entry', true);
  }

  /** A rejection that is not about a limit is the guest's own (an unhandled one): it harms only its call. */
  onLeft(seat: Seat | null, error?: unknown): void {
    if (this.#state === 'dying') this.#goneWhenStill();
    else if (error !== undefined && this.#isolate.isDisposed) this.#full();
    else if (seat?.closed) this.#leave(seat);
    else seat?.finishWhenStill();
  }

  onPost(kind: string, id: number, text: string): void {
    this.#voices.onPost(kind, id, text);
  }

  startTimer(seat: Seat, id: number, delayMs: number): boolean {
    return this.#voices.startTimer(seat, id, delayMs);
  }

  cancelTimer(id: number): void {
    this.#voices.cancelTimer(id);
  }

  settled(): void {
    this.#voices.settled();
  }

  mayFinish(seat: Seat): boolean {
    return this.#heap.mayFinish(seat);
  }

  takeHeap(): string {
    return this.#heap.take();
  }

  finished(): void {
    this.#heap.noteIdle(1);
  }

  async trim(): Promise<void> {
    await this.#heap.trim();
  }
}
