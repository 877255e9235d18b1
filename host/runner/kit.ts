/**
 * What all isolates of a runner have in common.
 * May import: runner.
 */
import type { Blanks } from './blank.ts';
import type { CachedScript } from './boot.ts';
import type { FromRunner, RunnerPlan } from './frames.ts';
import type { Seat } from './seat.ts';
import type { Trimmable } from './trimmer.ts';
import type { Watched } from './watchdog.ts';

export interface GuestKit {
  readonly plan: RunnerPlan;
  readonly main: CachedScript;
  readonly blanks: Blanks;
  send(frame: FromRunner): void;
  /** The isolate began to use time: the watchdog looks at it from now on. */
  watch(guest: Watched): void;
  /** The isolate is idle and worth trimming after a while. */
  mayTrim(guest: Trimmable): void;
  /** Frames for a slot go to this seat. */
  place(seat: Seat): void;
  /** The slot is free. */
  vacate(slot: number): void;
  /** The isolate is gone. */
  forget(guest: Trimmable): void;
}
