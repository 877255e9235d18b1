/**
 * Keeps events of one entity in their order, also behind one that is being retried.
 * May import: kernel.
 *
 * The order is that in which this host got them. While an event waits for its next try, those that come after it for
 * the same entity are put behind it by the broker itself, so that they cost neither memory nor a slot here. So are
 * those that wait long for one in work: else one slow entity would fill the plug-in's window.
 */
import { systemClock, type Clock } from '../../kernel/time.ts';

/** What is to be done with an event now. */
export type Turn =
  /** Handle it, then call `leave`. */
  | { readonly kind: 'go'; readonly leave: (end: TurnEnd) => void }
  /** An earlier one comes first: stay behind it, with its pause. */
  | { readonly kind: 'defer'; readonly pauseMs: number };

export type TurnEnd =
  | { readonly kind: 'done' }
  /** It comes again after this pause. */
  | { readonly kind: 'later'; readonly pauseMs: number }
  /** A copy of it comes later, from where it waits: nothing has changed. */
  | { readonly kind: 'aside' };

export interface EntityOrder {
  /** Waits for the events of the entity that came before, as far as they are in hand. */
  enter(entity: string, eventId: string): Turn | Promise<Turn>;
  /** Entities with events in hand or behind. */
  readonly size: number;
}

export interface EntityOrderOptions {
  readonly clock?: Clock;
  /** How long an event waits here for one of its entity in work, and its pause at the broker after that, ms. @default 1000 */
  readonly waitMs?: number;
}

interface Waiter {
  readonly eventId: string;
  readonly decide: (turn: Turn) => void;
  readonly timer: NodeJS.Timeout;
}

interface Line {
  readonly entity: string;
  /** One of them is being handled. */
  running: boolean;
  /** In hand, in their order; none while somebody else is behind. */
  readonly waiting: Waiter[];
  /** Events that wait at the broker, in their order: the first of them must come first. */
  behind: string[];
  pauseMs: number;
  /** Until then the first of `behind` must have come back; monotonic ms. */
  until: number;
}

/** Beyond its pause an event may take so long to come back, ms: a broker that was away, a queue that is long. */
const PATIENCE_MS = 60_000;
/** Events behind one entity that are remembered; above it order is given up for the newest, not for those behind. */
const MAX_BEHIND = 1_000;
/** New entities between two looks for lines whose events never came back. */
const SWEEP_EVERY = 1_000;

export function createEntityOrder(options: EntityOrderOptions = {}): EntityOrder {
  return new Lines(options);
}

class Lines implements EntityOrder {
  readonly #clock: Clock;
  readonly #waitMs: number;
  readonly #lines = new Map<string, Line>();
  #made = 0;

  constructor({ clock = systemClock, waitMs = 1_000 }: EntityOrderOptions) {
    this.#clock = clock;
    this.#waitMs = waitMs;
  }

  get size(): number {
    return this.#lines.size;
  }

  enter(entity: string, eventId: string): Turn | Promise<Turn> {
    const line = this.#lineOf(entity);
    this.#expire(line);
    if (mustStay(line, eventId)) return this.#stay(line, eventId);
    if (!line.running) return this.#go(line, eventId);
    return new Promise((decide) => {
      const timer = setTimeout(() => this.#giveUp(line), this.#waitMs).unref();
      line.waiting.push({ eventId, decide, timer });
    });
  }

  #lineOf(entity: string): Line {
    let line = this.#lines.get(entity);
    if (!line) {
      this.#made += 1;
      if (this.#made % SWEEP_EVERY === 0) this.#sweep();
      line = { entity, running: false, waiting: [], behind: [], pauseMs: 0, until: 0 };
      this.#lines.set(entity, line);
    }
    return line;
  }

  #go(line: Line, eventId: string): Turn {
    line.running = true;
    return { kind: 'go', leave: (end) => this.#leave(line, eventId, end) };
  }

  #leave(line: Line, eventId: string, end: TurnEnd): void {
    line.running = false;
    if (end.kind !== 'aside' && line.behind[0] === eventId) line.behind.shift();
    if (end.kind === 'later') {
      line.behind.unshift(eventId);
      line.pauseMs = end.pauseMs;
    }
    this.#touch(line);
    while (!line.running) {
      const next = line.waiting.shift();
      if (!next) break;
      clearTimeout(next.timer);
      const stays = mustStay(line, next.eventId);
      next.decide(stays ? this.#stay(line, next.eventId) : this.#go(line, next.eventId));
    }
    this.#forget(line);
  }

  #stay(line: Line, eventId: string): Turn {
    if (line.behind.length < MAX_BEHIND && !line.behind.includes(eventId))
      line.behind.push(eventId);
    this.#touch(line);
    return { kind: 'defer', pauseMs: line.pauseMs };
  }

  /** Whoever waits goes to the broker, so that others have the room. */
  #giveUp(line: Line): void {
    if (line.behind.length === 0) line.pauseMs = this.#waitMs;
    for (const { eventId, decide, timer } of line.waiting.splice(0)) {
      clearTimeout(timer);
      decide(this.#stay(line, eventId));
    }
  }

  #touch(line: Line): void {
    line.until = this.#clock.monotonic() + line.pauseMs + PATIENCE_MS;
  }

  /** Those that never came back, since somebody purged the queue or another host has them, hold up nobody for ever. */
  #expire(line: Line): void {
    if (line.behind.length > 0 && this.#clock.monotonic() > line.until) line.behind = [];
  }

  #sweep(): void {
    for (const line of this.#lines.values()) {
      this.#expire(line);
      this.#forget(line);
    }
  }

  #forget(line: Line): void {
    const empty = !line.running && line.waiting.length === 0 && line.behind.length === 0;
    if (empty && this.#lines.get(line.entity) === line) this.#lines.delete(line.entity);
  }
}

/** Somebody else of the entity must come first. */
function mustStay({ behind }: Line, eventId: string): boolean {
  return behind.length > 0 && behind[0] !== eventId;
}
