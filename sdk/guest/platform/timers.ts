/**
 * Timers and microtasks. The runner keeps the clock; timers belong to the call that is under way.
 * May import: host, install, platform/console, primordials.
 */
import { send } from '../host.ts';
import { publish } from '../install.ts';
import { apply, createTable } from '../primordials.ts';
import { reportError } from './console.ts';

interface Timer {
  readonly run: () => void;
  /** Milliseconds between runs, or -1 for once. */
  readonly everyMs: number;
}

/** Timers that one isolate may have waiting. */
const MAX_TIMERS = 256;
/** Timers that one call may start: each is a message, and set and cleared in a loop they would pile up outside. */
const MAX_STARTED = 10_000;
/** What browsers take: a signed 32-bit number of milliseconds. */
const MAX_DELAY_MS = 2_147_483_647;

const waiting = createTable<Timer>();
let lastId = 0;
let started = 0;
let allowed = false;
/** Whether there may be some waiting: saves each call without timers the look. */
let used = false;

/** A call begins. Timers are accepted only while one is under way; others get an id and never fire. */
export function allowTimers(): void {
  allowed = true;
  started = 0;
}

/** No call is under way any more: every timer ends. */
export function endTimers(): void {
  allowed = false;
  if (!used) return;
  used = false;
  waiting.drain((id) => send('cancelTimer', id, ''));
}

function start(handler: unknown, delay: unknown, repeat: boolean, args: unknown[]): number {
  if (typeof handler !== 'function')
    throw new TypeError('The first argument of a timer must be a function');
  const id = ++lastId;
  if (!allowed) return id;
  if (waiting.size >= MAX_TIMERS) throw new RangeError(`More than ${MAX_TIMERS} timers`);
  if (++started > MAX_STARTED) throw new RangeError(`More than ${MAX_STARTED} timers in one call`);
  const wanted = Math.trunc(Number(delay)) || 0;
  const delayMs = wanted < 0 || wanted > MAX_DELAY_MS ? 0 : wanted;
  const run = (): void => void apply(handler, globalThis, args);
  used = true;
  waiting.set(id, { run, everyMs: repeat ? Math.max(delayMs, 1) : -1 });
  send('timer', id, `${delayMs}`);
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
  if (waiting.get(number) === undefined) return;
  waiting.delete(number);
  send('cancelTimer', number, '');
}

function clearInterval(id?: unknown): void {
  clearTimeout(id);
}

/** A timer is due. What it throws is logged: nobody waits for it. */
export function fireTimer(id: number): void {
  const timer = waiting.get(id);
  if (timer === undefined) return;
  if (timer.everyMs < 0) waiting.delete(id);
  try {
    timer.run();
  } catch (error) {
    reportError(error);
  }
  if (timer.everyMs >= 0 && waiting.get(id) === timer) send('timer', id, `${timer.everyMs}`);
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
