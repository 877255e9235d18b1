/**
 * The store of open blocking tasks in SQLite.
 * May import: kernel.
 */
import { randomUUID } from 'node:crypto';
import type { DatabaseSync } from 'node:sqlite';

import type { BlockingOutcome, OpenBlockingStore, StoredBlockingTask } from '../open-blocking.ts';

/** Entries that one sweep takes. */
const CLAIM = 50;

/** Does not own the database: whoever opened it closes it afterwards. */
export function createSqliteOpenBlocking(database: DatabaseSync): OpenBlockingStore {
  const owner = randomUUID();
  const sql = statements(database);
  return {
    async open(task, leaseUntil) {
      const { key, id, plugin, org, operation, onFailure, createdAt, dueAt, timeoutAt } = task;
      const values = [id, plugin, org, operation, onFailure, createdAt, dueAt, timeoutAt] as const;
      const row = sql.open.get(key, owner, leaseUntil, ...values) as unknown as Row;
      return Object.assign(row, { outcome: outcomeOf(row.outcome) });
    },
    async extend(key, { dueAt, timeoutAt }) {
      sql.extend.run(dueAt, timeoutAt, key);
    },
    async decide(key, outcome) {
      return sql.decide.run(JSON.stringify(outcome), key).changes === 1;
    },
    async remove(key) {
      sql.remove.run(key);
    },
    async renew(leaseUntil) {
      sql.renew.run(leaseUntil, owner);
    },
    async release(key) {
      sql.release.run(key);
    },
    async claim(now, again) {
      // One statement: of two hosts that sweep at once, each entry goes to one. The owner '' renews nothing.
      const rows = sql.claim.all(again, now, now, CLAIM) as unknown as Row[];
      return rows.map((row) => Object.assign(row, { outcome: outcomeOf(row.outcome) }));
    },
    async count() {
      return (sql.count.get() as { n: number }).n;
    },
  };
}

type Row = Omit<StoredBlockingTask, 'outcome'> & { outcome: string | null };

function outcomeOf(text: string | null): BlockingOutcome | null {
  return text === null ? null : (JSON.parse(text) as BlockingOutcome);
}

const COLUMNS = `key, id, plugin, org, operation, on_failure AS onFailure, created_at AS createdAt,
         due_at AS dueAt, timeout_at AS timeoutAt, outcome`;

function statements(database: DatabaseSync) {
  const prepare = (text: string) => database.prepare(text);
  return {
    // A delivery that comes again keeps the time by which the first one had to decide.
    open: prepare(
      `INSERT INTO open_blocking (key, owner, lease_until, id, plugin, org, operation, on_failure,
         created_at, due_at, timeout_at)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
       ON CONFLICT (key) DO UPDATE SET owner = excluded.owner, lease_until = excluded.lease_until,
         on_failure = excluded.on_failure,
         timeout_at = coalesce(excluded.timeout_at, timeout_at), due_at = min(due_at, excluded.due_at)
       RETURNING ${COLUMNS}`,
    ),
    extend: prepare('UPDATE open_blocking SET due_at = ?, timeout_at = ? WHERE key = ?'),
    decide: prepare('UPDATE open_blocking SET outcome = ? WHERE key = ? AND outcome IS NULL'),
    remove: prepare('DELETE FROM open_blocking WHERE key = ?'),
    renew: prepare('UPDATE open_blocking SET lease_until = ? WHERE owner = ?'),
    release: prepare(`UPDATE open_blocking SET lease_until = 0, owner = '' WHERE key = ?`),
    claim: prepare(
      `UPDATE open_blocking SET owner = '', lease_until = ?
       WHERE key IN (SELECT key FROM open_blocking
         WHERE lease_until < ? AND (outcome IS NOT NULL OR due_at <= ?)
         ORDER BY due_at LIMIT ?)
       RETURNING ${COLUMNS}`,
    ),
    count: prepare('SELECT count(*) AS n FROM open_blocking'),
  };
}
