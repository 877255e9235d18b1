/**
 * Moments at which something is to be looked at.
 * May import: kernel.
 */
import type { Clock } from '../../kernel/time.ts';

/** Longest time that a timer can be set to, ms. */
export const TIMER_MS = 2_147_483_647;

export interface Alarms {
  /** Epoch ms. */
  set(at: number): void;
  clear(): void;
}

/** `ring` must not throw. */
export function createAlarms({ clock }: { readonly clock: Clock }, ring: () => void): Alarms {
  const timers = new Set<NodeJS.Timeout>();
  return {
    set(at) {
      const ms = Math.min(TIMER_MS, Math.max(0, at - clock.now()) + 1);
      const timer = setTimeout(() => {
        timers.delete(timer);
        ring();
      }, ms).unref();
      timers.add(timer);
    },
    clear() {
      for (const timer of timers) clearTimeout(timer);
      timers.clear();
    },
  };
}
