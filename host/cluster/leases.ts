/**
 * Leases: of several hosts one does a job, and another takes it over within seconds of its death.
 * May import: kernel, cluster.
 *
 * No clock is compared with another. Who holds a lease trusts it for less than `ttlMs` after it asked for the last
 * renewal that was granted; who waits takes it when he has seen it unchanged for all of `ttlMs` by his own monotonic
 * clock. So a host that is cut off from NATS knows that its lease is gone before another can have it. A machine that
 * is put to sleep may find out late: what must not happen twice is guarded by the fencing token too.
 */
import { messageOf } from '../kernel/errors.ts';
import type { Clock } from '../kernel/time.ts';
import { openBucket, type Bucket } from './link/bucket.ts';
import { keyPart } from './link/keys.ts';
import type { Link } from './link/link.ts';

export interface Lease extends AsyncDisposable {
  readonly name: string;
  /** Whether this process may do the job now. Ask before every step of it. */
  readonly held: boolean;
  /** Fencing token: grows with every new holder. Null while it is not held. */
  readonly token: number | null;
  /** Id of who holds it, as far as was seen; null for nobody. */
  readonly holder: string | null;
}

export interface LeaseOptions {
  readonly link: Link;
  /** Such as `registrar`. */
  readonly name: string;
  /** Of this process: `Pulse.id`. */
  readonly holder: string;
  /** After so long without renewal others take it, in ms. @default 6000 */
  readonly ttlMs?: number;
  /** Called when it was got and when it was lost, by time too; must not throw. */
  readonly onChange?: (held: boolean) => void;
}

interface LeaseRecord {
  /** '' after it was given back. */
  readonly holder: string;
  /** Revision of the entry with which the holder got it. */
  readonly token: number | null;
}

/** Part of `ttlMs` for which the holder trusts a renewal; the rest is for clocks that tick unevenly. */
const TRUST = 0.75;
/** Renewals and looks in one `ttlMs`. */
const BEATS = 6;

/** Waits for the lease from now on, and keeps it once it is got. Disposing it gives it back. Throws a CLUSTER code. */
export async function openLease(options: LeaseOptions): Promise<Lease> {
  const bucket = await openBucket(options.link, 'leases');
  const lease = new NatsLease(bucket, options);
  await lease.step();
  return lease;
}

class NatsLease implements Lease {
  readonly name: string;
  readonly #options: LeaseOptions;
  readonly #bucket: Bucket;
  readonly #clock: Clock;
  readonly #ttlMs: number;
  readonly #key: string;
  readonly #timer: NodeJS.Timeout;
  #expiry: NodeJS.Timeout | undefined;
  #stepping: Promise<void> | null = null;
  #mine: { readonly token: number; revision: number; until: number } | null = null;
  #seen: {
    readonly revision: number;
    readonly since: number;
    readonly record: LeaseRecord;
  } | null = null;

  constructor(bucket: Bucket, options: LeaseOptions) {
    this.name = options.name;
    this.#options = options;
    this.#bucket = bucket;
    this.#clock = options.link.settings.clock;
    this.#ttlMs = options.ttlMs ?? 6_000;
    this.#key = keyPart(options.name);
    this.#timer = setInterval(() => void this.step(), this.#ttlMs / BEATS).unref();
  }

  get held(): boolean {
    return this.#mine !== null && this.#clock.monotonic() < this.#mine.until;
  }

  get token(): number | null {
    return this.held ? (this.#mine?.token ?? null) : null;
  }

  get holder(): string | null {
    return this.held ? this.#options.holder : this.#seen?.record.holder || null;
  }

  /** One renewal, or one look. Never rejects. */
  step(): Promise<void> {
    this.#stepping ??= this.#step()
      .catch((error: unknown) => {
        const { log } = this.#options.link.settings;
        log.debug('lease.step_failed', { lease: this.name, reason: messageOf(error) });
      })
      .finally(() => (this.#stepping = null));
    return this.#stepping;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#timer);
    await this.#stepping;
    clearTimeout(this.#expiry);
    const mine = this.#mine;
    const held = this.held;
    this.#lose();
    if (!mine || !held) return;
    const free: LeaseRecord = { holder: '', token: null };
    // Without an answer the others wait until it runs out.
    await this.#bucket
      .replace(this.#key, JSON.stringify(free), mine.revision)
      .catch(() => undefined);
  }

  async #step(): Promise<void> {
    if (this.#mine && !this.held) this.#lose();
    await (this.#mine ? this.#renew(this.#mine) : this.#wait());
  }

  async #renew(mine: { readonly token: number; revision: number; until: number }): Promise<void> {
    const asked = this.#clock.monotonic();
    const record: LeaseRecord = { holder: this.#options.holder, token: mine.token };
    const revision = await this.#bucket.replace(this.#key, JSON.stringify(record), mine.revision);
    // It ran out while the answer was on its way.
    if (this.#mine !== mine) return;
    if (revision === null) await this.#compare(mine);
    else this.#keep({ token: mine.token, revision, until: asked + this.#ttlMs * TRUST });
  }

  /** Somebody took it, or an earlier renewal of ours was made and its answer lost. */
  async #compare(mine: { readonly token: number; revision: number }): Promise<void> {
    const entry = await this.#bucket.get(this.#key);
    const record = entry?.value ? decode(entry.value) : FREE;
    const ours = record.holder === this.#options.holder && record.token === mine.token;
    if (entry && ours) mine.revision = entry.revision;
    else this.#lose();
  }

  async #wait(): Promise<void> {
    const entry = await this.#bucket.get(this.#key);
    const record = entry?.value ? decode(entry.value) : FREE;
    const revision = entry?.revision ?? 0;
    const now = this.#clock.monotonic();
    if (this.#seen?.revision !== revision) this.#seen = { revision, since: now, record };
    const free = record.holder === '' || now - this.#seen.since >= this.#ttlMs;
    if (!free) return;
    const asked = this.#clock.monotonic();
    const taken: LeaseRecord = { holder: this.#options.holder, token: null };
    const got = await this.#bucket.replace(this.#key, JSON.stringify(taken), revision);
    if (got === null) return;
    this.#keep({ token: got, revision: got, until: asked + this.#ttlMs * TRUST });
    const { log } = this.#options.link.settings;
    log.info('lease.taken', { lease: this.name, token: got, from: record.holder || null });
    this.#options.onChange?.(true);
  }

  #keep(mine: { readonly token: number; revision: number; until: number }): void {
    this.#mine = mine;
    clearTimeout(this.#expiry);
    const left = Math.max(0, mine.until - this.#clock.monotonic());
    this.#expiry = setTimeout(() => this.#expire(), left + 1).unref();
  }

  #expire(): void {
    if (this.#mine && !this.held) this.#lose();
  }

  #lose(): void {
    if (!this.#mine) return;
    this.#mine = null;
    this.#seen = null;
    clearTimeout(this.#expiry);
    this.#options.link.settings.log.warn('lease.lost', { lease: this.name });
    this.#options.onChange?.(false);
  }
}

const FREE: LeaseRecord = { holder: '', token: null };

/** What nobody of us wrote is held by somebody: it is taken when it does not change. */
function decode(value: Uint8Array): LeaseRecord {
  try {
    const { holder, token } = JSON.parse(Buffer.from(value).toString('utf8')) as LeaseRecord;
    return typeof holder === 'string' ? { holder, token } : { holder: '?', token: null };
  } catch {
    return { holder: '?', token: null };
  }
}
