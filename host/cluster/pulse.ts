/**
 * Shows that this process lives, and knows the time of the NATS server: hosts never compare their own clocks.
 * May import: kernel, cluster.
 */
import { randomUUID } from 'node:crypto';

import { messageOf } from '../kernel/errors.ts';
import { openBucket, type Bucket } from './link/bucket.ts';
import { keyPart } from './link/keys.ts';
import type { Link } from './link/link.ts';

/** What a process tells of itself, for people and for the others. */
export type About = Readonly<Record<string, unknown>>;

export interface Pulse extends AsyncDisposable {
  /** Of this process, new at each start. */
  readonly id: string;
  /** Epoch ms by the clock of the NATS server, as it was seen last, moved on by our monotonic clock. */
  now(): number;
  /** When a process last showed itself, by the same clock; null when it left or was never seen. */
  seenAt(id: string): Promise<number | null>;
  /** Replace what is told of this process; the others see it at once. */
  tell(about: About): Promise<void>;
  /** All that showed themselves within the last hour and did not leave. */
  all(): Promise<readonly Beat[]>;
}

export interface Beat {
  readonly id: string;
  readonly seenAt: number;
  readonly about: About;
}

export interface PulseOptions {
  readonly link: Link;
  readonly about?: About;
  /** Ms between two beats. @default 1000 */
  readonly everyMs?: number;
}

/** Processes that died are forgotten after this. */
const FORGET_MS = 3_600_000;
/** Beats between two looks at the server's clock. */
const LOOK_EVERY = 5;

/** Resolves after the first beat. Throws a CLUSTER code. Disposing it tells the others that this process left. */
export async function openPulse({ link, about, everyMs = 1_000 }: PulseOptions): Promise<Pulse> {
  const bucket = await openBucket(link, 'members', { maxAgeMs: FORGET_MS });
  const heart = createHeart(link, bucket, about ?? {});
  await heart.beat();
  let last: Promise<void> = Promise.resolve();
  const timer = setInterval(() => {
    last = heart.beat().catch((error: unknown) => {
      link.settings.log.debug('cluster.beat_failed', { reason: messageOf(error) });
    });
  }, everyMs).unref();
  return {
    id: heart.id,
    now: () => heart.now(),
    seenAt: async (id) => (await bucket.get(keyPart(id)))?.createdAt ?? null,
    tell: (next) => heart.tell(next),
    async all() {
      const entries = await bucket.entries('>');
      return entries.flatMap(({ value, createdAt }) => beatOf(value, createdAt));
    },
    async [Symbol.asyncDispose]() {
      clearInterval(timer);
      await last;
      // A server that is away finds out by our silence.
      await bucket.remove(keyPart(heart.id)).catch(() => undefined);
    },
  };
}

function createHeart(link: Link, bucket: Bucket, first: About) {
  const { clock } = link.settings;
  const id = randomUUID();
  const key = keyPart(id);
  let about = first;
  let beats = 0;
  /** Server's time less our monotonic time. */
  let ahead = 0;

  async function beat(): Promise<void> {
    const before = clock.monotonic();
    await bucket.put(key, JSON.stringify({ id, about }));
    const middle = (before + clock.monotonic()) / 2;
    if (beats % LOOK_EVERY === 0) {
      const entry = await bucket.get(key);
      if (entry) ahead = entry.createdAt - middle;
    }
    beats += 1;
  }
  return {
    id,
    beat,
    now: () => clock.monotonic() + ahead,
    async tell(next: About) {
      about = next;
      await beat();
    },
  };
}

/** A beat that was written by hand is none. */
function beatOf(value: Uint8Array | null, seenAt: number): Beat[] {
  try {
    const { id, about } = JSON.parse(Buffer.from(value ?? []).toString('utf8')) as Beat;
    if (typeof id !== 'string' || typeof about !== 'object' || about === null) return [];
    return [{ id, about, seenAt }];
  } catch {
    return [];
  }
}
