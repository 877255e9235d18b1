/**
 * Runs one step at a time until reality matches what is wanted: events only say that it may not match any more.
 * May import: nothing.
 */

export interface Loop {
  /** Run the step soon. Resolves when a step that began after this call has ended. */
  kick(): Promise<void>;
  /** Run the step after some milliseconds, unless it runs anyway before. */
  kickIn(ms: number): void;
  /** No further step begins; resolves when the present one has ended. */
  stop(): Promise<void>;
}

/** `step` must not throw. */
export function createLoop(step: () => Promise<void>): Loop {
  let running: Promise<void> | null = null;
  let next: Promise<void> | null = null;
  let timer: NodeJS.Timeout | undefined;
  let stopped = false;

  async function begin(): Promise<void> {
    clearTimeout(timer);
    timer = undefined;
    if (!stopped) await step();
  }
  function kick(): Promise<void> {
    if (!running) {
      // Starts in a microtask, so that several kicks of one event make one step.
      running = Promise.resolve()
        .then(begin)
        .finally(() => {
          running = null;
        });
      return running;
    }
    next ??= running.then(() => {
      next = null;
      return kick();
    });
    return next;
  }
  return {
    kick,
    kickIn(ms) {
      if (timer || stopped) return;
      timer = setTimeout(() => void kick(), ms);
      timer.unref();
    },
    async stop() {
      stopped = true;
      clearTimeout(timer);
      await running;
    },
  };
}
