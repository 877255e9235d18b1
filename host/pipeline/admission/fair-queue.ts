/**
 * Slots for calls in work, and a waiting room that is fair by org: whoever floods waits behind itself.
 * May import: nothing.
 */

export interface FairQueueOptions {
  /** Calls in work at once, over all orgs. @default 256 */
  readonly slots?: number;
  /** Calls of one org in work at once. @default 64 */
  readonly slotsPerOrg?: number;
  /** Calls of one org that may wait. @default 512 */
  readonly waitingPerOrg?: number;
  /** Calls that may wait, over all orgs. @default 2048 */
  readonly waiting?: number;
  /** Bytes of the messages that wait. @default 67108864 */
  readonly waitingBytes?: number;
  /** Turns of an org in a round. @default 1 for each */
  readonly weightOf?: (org: string) => number;
}

export const FAIR_QUEUE_DEFAULTS = {
  slots: 256,
  slotsPerOrg: 64,
  waitingPerOrg: 512,
  waiting: 2_048,
  waitingBytes: 67_108_864,
  weightOf: () => 1,
} as const satisfies FairQueueOptions;

/** `refused`: over its share or no room; `flushed`: it never began and the host is stopping. */
export type Entry = 'granted' | 'refused' | 'flushed';

export interface FairQueue {
  /** Ask for a slot; `enter` is called once, at once or later. Whoever was granted must `leave`. */
  ask(org: string, bytes: number, enter: (entry: Entry) => void): void;
  /** Give the slot back. */
  leave(org: string): void;
  /** Let nobody wait any more: all that wait are `flushed`, and so is whoever asks from now on. */
  flush(): void;
  status(): { readonly working: number; readonly waiting: number; readonly waitingBytes: number };
}

interface Waiter {
  readonly bytes: number;
  readonly enter: (entry: Entry) => void;
}

interface OrgQueue {
  working: number;
  /** Turns left in this round. */
  turns: number;
  readonly waiters: Waiter[];
}

export function createFairQueue(options: FairQueueOptions = {}): FairQueue {
  return new RoundQueue({ ...FAIR_QUEUE_DEFAULTS, ...options });
}

class RoundQueue implements FairQueue {
  readonly #caps: Required<FairQueueOptions>;
  readonly #orgs = new Map<string, OrgQueue>();
  /** Orgs that wait and may work, in the order of their turns: a Map keeps insertion order. */
  readonly #round = new Map<string, OrgQueue>();
  #working = 0;
  #waiting = 0;
  #bytes = 0;
  #flushed = false;

  constructor(caps: Required<FairQueueOptions>) {
    this.#caps = caps;
  }

  ask(org: string, bytes: number, enter: (entry: Entry) => void): void {
    if (this.#flushed) return enter('flushed');
    const queue = this.#queueOf(org);
    const free = this.#working < this.#caps.slots && queue.working < this.#caps.slotsPerOrg;
    if (free && this.#round.size === 0) return this.#begin(queue, enter);
    if (!this.#makeRoom(queue, bytes)) {
      this.#forgetIdle(org, queue);
      return enter('refused');
    }
    queue.waiters.push({ bytes, enter });
    this.#waiting += 1;
    this.#bytes += bytes;
    this.#line(org, queue);
    this.#turn();
  }

  leave(org: string): void {
    const queue = this.#orgs.get(org);
    if (!queue || queue.working === 0) return;
    queue.working -= 1;
    this.#working -= 1;
    this.#line(org, queue);
    this.#forgetIdle(org, queue);
    this.#turn();
  }

  flush(): void {
    this.#flushed = true;
    this.#round.clear();
    for (const queue of this.#orgs.values())
      for (const waiter of queue.waiters.splice(0)) {
        this.#remove(waiter);
        waiter.enter('flushed');
      }
  }

  status() {
    return { working: this.#working, waiting: this.#waiting, waitingBytes: this.#bytes };
  }

  #begin(queue: OrgQueue, enter: (entry: Entry) => void): void {
    queue.working += 1;
    this.#working += 1;
    enter('granted');
  }

  #remove(waiter: Waiter): void {
    this.#waiting -= 1;
    this.#bytes -= waiter.bytes;
  }

  /** Grant free slots, one org after the other. */
  #turn(): void {
    while (this.#working < this.#caps.slots) {
      const next = this.#round.entries().next().value;
      if (!next) return;
      const [org, queue] = next;
      const waiter = queue.waiters.shift();
      queue.turns -= 1;
      if (queue.turns <= 0 || queue.waiters.length === 0) {
        this.#round.delete(org);
        queue.turns = this.#caps.weightOf(org);
      }
      if (waiter) {
        this.#remove(waiter);
        this.#begin(queue, waiter.enter);
      }
      this.#line(org, queue);
    }
  }

  /** An org stands in the round while it has somebody waiting and a slot of its own left. */
  #line(org: string, queue: OrgQueue): void {
    if (queue.waiters.length === 0 || queue.working >= this.#caps.slotsPerOrg)
      this.#round.delete(org);
    else if (!this.#round.has(org)) this.#round.set(org, queue);
  }

  /** Room for one more: the newest of the longest queue goes when it is longer than the newcomer's. */
  #makeRoom(queue: OrgQueue, bytes: number): boolean {
    const { waitingPerOrg, waiting, waitingBytes } = this.#caps;
    if (queue.waiters.length >= waitingPerOrg) return false;
    while (this.#waiting >= waiting || this.#bytes + bytes > waitingBytes) {
      let longest = queue;
      for (const other of this.#orgs.values())
        if (other.waiters.length > longest.waiters.length) longest = other;
      const evicted = longest === queue ? undefined : longest.waiters.pop();
      if (!evicted) return false;
      this.#remove(evicted);
      evicted.enter('refused');
    }
    return true;
  }

  #queueOf(org: string): OrgQueue {
    let queue = this.#orgs.get(org);
    if (!queue) {
      queue = { working: 0, turns: this.#caps.weightOf(org), waiters: [] };
      this.#orgs.set(org, queue);
    }
    return queue;
  }

  #forgetIdle(org: string, queue: OrgQueue): void {
    if (queue.working === 0 && queue.waiters.length === 0) this.#orgs.delete(org);
  }
}
