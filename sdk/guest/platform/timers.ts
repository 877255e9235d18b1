/**
 * Timers and microtasks. The runner keeps the clock; timers belong to the call for which the entry is made.
 * May import: calls, host, install, platform/console, primordials.
 */
import { type Call, currentCall, enterCall, lastCallOrder, oldestCall, sendFor } from '../calls.ts';
import { send } from '../host.ts';
import { publish } from '../install.ts';
import { apply, createTable } from '../primordials.ts';
import { reportError } from './console.ts';

interface Timer {
  call: Call;
  /** The last call that had begun when it was started. */
  readonly order: number;
  readonly run: () => void;
  /** Milliseconds between runs, or -1 for once. */
  readonly everyMs: number;
}

/** Timers that one call may have waiting. */
const MAX_TIMERS = 256;
/** Timers that one call may start: each is a message, and set and cleared in a loop they would pile up outside. */
const MAX_STARTED = 10_000;
/** What browsers take: a signed 32-bit number of milliseconds. */
const MAX_DELAY_MS = 2_147_483_647;

const waiting = createTable<Timer>();
let lastId = 0;

/**
 * The call is over, and its timers with it. Where other calls were under way when one was started, it may be theirs: who
 * waits for a promise that another call settles goes on in that one's entry. Then it ends with the last of them.
 */
export function endTimers(call: Call): void {
  if (call.timersWaiting === 0) return;
  const heir = oldestCall();
  waiting.visit((id, timer) => {
    if (timer.call !== call) return;
    call.timersWaiting--;
    if (heir && heir.order <= timer.order) {
      timer.call = heir;
      heir.timersWaiting++;
    } else {
      waiting.delete(id);
      send('cancelTimer', id, '');
    }
  });
}

function start(handler: unknown, delay: unknown, repeat: boolean, args: unknown[]): number {
  if (typeof handler !== 'function')
    throw new TypeError('The first argument of a timer must be a function');
  const id = ++lastId;
  const call = currentCall();
  // At the top level of a module, or left over from a call.
  if (call.over) return id;
  if (call.timersWaiting >= MAX_TIMERS) throw new RangeError(`More than ${MAX_TIMERS} timers`);
  if (++call.timersStarted > MAX_STARTED)
    throw new RangeError(`More than ${MAX_STARTED} timers in one call`);
  const wanted = Math.trunc(Number(delay)) || 0;
  const delayMs = wanted < 0 || wanted > MAX_DELAY_MS ? 0 : wanted;
  const run = (): void => void apply(handler, globalThis, args);
  const everyMs = repeat ? Math.max(delayMs, 1) : -1;
  waiting.set(id, { call, order: lastCallOrder(), run, everyMs });
  call.timersWaiting++;
  sendFor(call, 'timer', id, `${delayMs}`);
  return id;
}

export function setTimeout(handler: unknown, delay?: unknown, ...args: unknown[]): number {
  return start(handler, delay, false, args);
}

function setInterval(handler: unknown, delay?: unknown, ...args: unknown[]): number {
  return start(handler, delay, true, args);
}

export function clearTimeout(id?: unknown): void {
  const number = Number(id);
  const timer = waiting.get(number);
  if (timer === undefined) return;
  forget(number, timer);
  send('cancelTimer', number, '');
}

function forget(id: number, timer: Timer): void {
  waiting.delete(id);
  timer.call.timersWaiting--;
}

function clearInterval(id?: unknown): void {
  clearTimeout(id);
}

/** A timer is due. What it throws is logged: nobody waits for it. */
export function fireTimer(id: number): void {
  const timer = waiting.get(id);
  if (timer === undefined) return;
  enterCall(timer.call);
  if (timer.everyMs < 0) forget(id, timer);
  try {
    timer.run();
  } catch (error) {
    reportError(error);
  }
  if (timer.everyMs >= 0 && waiting.get(id) === timer)
    sendFor(timer.call, 'timer', id, `${timer.everyMs}`);
}

const settled = Promise.resolve();

async function soon(task: () => unknown): Promise<void> {
  await settled;
  try {
    task();
  } catch (error) {
    reportError(error);
  }
}

export function queueMicrotask(task: unknown): void {
  if (typeof task !== 'function') throw new TypeError('The argument must be a function');
  void soon(task as () => unknown); // handles its own failure
}

publish({ setTimeout, clearTimeout, setInterval, clearInterval, queueMicrotask });
