/**
 * The audit log in SQLite.
 * May import: kernel.
 */
import type { DatabaseSync } from 'node:sqlite';

import { systemClock, type Clock } from '../../kernel/time.ts';
import type { Change, ChangeLog, NewChange } from '../changes.ts';

export interface SqliteChangesOptions {
  readonly clock?: Clock;
  /** Entries kept. @default 100000 */
  readonly maxEntries?: number;
}

export interface SqliteChanges extends ChangeLog {
  /** Inside a transaction of the same database the entry stands or falls with it. */
  recordNow(change: NewChange): void;
}

/** Runs the work and records its entry in one transaction: both happen, or neither. Null records nothing. */
export type RecordedChange = <T>(
  work: () => {
    readonly result: T;
    readonly entry: NewChange | null;
  },
) => T;

/** Longest name that is kept whole; authors of changes are no more trusted than others. */
const MAX_CHARS = 500;
const MAX_PAGE = 1_000;

/** Does not own the database: whoever opened it closes it. */
export function createSqliteChanges(
  database: DatabaseSync,
  { clock = systemClock, maxEntries = 100_000 }: SqliteChangesOptions = {},
): SqliteChanges {
  const insert = database.prepare(
    `INSERT INTO changes (at, who, action, plugin, org, subject, before, after)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
  );
  const trim = database.prepare('DELETE FROM changes WHERE id <= ?');
  const list = database.prepare(
    `SELECT id, at, who, action, plugin, org, subject, before, after FROM changes
     WHERE (?1 IS NULL OR plugin = ?1) AND (?2 IS NULL OR org = ?2) AND id < ?3
     ORDER BY id DESC LIMIT ?4`,
  );

  function recordNow({ who, action, plugin, org, subject, before, after }: NewChange): void {
    const texts = [plugin, org, subject, before, after].map(
      (text) => text?.slice(0, MAX_CHARS) ?? null,
    ) as [string | null, string | null, string | null, string | null, string | null];
    const { lastInsertRowid } = insert.run(
      clock.now(),
      who.slice(0, MAX_CHARS),
      action.slice(0, MAX_CHARS),
      ...texts,
    );
    trim.run(Number(lastInsertRowid) - maxEntries);
  }

  return {
    recordNow,
    record: async (change) => recordNow(change),
    async list({ plugin, org, before = Number.MAX_SAFE_INTEGER, limit = 100 } = {}) {
      const rows = list.all(plugin ?? null, org ?? null, before, Math.min(limit, MAX_PAGE));
      return rows as unknown as Change[];
    },
  };
}
