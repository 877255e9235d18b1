/**
 * A breaker that opens after repeated failures, for a pause that doubles each time it fails again.
 * May import: nothing.
 *
 * Home-made and not cockatiel's since ours is asked on every call and wraps nothing: two numbers and a state.
 */

export interface BreakerOptions {
  /** Failures within the window that open it. */
  readonly threshold?: number;
  /** Length of the window, ms. */
  readonly windowMs?: number;
  /** First pause, ms. */
  readonly pauseMs?: number;
  /** Longest pause, ms. */
  readonly maxPauseMs?: number;
}

export interface Breaker {
  /** 0 when a call may pass, else the ms until one may. After a pause one call may pass; the others wait for its end. */
  refusalMs(now: number): number;
  /** A call ended well. */
  success(): void;
  failure(now: number): void;
  /** Whether it remembers anything; what is clean can be forgotten. */
  clean(now: number): boolean;
  readonly state: 'closed' | 'open' | 'trial';
}

export function createBreaker(options: Required<BreakerOptions>): Breaker {
  const { threshold, windowMs, pauseMs, maxPauseMs } = options;
  let state: 'closed' | 'open' | 'trial' = 'closed';
  let failures: number[] = [];
  let pause = pauseMs;
  let until = 0;

  function open(now: number): void {
    state = 'open';
    until = now + pause;
    pause = Math.min(pause * 2, maxPauseMs);
    failures = [];
  }

  return {
    get state() {
      return state;
    },
    refusalMs(now) {
      if (state === 'closed') return 0;
      if (now < until) return until - now;
      // A trial whose end nobody reports must not shut the door for ever.
      state = 'trial';
      until = now + pauseMs;
      return 0;
    },
    success() {
      if (state !== 'trial') return;
      state = 'closed';
      pause = pauseMs;
    },
    failure(now) {
      if (state === 'trial') return open(now);
      failures = failures.filter((at) => now - at < windowMs);
      failures.push(now);
      if (state === 'closed' && failures.length >= threshold) open(now);
    },
    clean: (now) => state === 'closed' && failures.every((at) => now - at >= windowMs),
  };
}
