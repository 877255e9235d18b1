/**
 * Has isolates that nobody uses collect their garbage, one at a time: what loading leaves behind is a third of them.
 * May import: nothing.
 */

export interface Trimmable {
  /** When it became idle, monotonic ms; 0 while it is not, or when there is nothing to gain. */
  readonly idleSince: number;
  /** Never rejects. */
  trim(): Promise<void>;
}

export interface Trimmer {
  /** It became idle: look at it later. */
  add(subject: Trimmable): void;
  drop(subject: Trimmable): void;
}

/** An isolate must be idle for so long: who calls again and again should not pay for it. */
const IDLE_MS = 250;
const TICK_MS = 50;
/** Between two: orgs that come in crowds are trimmed over some time. */
const PAUSE_MS = 10;

export function createTrimmer(): Trimmer {
  const subjects = new Set<Trimmable>();
  let timer: NodeJS.Timeout | null = null;

  function schedule(ms: number): void {
    timer ??= setTimeout(() => void turn(), ms); // turn never rejects
  }

  /** The longest idle one; those that are at work again come back by themselves. */
  function due(now: number): Trimmable | null {
    for (const subject of subjects) {
      if (subject.idleSince === 0) subjects.delete(subject);
      else if (now - subject.idleSince >= IDLE_MS) return subject;
    }
    return null;
  }

  async function turn(): Promise<void> {
    const subject = due(performance.now());
    if (subject) {
      subjects.delete(subject);
      await subject.trim();
    }
    timer = null;
    if (subjects.size > 0) schedule(subject ? PAUSE_MS : TICK_MS);
  }

  return {
    add(subject) {
      subjects.add(subject);
      schedule(TICK_MS);
    },
    drop: (subject) => subjects.delete(subject),
  };
}
