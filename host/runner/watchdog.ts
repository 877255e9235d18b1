/**
 * Looks at the budgets of the isolates in use: one interval for the process, none while all are idle.
 * May import: nothing.
 */

export interface Watched {
  /** Look at the budgets; false once there is nothing to watch. */
  check(now: number): boolean;
}

export interface Watchdog {
  watch(subject: Watched): void;
}

const TICK_MS = 5;
/** Ticks without a subject before the interval stops: starting and stopping it for every call would cost more. */
const LINGER_TICKS = 40;

export function createWatchdog(): Watchdog {
  const subjects = new Set<Watched>();
  let timer: NodeJS.Timeout | null = null;
  let quiet = 0;

  function tick(): void {
    const now = performance.now();
    for (const subject of subjects) if (!subject.check(now)) subjects.delete(subject);
    quiet = subjects.size > 0 ? 0 : quiet + 1;
    if (quiet < LINGER_TICKS || !timer) return;
    clearInterval(timer);
    timer = null;
  }

  return {
    watch(subject) {
      subjects.add(subject);
      if (timer) return;
      quiet = 0;
      timer = setInterval(tick, TICK_MS);
    },
  };
}
