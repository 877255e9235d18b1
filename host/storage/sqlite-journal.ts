/**
 * The journal in SQLite: replies sealed, entries bounded in time, number and size.
 * May import: kernel.
 */
import { randomUUID } from 'node:crypto';
import type { DatabaseSync } from 'node:sqlite';

import { messageOf } from '../kernel/errors.ts';
import { silentLog, type Log } from '../kernel/log.ts';
import { systemClock, type Clock } from '../kernel/time.ts';
import {
  JOURNAL_DEFAULTS,
  type Begun,
  type Journal,
  type JournalEntry,
  type JournalOptions,
} from './journal.ts';
import type { Seal } from './seal.ts';

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
  const { database, seal, clock = systemClock, log = silentLog } = parts;
  const limits = { ...JOURNAL_DEFAULTS, ...parts };
  const owner = randomUUID();
  const sql = statements(database);

  function beat(): void {
    sql.beat.run(owner, clock.now());
  }
  beat();
  let beats = 0;
  const timer = setInterval(() => {
    beats += 1;
    try {
      beat();
      if (beats % SWEEP_EVERY === 0) sweep();
    } catch (error) {
      // A file that is locked for long or a full disk: the next beat tries again.
      log.error('journal.beat_failed', { error: messageOf(error) });
    }
  }, limits.aliveMs / BEATS).unref();

  function sweep(): void {
    const now = clock.now();
    sql.expire.run(now - limits.keepMs);
    sql.forgetOwners.run(now - limits.keepMs);
    const { entries, bytes } = size();
    if (entries > limits.maxEntries || bytes > limits.maxBytes)
      sql.trim.run(Math.ceil(entries / 10));
  }
  function size(): { entries: number; bytes: number } {
    return sql.size.get() as { entries: number; bytes: number };
  }

  function known({ key, digest }: JournalEntry): Known | null {
    const row = sql.find.get(key) as Row | undefined;
    if (!row || row.begun_at <= clock.now() - limits.keepMs) return null;
    if (row.digest !== digest) return { kind: 'conflict' };
    const reply = row.reply && seal.open(row.reply, key);
    if (reply) return { kind: 'answered', reply };
    return { kind: 'begun', alive: row.reply === null && isAlive(row.owner) };
  }
  function isAlive(other: string): boolean {
    const row = sql.seen.get(other) as { seen_at: number } | undefined;
    return row !== undefined && row.seen_at > clock.now() - limits.aliveMs;
  }

  return {
    async begin(entry) {
      const now = clock.now();
      // An expired entry gives its place away; any other keeps it.
      const { changes } = sql.begin.run(entry.key, entry.digest, owner, now, now - limits.keepMs);
      return changes === 1 ? { kind: 'new' } : (known(entry) ?? { kind: 'begun', alive: false });
    },
    async finish(key, reply) {
      sql.finish.run(seal.seal(reply, key), key, owner);
    },
    async look(entry) {
      return known(entry);
    },
    async status() {
      return size();
    },
    async [Symbol.asyncDispose]() {
      clearInterval(timer);
      sql.leave.run(owner);
    },
  };
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
