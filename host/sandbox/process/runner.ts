/**
 * One runner process as the host sees it: its state, isolates, pings and memory.
 * May import: kernel, runner's frame protocol.
 */
import type { DecodedFrame } from '../../runner/codec.ts';
import type { ToRunner } from '../../runner/frames.ts';
import { openChild, type ChildLink } from './child-link.ts';
import { openMemoryGauge, type MemoryGauge } from './memory.ts';
import type { ThreadGauge } from './priority.ts';
import type { Group, Lane, Slot } from '../calls/records.ts';
import type { RunnerStatus } from '../sandbox.ts';
import type { Spawner } from './spawn.ts';

/** Why a runner was lost: what the calls in it are told, and whether they are to blame. */
export type LossKind =
  | 'ended'
  | 'memory'
  | 'wedged'
  | 'heartbeat'
  | 'catastrophe'
  | 'protocol'
  | 'retired';

export interface Loss {
  readonly kind: LossKind;
  readonly reason: string;
  /** The isolate that is known to be the cause. */
  readonly culprit: Slot | null;
}

export interface RunnerEvents {
  onReady(runner: Runner): void;
  /** Any frame but `ready` and `pong`. */
  onFrame(runner: Runner, frame: DecodedFrame): void;
  /** The answer to ping number `value` came. */
  onPong(runner: Runner, value: number): void;
  /** Called once; the process is dead or dying. */
  onLost(runner: Runner, loss: Loss): void;
}

export class Runner {
  readonly startedAt: number;
  readonly slots = new Map<number, Slot>();
  /** Slots that are opening, busy or dying: what the ladder looks at. */
  readonly active = new Set<Slot>();
  isolates = 0;
  /** How many slots each lane has here. */
  readonly lanes = new Map<Lane, number>();
  group: Group | null = null;
  state: RunnerStatus['state'] = 'starting';
  /** RSS before it had work, bytes. */
  baseline = 0;
  calls = 0;
  /** Isolates that were ended at work and have not come to rest: while there are any, it may be lost. */
  brokenOff = 0;
  lastUsed: number;
  /** It has the plug-in's script and not yet its code cache. */
  wantsCache = false;
  /** What its isolates compute, while that may be much; see `yielding.ts`. */
  gauge: ThreadGauge | null = null;
  gaugeSince = 0;
  gaugeDue = 0;
  /** Until when it runs at a lower priority than others, monotonic ms; 0 while it does not. */
  lowUntil = 0;
  readonly #link: ChildLink;
  readonly #now: () => number;
  #memory: MemoryGauge | null = null;
  #loss: Loss | null = null;
  #nextSlot = 1;
  #ping = 0;
  #pingAt = 0;

  constructor(spawner: Spawner, program: string, now: () => number, events: RunnerEvents) {
    this.#now = now;
    this.startedAt = this.lastUsed = now();
    this.#link = openChild(spawner, program, {
      onFrame: (frame) => this.#onFrame(frame, events),
      onLost: (reason, broken) => {
        this.state = 'dead';
        this.#memory?.[Symbol.dispose]();
        events.onLost(
          this,
          this.#loss ?? { kind: broken ? 'protocol' : 'ended', reason, culprit: null },
        );
      },
    });
  }

  get pid(): number {
    return this.#link.innerPid();
  }

  get gone(): Promise<void> {
    return this.#link.gone;
  }

  get alive(): boolean {
    return this.state !== 'dead';
  }

  /** May take further isolates. */
  get open(): boolean {
    return this.state === 'serving';
  }

  get memory(): MemoryGauge | null {
    return this.#memory;
  }

  /** When the unanswered ping was sent, monotonic ms; 0 for none. */
  get pingAt(): number {
    return this.#pingAt;
  }

  send(frame: ToRunner): void {
    this.#link.send(frame);
  }

  limit(maxBytes: number): void {
    this.#link.limit(maxBytes);
  }

  /** The first of so many numbers in a row. */
  nextSlots(count: number): number {
    const first = this.#nextSlot;
    this.#nextSlot += count;
    return first;
  }

  /** SIGKILL; `onLost` is called before this returns. Only the first loss counts. */
  kill(loss: Loss): void {
    if (!this.alive) return;
    this.#loss ??= loss;
    this.#link.kill(loss.reason);
  }

  /** Ask whether it still listens; returns the number of the ping that is out. */
  ping(): number {
    if (this.#pingAt === 0) {
      this.#pingAt = this.#now();
      this.send({ type: 'ping', value: ++this.#ping });
    }
    return this.#ping;
  }

  status(): RunnerStatus {
    const { group } = this;
    const bundle = group && [...this.lanes.keys()][0]?.fleet.bundle;
    return {
      pid: this.pid,
      state: this.state,
      plugin: bundle?.plugin ?? null,
      version: bundle?.version ?? null,
      isolates: this.isolates,
      inFlight: [...this.active].reduce(
        (sum, slot) => sum + (slot.call ? 1 + slot.next.length : 0),
        0,
      ),
      rssBytes: this.#memory?.read() ?? 0,
    };
  }

  #onFrame(frame: DecodedFrame, events: RunnerEvents): void {
    if (frame.type === 'ready' && this.state === 'starting') {
      this.state = 'spare';
      this.#memory = openMemoryGauge(this.pid, this.#now);
      this.baseline = this.#memory.read();
      events.onReady(this);
    } else if (frame.type === 'pong' && this.#pingAt > 0 && frame.value === this.#ping) {
      this.#pingAt = 0;
      events.onPong(this, frame.value);
    } else if (this.state === 'serving' || this.state === 'draining') {
      events.onFrame(this, frame);
    } else {
      this.kill({ kind: 'protocol', reason: `unexpected ${frame.type}`, culprit: null });
    }
  }
}
