/**
 * Work that is done at once and again and again, never twice at the same time.
 * May import: nothing.
 */

export interface Sweeps extends AsyncDisposable {
  /** Begin a pass, or join the one under way; never rejects. */
  sweep(): Promise<void>;
}

export interface SweepsOptions {
  readonly pass: () => Promise<void>;
  /** Pause between two begins, ms. */
  readonly everyMs: number;
  /** Told what a pass threw. */
  readonly failed: (error: unknown) => void;
}

/** Disposing waits for the pass under way. */
export function openSweeps({ pass, everyMs, failed }: SweepsOptions): Sweeps {
  let sweeping: Promise<void> | null = null;
  function sweep(): Promise<void> {
    sweeping ??= pass()
      .catch(failed)
      .finally(() => (sweeping = null));
    return sweeping;
  }
  void sweep(); // never rejects
  const timer = setInterval(() => void sweep(), everyMs).unref();
  return {
    sweep,
    async [Symbol.asyncDispose]() {
      clearInterval(timer);
      await sweeping;
    },
  };
}
