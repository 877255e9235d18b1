/**
 * The journal in SQLite: replies sealed, entries bounded in time, number and size.
 * May import: kernel.
 */
import { randomUUID } from 'node:crypto';
import type { DatabaseSync } from 'node:sqlite';

import { messageOf } from '../../kernel/errors.ts';
import { silentLog, type Log } from '../../kernel/log.ts';
import { systemClock, type Clock } from '../../kernel/time.ts';
import {
  JOURNAL_DEFAULTS,
  type Begun,
  type Journal,
  type JournalEntry,
  type JournalOptions,
  type JournalStatus,
} from '../journal.ts';
import type { Seal } from '../seal.ts';

interface Row {
  readonly digest: string;
  readonly owner: string;
  readonly reply: Uint8Array | null;
  readonly begun_at: number;
}

type Known = Exclude<Begun, { kind: 'new' }>;

/** A process shows itself to others that share the file this many times in `aliveMs`. */
const BEATS = 3;
const SWEEP_EVERY = 5;

export interface SqliteJournalParts extends JournalOptions {
  readonly database: DatabaseSync;
  readonly seal: Seal;
  readonly clock?: Clock;
  readonly log?: Log;
}

/** Does not own the database: whoever opened it closes it afterwards. */
export function openSqliteJournal(parts: SqliteJournalParts): Journal {
  return new SqliteJournal(parts);
}

class SqliteJournal implements Journal {
  readonly #sql: ReturnType<typeof statements>;
  readonly #seal: Seal;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #limits: Required<JournalOptions>;
  readonly #owner = randomUUID();
  readonly #timer: NodeJS.Timeout;
  #beats = 0;

  constructor(parts: SqliteJournalParts) {
    this.#sql = statements(parts.database);
    this.#seal = parts.seal;
    this.#clock = parts.clock ?? systemClock;
    this.#log = parts.log ?? silentLog;
    this.#limits = { ...JOURNAL_DEFAULTS, ...parts };
    this.#sql.beat.run(this.#owner, this.#clock.now());
    this.#timer = setInterval(() => this.#beat(), this.#limits.aliveMs / BEATS).unref();
  }

  async begin(entry: JournalEntry): Promise<Begun> {
    const now = this.#clock.now();
    // An expired entry gives its place away; any other keeps it.
    const expired = now - this.#limits.keepMs;
    const { changes } = this.#sql.begin.run(entry.key, entry.digest, this.#owner, now, expired);
    return changes === 1
      ? { kind: 'new' }
      : (this.#known(entry) ?? { kind: 'begun', alive: false });
  }

  async finish(key: string, reply: string): Promise<void> {
    this.#sql.finish.run(this.#seal.seal(reply, key), key, this.#owner);
  }

  async look(entry: JournalEntry): Promise<Known | null> {
    return this.#known(entry);
  }

  async status(): Promise<JournalStatus> {
    return this.#size();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#timer);
    this.#sql.leave.run(this.#owner);
  }

  #beat(): void {
    this.#beats += 1;
    try {
      this.#sql.beat.run(this.#owner, this.#clock.now());
      if (this.#beats % SWEEP_EVERY === 0) this.#sweep();
    } catch (error) {
      // A file that is locked for long or a full disk: the next beat tries again.
      this.#log.error('journal.beat_failed', { error: messageOf(error) });
    }
  }

  #sweep(): void {
    const { keepMs, maxEntries, maxBytes } = this.#limits;
    const now = this.#clock.now();
    this.#sql.expire.run(now - keepMs);
    this.#sql.forgetOwners.run(now - keepMs);
    const { entries, bytes } = this.#size();
    if (entries > maxEntries || bytes > maxBytes) this.#sql.trim.run(Math.ceil(entries / 10));
  }

  #size(): JournalStatus {
    return this.#sql.size.get() as unknown as JournalStatus;
  }

  #known({ key, digest }: JournalEntry): Known | null {
    const row = this.#sql.find.get(key) as Row | undefined;
    if (!row || row.begun_at <= this.#clock.now() - this.#limits.keepMs) return null;
    if (row.digest !== digest) return { kind: 'conflict' };
    const reply = row.reply && this.#seal.open(row.reply, key);
    if (reply) return { kind: 'answered', reply };
    return { kind: 'begun', alive: row.reply === null && this.#isAlive(row.owner) };
  }

  #isAlive(owner: string): boolean {
    const row = this.#sql.seen.get(owner) as { seen_at: number } | undefined;
    return row !== undefined && row.seen_at > this.#clock.now() - this.#limits.aliveMs;
  }
}

function statements(database: DatabaseSync) {
  const prepare = (text: string) => database.prepare(text);
  return {
    begin: prepare(
      `INSERT INTO journal (key, digest, owner, begun_at) VALUES (?, ?, ?, ?)
       ON CONFLICT (key) DO UPDATE SET digest = excluded.digest, owner = excluded.owner,
         begun_at = excluded.begun_at, reply = NULL
       WHERE journal.begun_at <= ?`,
    ),
    find: prepare('SELECT digest, owner, reply, begun_at FROM journal WHERE key = ?'),
    finish: prepare('UPDATE journal SET reply = ? WHERE key = ? AND owner = ?'),
    beat: prepare(
      `INSERT INTO owners VALUES (?, ?) ON CONFLICT (owner) DO UPDATE SET seen_at = excluded.seen_at`,
    ),
    seen: prepare('SELECT seen_at FROM owners WHERE owner = ?'),
    leave: prepare('DELETE FROM owners WHERE owner = ?'),
    expire: prepare('DELETE FROM journal WHERE begun_at <= ?'),
    forgetOwners: prepare('DELETE FROM owners WHERE seen_at <= ?'),
    size: prepare(
      'SELECT count(*) AS entries, coalesce(sum(length(reply)), 0) AS bytes FROM journal',
    ),
    trim: prepare(
      `DELETE FROM journal WHERE key IN (
         SELECT key FROM journal WHERE reply IS NOT NULL ORDER BY begun_at LIMIT ?)`,
    ),
  };
}
