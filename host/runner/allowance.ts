/**
 * What one call may still ask of the runner: host calls, digests, log lines.
 * May import: runner.
 */
import type { RunnerPlan } from './frames.ts';

const MAX_LOG_CHARS = 16_384;
/** What one call may have digested: the runner's own thread does it, which all guests share. */
const MAX_DIGESTS = 10_000;
const MAX_DIGEST_CHARS = 33_554_432;

export class Allowance {
  readonly #plan: RunnerPlan;
  #hostCalls = 0;
  #hostChars = 0;
  #digests = 0;
  #digestChars = 0;
  #logLines = 0;

  constructor(plan: RunnerPlan) {
    this.#plan = plan;
  }

  /** A call begins. */
  renew(): void {
    this.#hostCalls = this.#hostChars = this.#logLines = 0;
    this.#digests = this.#digestChars = 0;
  }

  /** Each counts what it is asked for, and says whether it is still allowed. */
  hostCall(chars: number): boolean {
    this.#hostChars += chars;
    return ++this.#hostCalls <= this.#plan.hostCalls && this.#hostChars <= this.#plan.hostCallBytes;
  }

  digest(chars: number): boolean {
    this.#digestChars += chars;
    return ++this.#digests <= MAX_DIGESTS && this.#digestChars <= MAX_DIGEST_CHARS;
  }

  /** `cut` for the first one that is dropped, so that the host hears of it. */
  logLine(chars: number): 'sent' | 'cut' | 'dropped' {
    const over = ++this.#logLines - this.#plan.logLines;
    if (over > 0) return over === 1 ? 'cut' : 'dropped';
    return chars <= MAX_LOG_CHARS ? 'sent' : 'dropped';
  }
}
