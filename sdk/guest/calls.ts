/**
 * The calls under way, and for which of them the present entry was made: timers, log lines and host calls are that one's.
 * May import: abi, host.
 */
import type { PostKind } from './abi.ts';
import { send } from './host.ts';

/** A call, from its first entry until nothing of it is left. */
export interface Call {
  readonly id: number;
  /** Grows with every call that begins. */
  readonly order: number;
  over: boolean;
  answered: boolean;
  /** Promises given to `waitUntil` that have not settled. */
  pending: number;
  logLines: number;
  /** Host calls without an answer. */
  hostWaiting: number;
  timersStarted: number;
  /** Timers that have not fired. */
  timersWaiting: number;
  before: Call | null;
  after: Call | null;
}

let lastOrder = 0;

function createCall(id: number, over: boolean): Call {
  return {
    id,
    order: ++lastOrder,
    over,
    answered: false,
    pending: 0,
    logLines: 0,
    hostWaiting: 0,
    timersStarted: 0,
    timersWaiting: 0,
    before: null,
    after: null,
  };
}

// A chain and no array: guests can put setters on the indexes of arrays.
let oldest: Call | null = null;
let youngest: Call | null = null;
let entered: Call = createCall(0, true);

/** A call begins with this entry. */
export function beginCall(id: number): Call {
  const call = createCall(id, false);
  call.before = youngest;
  if (youngest) youngest.after = call;
  else oldest = call;
  youngest = call;
  entered = call;
  return call;
}

/** Nothing of the call is left. */
export function endCall(call: Call): void {
  const { before, after } = call;
  call.over = true;
  call.before = call.after = null;
  if (before) before.after = after;
  else oldest = after;
  if (after) after.before = before;
  else youngest = before;
}

/** This entry is made for a call that began before. */
export function enterCall(call: Call): void {
  entered = call;
}

/** Whose doing this is: the entry's call; when that is over, others wait for what it did, and it is the oldest one's. */
export function currentCall(): Call {
  return entered.over && oldest ? oldest : entered;
}

export function oldestCall(): Call | null {
  return oldest;
}

export function lastCallOrder(): number {
  return lastOrder;
}

/** Post a message for a call; the runner takes it for the entry's own if it is not told. */
export function sendFor(call: Call, kind: PostKind, id: number, text: string): void {
  if (call === entered) return send(kind, id, text);
  send('as', call.id, '');
  send(kind, id, text);
  send('as', entered.id, '');
}
