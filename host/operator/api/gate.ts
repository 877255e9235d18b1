/**
 * How much of one kind may be under way at once: for each caller, and for all owners together.
 * May import: kernel.
 */
import { HostError } from '../../kernel/errors.ts';
import type { Caller } from '../identify.ts';

export interface GateOptions {
  /** For each caller. */
  readonly each: number;
  /** For all owners together: they can not crowd out the operator. */
  readonly owners: number;
}

export interface Gate {
  /** Dispose when it is done. Throws OPERATOR_BUSY. */
  enter(caller: Pick<Caller, 'who' | 'role'>): Disposable;
}

export function createGate({ each, owners }: GateOptions): Gate {
  const inside = new Map<string, number>();
  let ownersInside = 0;

  return {
    enter({ who, role }) {
      const mine = inside.get(who) ?? 0;
      const owner = role === 'owner' ? 1 : 0;
      if (mine >= each || (owner === 1 && ownersInside >= owners))
        throw new HostError('OPERATOR_BUSY', `at most ${each} at once`);
      inside.set(who, mine + 1);
      ownersInside += owner;
      let left = false;
      return {
        [Symbol.dispose]() {
          if (left) return;
          left = true;
          ownersInside -= owner;
          const rest = (inside.get(who) ?? 1) - 1;
          if (rest === 0) inside.delete(who);
          else inside.set(who, rest);
        },
      };
    },
  };
}
