/**
 * Work under one name goes one after the other; under different names it does not wait for each other.
 * May import: nothing.
 */

export interface Turns {
  /** Resolves or rejects as the work does. What went before may have failed. */
  run<T>(name: string, work: () => Promise<T>): Promise<T>;
  /** Resolves once nothing of what was asked for so far is under way. */
  idle(): Promise<void>;
}

export function createTurns(): Turns {
  const last = new Map<string, Promise<unknown>>();
  return {
    run(name, work) {
      const before = last.get(name) ?? Promise.resolve();
      const mine = before.then(work, work);
      last.set(name, mine);
      const ended = () => {
        if (last.get(name) === mine) last.delete(name);
      };
      mine.then(ended, ended);
      return mine;
    },
    async idle() {
      await Promise.allSettled(last.values());
    },
  };
}
