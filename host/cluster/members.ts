/**
 * Which hosts there are, and which of them are alive.
 * May import: kernel, cluster.
 */
import type { About, Pulse } from './pulse.ts';

export interface Member {
  readonly id: string;
  readonly about: About;
  /** Ms since it last showed itself. */
  readonly silentMs: number;
  readonly alive: boolean;
  /** This process. */
  readonly self: boolean;
}

export interface Members {
  /** The living first, each group by id. A host that left is not listed, one that died is for an hour. */
  list(): Promise<readonly Member[]>;
}

/** Silent for longer counts as dead. */
const ALIVE_MS = 3_000;

/** `Pulse.tell` says what the others see as `about`. */
export function openMembers(
  pulse: Pulse,
  { aliveMs = ALIVE_MS }: { aliveMs?: number } = {},
): Members {
  return {
    async list() {
      const beats = await pulse.all();
      const now = pulse.now();
      return beats
        .map(({ id, about, seenAt }) => {
          const silentMs = Math.max(0, Math.round(now - seenAt));
          return { id, about, silentMs, alive: silentMs < aliveMs, self: id === pulse.id };
        })
        .toSorted((a, b) => Number(b.alive) - Number(a.alive) || (a.id < b.id ? -1 : 1));
    },
  };
}
