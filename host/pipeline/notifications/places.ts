/**
 * How many events of one org a plug-in has in work at once, and how long the others stay away: an org with slow
 * handlers, or over its quota, shall neither fill the plug-in's window nor go round and round between broker and host.
 * May import: kernel.
 */
import { systemClock, type Clock } from '../../kernel/time.ts';

export interface Places {
  /** Wait for a place, but not long; false when there is none. Whoever got one must `leave`. */
  enter(key: string, concurrency: number): boolean | Promise<boolean>;
  /** Give the place back. `wallMs`: how long the handler took; null when it did not run. */
  leave(key: string, wallMs: number | null): void;
  /**
   * An event goes to the broker for want of a place or of quota: for how long, ms. Longer the more of the org are
   * there already, since only so many a second can be handled when they come back.
   */
  away(key: string, leastMs: number, perSecond: number): number;
  /** One that was at the broker is here again. */
  back(key: string): void;
}

export interface PlacesOptions {
  readonly clock?: Clock;
  /** How long an event waits for a place, ms. @default 1000 */
  readonly waitMs?: number;
}

interface Waiter {
  readonly decide: (entered: boolean) => void;
  readonly timer: NodeJS.Timeout;
}

interface Org {
  concurrency: number;
  working: number;
  readonly waiting: Waiter[];
  /** Of late, for one event. */
  wallMs: number;
  /** Until then nobody waits: somebody waited in vain. Monotonic ms. */
  fullUntil: number;
  /** Events at the broker, about. */
  away: number;
  /** By then they should be back; monotonic ms. */
  awayUntil: number;
}

/** Handlers as short as this may queue at their isolates: the sandbox sends several at once then. */
const QUICK_MS = 20;
const AHEAD = 8;
/** Of the newest figure in the average. */
const WEIGHT = 0.2;
/** Orgs without anything in work that are remembered, for their average. */
const MAX_IDLE = 10_000;
/** Beyond its pause an event may take so long to come back, ms. */
const PATIENCE_MS = 60_000;

export function createPlaces(options: PlacesOptions = {}): Places {
  return new OrgPlaces(options);
}

class OrgPlaces implements Places {
  readonly #clock: Clock;
  readonly #waitMs: number;
  readonly #orgs = new Map<string, Org>();

  constructor({ clock = systemClock, waitMs = 1_000 }: PlacesOptions) {
    this.#clock = clock;
    this.#waitMs = waitMs;
  }

  enter(key: string, concurrency: number): boolean | Promise<boolean> {
    const org = this.#orgOf(key);
    org.concurrency = concurrency;
    if (org.working < mostOf(org)) {
      org.working += 1;
      return true;
    }
    if (this.#clock.monotonic() < org.fullUntil) return false;
    return new Promise((decide) => {
      const timer = setTimeout(() => this.#giveUp(org, waiter), this.#waitMs).unref();
      const waiter: Waiter = { decide, timer };
      org.waiting.push(waiter);
    });
  }

  leave(key: string, wallMs: number | null): void {
    const org = this.#orgOf(key);
    org.working -= 1;
    if (wallMs !== null) org.wallMs += (wallMs - org.wallMs) * WEIGHT;
    while (org.working < mostOf(org)) {
      const next = org.waiting.shift();
      if (!next) break;
      clearTimeout(next.timer);
      org.working += 1;
      next.decide(true);
    }
    this.#forget(key, org);
  }

  away(key: string, leastMs: number, perSecond: number): number {
    const org = this.#orgOf(key);
    const now = this.#clock.monotonic();
    // Those that did not come back went elsewhere.
    org.away = now > org.awayUntil ? 1 : org.away + 1;
    const pauseMs = Math.max(leastMs, (org.away / perSecond) * 1_000);
    org.awayUntil = Math.max(org.awayUntil, now + pauseMs + PATIENCE_MS);
    return pauseMs;
  }

  back(key: string): void {
    const org = this.#orgs.get(key);
    if (!org || org.away === 0) return;
    org.away -= 1;
    this.#forget(key, org);
  }

  #orgOf(key: string): Org {
    let org = this.#orgs.get(key);
    if (!org) {
      // Not known to be quick, it begins as if it were slow.
      const pace = { concurrency: 1, wallMs: QUICK_MS, fullUntil: 0 };
      org = { ...pace, working: 0, waiting: [], away: 0, awayUntil: 0 };
      this.#orgs.set(key, org);
    }
    return org;
  }

  #giveUp(org: Org, waiter: Waiter): void {
    org.waiting.splice(org.waiting.indexOf(waiter), 1);
    org.fullUntil = this.#clock.monotonic() + this.#waitMs;
    waiter.decide(false);
  }

  #forget(key: string, org: Org): void {
    if (this.#orgs.size <= MAX_IDLE || org.working > 0 || org.waiting.length > 0) return;
    if (org.away === 0 || this.#clock.monotonic() > org.awayUntil) this.#orgs.delete(key);
  }
}

function mostOf({ concurrency, wallMs }: Org): number {
  return wallMs < QUICK_MS ? concurrency * AHEAD : concurrency;
}
