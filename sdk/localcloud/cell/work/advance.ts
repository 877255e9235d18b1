/**
 * The cloud's sense of time: operations end and time-outs pass.
 * May import: actions, run, store.
 */
import { expire } from '../blocking/actions.ts';
import type { Store } from '../store.ts';
import { finishDue } from './run.ts';

/** How often the cells of a cloud look at the time, in milliseconds. */
const TICK_MS = 20;

/** Do what is due at that time, in epoch ms. */
export function advance(store: Store, now: number): void {
  expire(store, now);
  finishDue(store, now);
}

/** Let time pass until disposed of. */
export function openClockwork(store: Store): Disposable {
  const timer = setInterval(() => advance(store, Date.now()), TICK_MS).unref();
  return { [Symbol.dispose]: () => clearInterval(timer) };
}
