/**
 * Work that is tried until it is done, with growing pauses, and done again when something changed.
 * May import: kernel.
 */
import { messageOf } from './errors.ts';
import { backoffMs, pause, type BackoffOptions } from './time.ts';

export interface SettlingOptions extends BackoffOptions {
  /** Null when all is as wished, else what is waited for; a throw counts as that too. */
  readonly step: () => Promise<string | null>;
  /** Told of each new reason to wait. */
  readonly waits: (reason: string) => void;
  /** What is waited for before the first step. @default null */
  readonly at?: string | null;
}

export interface Settling extends AsyncDisposable {
  /** Something changed: do it again, at once or after the step under way. */
  refresh(): void;
  /** What is waited for, or null. */
  problem(): string | null;
}

/** Begins at once, in the background. Disposing waits for the step under way. */
export function openSettling(options: SettlingOptions): Settling {
  const stopped = new AbortController();
  let problem = options.at ?? null;
  let again = false;
  let done: Promise<void> | null = null;

  async function work(): Promise<void> {
    for (let attempt = 0; !stopped.signal.aborted; attempt += 1) {
      again = false;
      const before = problem;
      problem = await options.step().catch((error: unknown) => messageOf(error));
      if (problem === null && !again) return;
      if (problem === null) attempt = -1;
      else {
        if (problem !== before && !stopped.signal.aborted) options.waits(problem);
        await pause(backoffMs(attempt, options), stopped.signal);
      }
    }
  }
  function refresh(): void {
    again = true;
    done ??= work().finally(() => {
      done = null;
      // Asked for between the end of the last step and now.
      if (again && !stopped.signal.aborted) refresh();
    });
  }
  refresh();

  return {
    refresh,
    problem: () => problem,
    async [Symbol.asyncDispose]() {
      stopped.abort();
      await done;
    },
  };
}
