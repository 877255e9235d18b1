/**
 * What the rooms of the sandbox share: calls, isolates, lanes and fleets as plain records.
 * May import: kernel, quotas.
 *
 * A fleet serves one version of a plug-in. Each org has a lane in it: its isolates (slots) and waiting calls.
 * A group is the runners that a lane may use: the fleet's shared ones, or runners of the lane's own.
 */
import type { Breaker } from './breaker.ts';
import type { Runner } from '../process/runner.ts';
import type { GuestBundle, Invocation, Outcome } from '../sandbox.ts';

export interface Call {
  /** Number on the wire; unique within the host for as long as it matters. */
  readonly id: number;
  /** Null for a probe, which only wants to know whether the plug-in loads, and for a warm-up. */
  readonly invocation: Invocation | null;
  /** The org's own lane: whom the call is charged to, wherever it runs. */
  readonly lane: Lane;
  readonly settle: (outcome: Outcome) => void;
  /** When it was asked for, monotonic ms. */
  readonly queuedAt: number;
  /** When the caller needs an answer, monotonic ms. */
  readonly dueAt: number;
  /** When it was handed to an isolate; 0 while it waits. */
  startedAt: number;
  /** The earlier of `dueAt` and start plus `wallMs`. */
  deadline: number;
  /** Pid of the runner it was handed to; 0 while it waits. */
  pid: number;
  /** The isolate was made for this call. */
  cold: boolean;
  retried: boolean;
  /** It was sent to run on the runner's own thread. */
  quick: boolean;
  /** It was sent, at some time, to an isolate that was at work with another call; that is done once. */
  piped: boolean;
  answered: boolean;
  hostCalls: number;
  /** Host calls without an answer yet. */
  hostWaiting: number;
  /** It has started a timer. */
  waits: boolean;
  hostBytes: number;
  logLines: number;
  /** CPU time that the caller was told of, ms. */
  chargedMs: number;
  /** Made at the first host call; fires when nothing of the call is left. */
  aborter: AbortController | null;
}

/**
 * `opening`: the plug-in is being loaded. `background`: the caller has the reply, work goes on.
 * `dying`: told to dispose, or says that it did; `gone` is awaited.
 */
export type SlotState = 'opening' | 'idle' | 'busy' | 'background' | 'dying';

/** What the places of one isolate have in common. */
export interface Isolate {
  /** Those that are left; the isolate is gone with the last one. */
  readonly slots: Set<Slot>;
  /** No further calls: each place ends when its call has. */
  ending: boolean;
  /** Calls that ended in it. */
  served: number;
  /** Heap that the runner reported last, KiB; a hint, since runners may lie. */
  heapKb: number;
}

/** A place for a call in an isolate; most isolates have one. */
export interface Slot {
  readonly number: number;
  readonly runner: Runner;
  readonly lane: Lane;
  readonly isolate: Isolate;
  readonly openedAt: number;
  state: SlotState;
  /** The plug-in is loaded in it, or was. */
  loaded: boolean;
  call: Call | null;
  /** The call that the host ended with the isolate: how much CPU it used is known when the isolate is gone. */
  ended: Call | null;
  /** Calls that the runner has already and begins after `call`, in this order. */
  readonly next: Call[];
  /** When the present state is overdue, monotonic ms. Not used while busy: the call knows. */
  stateEnd: number;
  /** Ping whose answer starts the clock of a dying isolate; 0 for none. */
  awaitsPing: number;
  idleSince: number;
  /** It was ended at work: until its thread has left it, its runner may be lost. */
  brokenOff: boolean;
  /** JSON array of handler names. */
  handlers: string;
}

export interface Group {
  readonly runners: Set<Runner>;
  /** Whether only one lane uses it. */
  readonly own: boolean;
  /** A runner on its way. */
  starting: Promise<Runner> | null;
}

export interface Lane {
  readonly org: string;
  readonly fleet: Fleet;
  /** `trial`: suspects run here alone, each in a fresh isolate of a runner without others. */
  readonly kind: 'org' | 'trial';
  /** Calls that one isolate may hold at once. */
  readonly seats: number;
  readonly slots: Set<Slot>;
  readonly idle: Slot[];
  readonly queue: Call[];
  readonly breaker: Breaker;
  /** Calls at work, and isolates that are opening: what `limits.concurrency` bounds. */
  used: number;
  /** Isolates that are on their way. */
  opening: number;
  background: number;
  /** The runner that holds most of its isolates. */
  home: Runner | null;
  own: Group | null;
  /** Until when the org is served from a runner of its own, monotonic ms. */
  soloUntil: number;
  /** How strongly it is suspected of killing runners; see `losses.ts`. */
  suspicion: number;
  /** When it was last among the suspects of a lost runner. */
  suspectedAt: number;
  /** No further isolates before this time, monotonic ms. */
  growAt: number;
  lastUsed: number;
  /** Calls in a row that were short; see `pace.ts`. */
  shortCalls: number;
  /** Calls in a row that ended without waiting for anything. */
  straightCalls: number;
  /** Until when no call of the org is taken to be short, monotonic ms. */
  slowUntil: number;
}

export interface Fleet {
  readonly key: string;
  readonly bundle: GuestBundle;
  readonly lanes: Map<string, Lane>;
  readonly shared: Group;
  readonly breaker: Breaker;
  readonly trial: Lane;
  /** JSON `RunnerPlan`. */
  readonly plan: string;
  /** Longest frame that an honest runner sends, bytes. */
  readonly frameBytes: number;
  retired: boolean;
  lastUsed: number;
}
