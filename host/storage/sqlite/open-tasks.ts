/**
 * The store of open tasks in SQLite.
 * May import: kernel.
 */
import { randomUUID } from 'node:crypto';
import type { DatabaseSync } from 'node:sqlite';

import type { OpenTaskStore, StoredTask, TaskOutcome } from '../open-tasks.ts';

/** Entries that one sweep takes. */
const CLAIM = 50;

/** Does not own the database: whoever opened it closes it afterwards. */
export function createSqliteOpenTasks(database: DatabaseSync): OpenTaskStore {
  const owner = randomUUID();
  const sql = statements(database);
  return {
    async add({ key, plugin, namespace, org, user, operation, createdAt }, leaseUntil) {
      sql.add.run(key, owner, leaseUntil, plugin, namespace, org, user, operation, createdAt);
    },
    async located(key, href) {
      sql.located.run(href, key);
    },
    async settled(key, outcome) {
      sql.settled.run(JSON.stringify(outcome), key);
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
      const rows = sql.claim.all(again, now, CLAIM) as unknown as Row[];
      return rows.map((row) =>
        Object.assign(row, { outcome: row.outcome && (JSON.parse(row.outcome) as TaskOutcome) }),
      ) as readonly StoredTask[];
    },
    async holds(href) {
      return sql.holds.get(href) !== undefined;
    },
    async count() {
      return (sql.count.get() as { n: number }).n;
    },
  };
}

type Row = Omit<StoredTask, 'outcome'> & { outcome: string | null };

function statements(database: DatabaseSync) {
  const prepare = (text: string) => database.prepare(text);
  return {
    add: prepare(
      `INSERT INTO open_tasks (key, owner, lease_until, plugin, namespace, org, user, operation, created_at)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    ),
    located: prepare('UPDATE open_tasks SET href = ? WHERE key = ?'),
    settled: prepare('UPDATE open_tasks SET outcome = ? WHERE key = ?'),
    remove: prepare('DELETE FROM open_tasks WHERE key = ?'),
    renew: prepare('UPDATE open_tasks SET lease_until = ? WHERE owner = ?'),
    release: prepare(`UPDATE open_tasks SET lease_until = 0, owner = '' WHERE key = ?`),
    claim: prepare(
      `UPDATE open_tasks SET owner = '', lease_until = ?
       WHERE key IN (SELECT key FROM open_tasks WHERE lease_until < ? ORDER BY lease_until LIMIT ?)
       RETURNING key, plugin, namespace, org, user, operation, created_at AS createdAt, href, outcome`,
    ),
    holds: prepare('SELECT 1 FROM open_tasks WHERE href = ?'),
    count: prepare('SELECT count(*) AS n FROM open_tasks'),
  };
}
