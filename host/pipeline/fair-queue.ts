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
  const caps = { ...FAIR_QUEUE_DEFAULTS, ...options };
  const orgs = new Map<string, OrgQueue>();
  // Orgs that wait and may work, in the order of their turns; a Map keeps insertion order.
  const round = new Map<string, OrgQueue>();
  const total = { working: 0, waiting: 0, bytes: 0 };
  let flushed = false;

  const begin = (queue: OrgQueue, enter: (entry: Entry) => void) => {
    queue.working += 1;
    total.working += 1;
    enter('granted');
  };
  const remove = (queue: OrgQueue, waiter: Waiter | undefined) => {
    if (!waiter) return;
    total.waiting -= 1;
    total.bytes -= waiter.bytes;
  };

  /** Grant free slots, one org after the other. */
  function turn(): void {
    while (total.working < caps.slots) {
      const next = round.entries().next().value;
      if (!next) return;
      const [org, queue] = next;
      const waiter = queue.waiters.shift();
      remove(queue, waiter);
      queue.turns -= 1;
      if (queue.turns <= 0 || queue.waiters.length === 0) {
        round.delete(org);
        queue.turns = caps.weightOf(org);
      }
      if (waiter) begin(queue, waiter.enter);
      line(org, queue);
    }
  }

  /** An org stands in the round while it has somebody waiting and a slot of its own left. */
  function line(org: string, queue: OrgQueue): void {
    if (queue.waiters.length === 0 || queue.working >= caps.slotsPerOrg) round.delete(org);
    else if (!round.has(org)) round.set(org, queue);
  }

  /** Room for one more: the newest of the longest queue goes when it is longer than the newcomer's. */
  function makeRoom(queue: OrgQueue, bytes: number): boolean {
    if (queue.waiters.length >= caps.waitingPerOrg) return false;
    const full = () => total.waiting >= caps.waiting || total.bytes + bytes > caps.waitingBytes;
    while (full()) {
      let longest = queue;
      for (const other of orgs.values())
        if (other.waiters.length > longest.waiters.length) longest = other;
      if (longest === queue) return false;
      const evicted = longest.waiters.pop();
      remove(longest, evicted);
      evicted?.enter('refused');
    }
    return true;
  }

  return {
    ask(org, bytes, enter) {
      if (flushed) return enter('flushed');
      const queue = queueOf(orgs, org, caps.weightOf);
      const free = total.working < caps.slots && queue.working < caps.slotsPerOrg;
      if (free && round.size === 0) return begin(queue, enter);
      if (!makeRoom(queue, bytes)) {
        forgetIdle(orgs, org);
        return enter('refused');
      }
      queue.waiters.push({ bytes, enter });
      total.waiting += 1;
      total.bytes += bytes;
      line(org, queue);
      return turn();
    },
    leave(org) {
      const queue = orgs.get(org);
      if (!queue || queue.working === 0) return;
      queue.working -= 1;
      total.working -= 1;
      line(org, queue);
      forgetIdle(orgs, org);
      turn();
    },
    flush() {
      flushed = true;
      round.clear();
      for (const queue of orgs.values())
        for (const waiter of queue.waiters.splice(0)) {
          remove(queue, waiter);
          waiter.enter('flushed');
        }
    },
    status: () => ({
      working: total.working,
      waiting: total.waiting,
      waitingBytes: total.bytes,
    }),
  };
}

function queueOf(
  orgs: Map<string, OrgQueue>,
  org: string,
  weightOf: (org: string) => number,
): OrgQueue {
  let queue = orgs.get(org);
  if (!queue) orgs.set(org, (queue = { working: 0, turns: weightOf(org), waiters: [] }));
  return queue;
}

function forgetIdle(orgs: Map<string, OrgQueue>, org: string): void {
  const queue = orgs.get(org);
  if (queue && queue.working === 0 && queue.waiters.length === 0) orgs.delete(org);
}
