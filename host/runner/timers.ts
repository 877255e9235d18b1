/**
 * The timers of one guest: bounded in number, all gone at the end of a call.
 * May import: nothing.
 */

export interface GuestTimers {
  /** Start timer `id`; false when the guest has too many. */
  start(id: number, delayMs: number): boolean;
  cancel(id: number): void;
  clear(): void;
}

/** Timers a guest may have pending at once. */
export const MAX_TIMERS = 1_000;
const MAX_DELAY_MS = 600_000;

/** `fire` is called with the id of a timer that is due. */
export function createGuestTimers(fire: (id: number) => void): GuestTimers {
  const pending = new Map<number, NodeJS.Timeout>();
  return {
    start(id, delayMs) {
      if (pending.size >= MAX_TIMERS) return false;
      clearTimeout(pending.get(id));
      const ms = delayMs >= 0 ? Math.min(delayMs, MAX_DELAY_MS) : 0;
      const due = (): void => {
        pending.delete(id);
        fire(id);
      };
      pending.set(id, setTimeout(due, ms));
      return true;
    },
    cancel(id) {
      clearTimeout(pending.get(id));
      pending.delete(id);
    },
    clear() {
      if (pending.size === 0) return;
      for (const timer of pending.values()) clearTimeout(timer);
      pending.clear();
    },
  };
}
