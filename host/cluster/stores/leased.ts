/**
 * Entries that one process works on under a lease, and that others take over when it is silent.
 * May import: kernel, cluster.
 *
 * Times that callers give are read as spans from now and kept by the clock of the server, so that a host whose clock
 * is wrong neither takes what others work on nor keeps what it does not.
 */
import { HostError } from '../../kernel/errors.ts';
import { openBucket, type Bucket } from '../link/bucket.ts';
import { keyPart } from '../link/keys.ts';
import type { Link } from '../link/link.ts';
import type { BucketName } from '../link/options.ts';
import type { Pulse } from '../pulse.ts';
import { openMirror, type Mirror } from './mirror.ts';

export interface LeasedParts {
  readonly link: Link;
  /** Not owned. */
  readonly pulse: Pick<Pulse, 'id' | 'now'>;
}

/** What is kept of an entry (`t.KEY`), or of a process (`o.ID`, without an item). */
interface Kept<T> {
  readonly item: T | null;
  /** '' when nobody works on it. */
  readonly owner: string;
  /** By the clock of the server, epoch ms. */
  readonly until: number;
}

/** Entries that one sweep takes. */
const CLAIM = 50;
/** Attempts to change an entry that others change. */
const ATTEMPTS = 10;

/** Resolves when all is in memory. Throws a CLUSTER code. */
export async function openLeased<T>(
  bucketName: BucketName,
  { link, pulse }: LeasedParts,
): Promise<Leased<T>> {
  const bucket = await openBucket(link, bucketName);
  const mirror = await openMirror<Kept<T>>({
    bucket,
    filter: '>',
    decode: decodeKept,
    log: link.settings.log,
  });
  return new Leased(bucket, mirror, { pulse, clock: link.settings.clock });
}

interface Times {
  readonly pulse: LeasedParts['pulse'];
  readonly clock: Link['settings']['clock'];
}

export class Leased<T> implements Disposable {
  readonly #bucket: Bucket;
  readonly #mirror: Mirror<Kept<T>>;
  readonly #times: Times;

  constructor(bucket: Bucket, mirror: Mirror<Kept<T>>, times: Times) {
    this.#bucket = bucket;
    this.#mirror = mirror;
    this.#times = times;
  }

  /** Our time as that of the server. */
  serverTime(ours: number): number {
    return Math.round(ours - this.#times.clock.now() + this.#times.pulse.now());
  }

  /** The server's time as ours. */
  ourTime(server: number): number {
    return Math.round(server - this.#times.pulse.now() + this.#times.clock.now());
  }

  /** All of them, over all processes. */
  items(): T[] {
    return [...this.#kept()].map(([, { item }]) => item);
  }

  /** `next` gets null when there is none; null from it leaves things as they are. The lease becomes ours. */
  async open(key: string, leaseUntil: number, next: (item: T | null) => T): Promise<T | null> {
    const until = this.serverTime(leaseUntil);
    return this.#step(key, (kept) => ({
      item: next(kept?.item ?? null),
      owner: this.#times.pulse.id,
      until,
    }));
  }

  /** Null when there is no such entry, or `next` gave null. */
  async change(key: string, next: (item: T) => T | null): Promise<T | null> {
    return this.#step(key, (kept) => {
      const item = kept?.item ? next(kept.item) : null;
      return kept && item !== null ? { ...kept, item } : null;
    });
  }

  async release(key: string): Promise<void> {
    await this.#step(key, (kept) => kept && { ...kept, owner: '', until: 0 });
  }

  async remove(key: string): Promise<void> {
    const name = entryKey(key);
    const revision = await this.#bucket.remove(name);
    if (revision !== null) this.#mirror.wrote(name, { revision, value: null });
  }

  async renew(leaseUntil: number): Promise<void> {
    const { id } = this.#times.pulse;
    // One write for all of this process's entries, and none while it has none.
    if (![...this.#kept()].some(([, { owner }]) => owner === id)) return;
    const kept: Kept<T> = { item: null, owner: id, until: this.serverTime(leaseUntil) };
    const revision = await this.#bucket.put(ownerKey(id), JSON.stringify(kept));
    this.#mirror.wrote(ownerKey(id), { revision, value: kept });
  }

  /** Take entries that are due and whose lease ran out; nobody else gets them before `again`. */
  async claim(
    now: number,
    again: number,
    { isDue, rank }: { isDue: (item: T) => boolean; rank: (item: T, leaseUntil: number) => number },
  ): Promise<T[]> {
    const at = this.serverTime(now);
    const due = [...this.#kept()]
      .map(([name, kept]) => ({ name, kept, until: this.#leaseOf(kept) }))
      .filter(({ kept, until }) => until < at && isDue(kept.item))
      .toSorted((a, b) => rank(a.kept.item, a.until) - rank(b.kept.item, b.until))
      .slice(0, CLAIM);
    const taken: T[] = [];
    for (const { name, kept } of due) {
      const next = { ...kept, owner: '', until: this.serverTime(again) };
      // Of two hosts that sweep at once, one has the revision.
      const written = await this.#replace(name, next, this.#mirror.revisionOf(name));
      if (written) taken.push(kept.item);
    }
    await this.#forgetOwners();
    await this.#mirror.eraseMarkers();
    return taken;
  }

  [Symbol.dispose](): void {
    this.#mirror[Symbol.dispose]();
  }

  *#kept(): Iterable<[string, Kept<T> & { readonly item: T }]> {
    for (const name of this.#mirror.keys()) {
      const kept = this.#mirror.get(name);
      if (kept && kept.item !== null) yield [name, { ...kept, item: kept.item }];
    }
  }

  /** What the entry says, or what its owner told since. */
  #leaseOf({ owner, until }: Kept<T>): number {
    if (owner === '') return until;
    return Math.max(until, this.#mirror.get(ownerKey(owner))?.until ?? 0);
  }

  async #step(key: string, step: (kept: Kept<T> | null) => Kept<T> | null): Promise<T | null> {
    const name = entryKey(key);
    for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
      const entry = await this.#bucket.get(name);
      const next = step(entry?.value ? decodeKept<T>(entry.value) : null);
      if (next === null) return null;
      if (await this.#replace(name, next, entry?.revision ?? 0)) return next.item;
    }
    throw new HostError('CLUSTER_UNAVAILABLE', `${key}: other hosts change it all the time`);
  }

  async #replace(name: string, kept: Kept<T>, revision: number): Promise<boolean> {
    const written = await this.#bucket.replace(name, JSON.stringify(kept), revision);
    if (written !== null) this.#mirror.wrote(name, { revision: written, value: kept });
    return written !== null;
  }

  /** Processes that are gone and whose entries are all taken. */
  async #forgetOwners(): Promise<void> {
    const working = new Set([...this.#kept()].map(([, { owner }]) => ownerKey(owner)));
    for (const name of this.#mirror.keys()) {
      const kept = this.#mirror.get(name);
      if (!kept || kept.item !== null || working.has(name)) continue;
      if (kept.until > this.#times.pulse.now()) continue;
      const revision = await this.#bucket.mark(name, this.#mirror.revisionOf(name));
      if (revision !== null) this.#mirror.wrote(name, { revision, value: null });
    }
  }
}

const entryKey = (key: string) => `t.${keyPart(key)}`;
const ownerKey = (id: string) => `o.${keyPart(id)}`;

function decodeKept<T>(value: Uint8Array): Kept<T> {
  const kept = JSON.parse(Buffer.from(value).toString('utf8')) as Kept<T>;
  const { owner, until, item } = kept;
  if (typeof owner !== 'string' || typeof until !== 'number' || typeof item !== 'object')
    throw new Error('not an entry with a lease');
  return kept;
}
