/**
 * The timers of one isolate: bounded in number, each of one call.
 * May import: nothing.
 */

export interface GuestTimers<Owner> {
  /** Start timer `id`; false when there are too many. */
  start(owner: Owner, id: number, delayMs: number): boolean;
  cancel(id: number): void;
  /** Those of one owner, or all. */
  clear(owner?: Owner): void;
}

interface Timer<Owner> {
  readonly owner: Owner;
  readonly timeout: NodeJS.Timeout;
}

/** Timers a guest may have pending at once for each call that it may have. */
export const MAX_TIMERS = 1_000;
const MAX_DELAY_MS = 600_000;

/** `fire` is called with a timer that is due, and whose it is. */
export function createGuestTimers<Owner>(
  most: number,
  fire: (owner: Owner, id: number) => void,
): GuestTimers<Owner> {
  const pending = new Map<number, Timer<Owner>>();

  function cancel(id: number): void {
    clearTimeout(pending.get(id)?.timeout);
    pending.delete(id);
  }

  return {
    start(owner, id, delayMs) {
      if (pending.size >= most) return false;
      cancel(id);
      const ms = delayMs >= 0 ? Math.min(delayMs, MAX_DELAY_MS) : 0;
      const due = (): void => {
        pending.delete(id);
        fire(owner, id);
      };
      pending.set(id, { owner, timeout: setTimeout(due, ms) });
      return true;
    },
    cancel,
    clear(owner) {
      if (pending.size === 0) return;
      for (const [id, timer] of pending)
        if (owner === undefined || timer.owner === owner) cancel(id);
    },
  };
}
