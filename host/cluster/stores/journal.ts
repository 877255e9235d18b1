/**
 * The journal on NATS, shared by all hosts: replies sealed, entries ended by the clock of the server.
 * May import: kernel, storage, cluster.
 *
 * The key that seals must be the same on all hosts. When the bucket is full, calls that must not run twice are
 * refused: to make room by dropping entries would let them run twice.
 */
import { z } from 'zod';

import {
  JOURNAL_DEFAULTS,
  type Begun,
  type Journal,
  type JournalEntry,
  type JournalOptions,
  type JournalStatus,
} from '../../storage/journal.ts';
import type { Seal } from '../../storage/seal.ts';
import { openBucket, type Bucket } from '../link/bucket.ts';
import { keyPart } from '../link/keys.ts';
import type { Link } from '../link/link.ts';
import type { Pulse } from '../pulse.ts';

export interface NatsJournalParts extends Pick<JournalOptions, 'keepMs' | 'aliveMs'> {
  readonly link: Link;
  /** Not owned. Its id is who begins a call, its beats are what shows that the owner of a call lives. */
  readonly pulse: Pulse;
  readonly seal: Seal;
}

type Known = Exclude<Begun, { kind: 'new' }>;

interface Head {
  readonly digest: string;
  readonly owner: string;
  /** Pieces of the sealed reply that lie beside the entry; 0: it is the body of the entry. */
  readonly pieces: number;
  readonly answered: boolean;
}

interface Stored extends Head {
  readonly revision: number;
  readonly body: Uint8Array;
}

/** Left of a message for subject, headers and head. */
const HEADROOM = 8_192;
/** Calls remembered whose beginning got no answer, or that were not finished; the oldest are forgotten. */
const MAX_REMEMBERED = 50_000;

/** Throws a CLUSTER code. */
export async function openNatsJournal(parts: NatsJournalParts): Promise<Journal> {
  const limits = { ...JOURNAL_DEFAULTS, ...parts };
  const bucket = await openBucket(parts.link, 'journal', { maxAgeMs: limits.keepMs });
  return new NatsJournal(bucket, limits);
}

class NatsJournal implements Journal {
  readonly #bucket: Bucket;
  readonly #parts: NatsJournalParts & Required<JournalOptions>;
  /** Calls that this process began and did not finish. */
  readonly #mine = new Map<string, { readonly digest: string; readonly revision: number }>();
  /** We asked to begin these and got no answer: an entry of ours may be there though nothing ran. */
  readonly #uncertain = new Set<string>();

  constructor(bucket: Bucket, parts: NatsJournalParts & Required<JournalOptions>) {
    this.#bucket = bucket;
    this.#parts = parts;
  }

  async begin(entry: JournalEntry): Promise<Begun> {
    // A second round for an entry that ended between two looks.
    return (await this.#tryBegin(entry)) ?? (await this.#tryBegin(entry)) ?? BEGUN;
  }

  async finish(key: string, reply: string): Promise<void> {
    const begun = this.#mine.get(key);
    if (!begun) return;
    this.#mine.delete(key);
    const sealed = this.#parts.seal.seal(reply, key);
    const room = this.#parts.link.maxPayload - HEADROOM;
    const pieces = sealed.length > room ? Math.ceil(sealed.length / room) : 0;
    for (let piece = 0; piece < pieces; piece += 1)
      await this.#bucket.put(
        pieceKey(key, piece),
        sealed.subarray(piece * room, (piece + 1) * room),
      );
    const head = { digest: begun.digest, owner: this.#parts.pulse.id, pieces, answered: true };
    const value = encode(head, pieces > 0 ? new Uint8Array() : sealed);
    await this.#bucket.replace(entryKey(key), value, begun.revision);
  }

  async look(entry: JournalEntry): Promise<Known | null> {
    const stored = await this.#read(entry.key);
    return stored && this.#known(entry, stored);
  }

  async status(): Promise<JournalStatus> {
    return this.#bucket.size();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#mine.clear();
  }

  /** Null when the entry that was in the way is gone. */
  async #tryBegin(entry: JournalEntry): Promise<Begun | null> {
    const revision = await this.#write(entry, 0);
    if (revision !== null) return this.#began(entry, revision);
    const stored = await this.#bucket.peek(entryKey(entry.key));
    const there = stored?.value ? decode(stored.revision, stored.value) : null;
    if (!stored || !there) return null;
    const expired = stored.createdAt <= this.#parts.pulse.now() - this.#parts.keepMs;
    if (!expired && !this.#isOursUnrun(entry, there)) return this.#known(entry, there);
    const again = await this.#write(entry, stored.revision);
    return again === null ? null : this.#began(entry, again);
  }

  #began({ key, digest }: JournalEntry, revision: number): Begun {
    this.#uncertain.delete(key);
    this.#mine.set(key, { digest, revision });
    forgetOldest(this.#mine);
    return { kind: 'new' };
  }

  async #write({ key, digest }: JournalEntry, revision: number): Promise<number | null> {
    const head = { digest, owner: this.#parts.pulse.id, pieces: 0, answered: false };
    try {
      return await this.#bucket.replace(entryKey(key), encode(head, new Uint8Array()), revision);
    } catch (error) {
      this.#uncertain.add(key);
      forgetOldest(this.#uncertain);
      throw error;
    }
  }

  #isOursUnrun({ key, digest }: JournalEntry, there: Stored): boolean {
    return (
      there.owner === this.#parts.pulse.id &&
      there.digest === digest &&
      !there.answered &&
      this.#uncertain.has(key)
    );
  }

  async #read(key: string): Promise<Stored | null> {
    const entry = await this.#bucket.get(entryKey(key));
    if (!entry?.value || entry.createdAt <= this.#parts.pulse.now() - this.#parts.keepMs)
      return null;
    return decode(entry.revision, entry.value);
  }

  async #known({ key, digest }: JournalEntry, stored: Stored): Promise<Known> {
    if (stored.digest !== digest) return { kind: 'conflict' };
    if (!stored.answered) return { kind: 'begun', alive: await this.#isAlive(stored.owner) };
    const sealed = await this.#sealedReply(key, stored);
    const reply = sealed && this.#parts.seal.open(sealed, key);
    return reply === null ? BEGUN : { kind: 'answered', reply };
  }

  async #sealedReply(key: string, { pieces, body }: Stored): Promise<Uint8Array | null> {
    if (pieces === 0) return body;
    const found = await Promise.all(
      Array.from({ length: pieces }, async (_, piece) => this.#bucket.get(pieceKey(key, piece))),
    );
    const bytes = found.flatMap((entry) => (entry?.value ? [entry.value] : []));
    return bytes.length === pieces ? Buffer.concat(bytes) : null;
  }

  async #isAlive(owner: string): Promise<boolean> {
    const { pulse, aliveMs } = this.#parts;
    const seenAt = await pulse.seenAt(owner);
    return seenAt !== null && seenAt > pulse.now() - aliveMs;
  }
}

/** It may have run, and nobody knows. */
const BEGUN = { kind: 'begun', alive: false } as const;

const entryKey = (key: string) => `e.${keyPart(key)}`;
const pieceKey = (key: string, piece: number) => `p.${keyPart(key)}.${piece}`;

/** Sets and maps keep the order of insertion. */
function forgetOldest(remembered: Set<string> | Map<string, unknown>): void {
  const [oldest] = remembered.keys();
  if (remembered.size > MAX_REMEMBERED && oldest !== undefined) remembered.delete(oldest);
}

/** More pieces than any reply has: each is looked up. */
const MAX_PIECES = 1_000;

const headSchema = z.object({
  digest: z.string(),
  owner: z.string(),
  pieces: z.int().min(0).max(MAX_PIECES),
  answered: z.boolean(),
});

/** One line of JSON, then the sealed reply. */
function encode(head: Head, body: Uint8Array): Uint8Array {
  return Buffer.concat([Buffer.from(`${JSON.stringify(head)}\n`), body]);
}

/** Null for what nobody of us wrote. */
function decode(revision: number, value: Uint8Array): Stored | null {
  const end = value.indexOf(0x0a);
  try {
    const head = headSchema.parse(JSON.parse(Buffer.from(value.subarray(0, end)).toString('utf8')));
    return { ...head, revision, body: value.subarray(end + 1) };
  } catch {
    return null;
  }
}
