/**
 * The kv port in SQLite.
 * May import: kernel.
 */
import type { DatabaseSync } from 'node:sqlite';

import { systemClock, type Clock } from '../../kernel/time.ts';
import type { KvEntry, KvStore } from '../kv-store.ts';

const SWEEP_MS = 60_000;

/** Does not own the database: whoever opened it closes it afterwards. */
export function openSqliteKv(database: DatabaseSync, clock: Clock = systemClock): KvStore {
  const sql = statements(database);
  const timer = setInterval(() => sql.sweep.run(clock.now()), SWEEP_MS).unref();

  return {
    async get({ plugin, org }, key) {
      const row = sql.get.get(plugin, org, key, clock.now());
      return (row as KvEntry | undefined) ?? null;
    },
    async put({ plugin, org }, key, { value, expiresAt, ifVersion }) {
      database.exec('BEGIN IMMEDIATE');
      try {
        const row = sql.get.get(plugin, org, key, clock.now()) as KvEntry | undefined;
        if (ifVersion !== undefined && ifVersion !== (row?.version ?? 0)) return null;
        const { value: version } = sql.nextVersion.get() as { value: number };
        sql.put.run(plugin, org, key, value, version, expiresAt);
        return version;
      } finally {
        database.exec('COMMIT');
      }
    },
    async delete({ plugin, org }, key) {
      return sql.delete.run(plugin, org, key, clock.now()).changes === 1;
    },
    async list({ plugin, org }, { prefix, limit, cursor }) {
      const after = cursor ?? '';
      const rows = sql.list.all(plugin, org, after, prefix, prefix, clock.now(), limit + 1);
      const keys = (rows as { key: string }[]).slice(0, limit).map(({ key }) => key);
      return { keys, cursor: rows.length > limit ? (keys.at(-1) ?? null) : null };
    },
    async forget(plugin) {
      sql.forget.run(plugin);
    },
    async usage({ plugin, org }) {
      const now = clock.now();
      // Looked for first: a deletion takes the lock of the file, whether there is anything to delete or not.
      if (sql.ended.get(plugin, org, now)) sql.sweepScope.run(plugin, org, now);
      const usage = sql.usage.get(plugin, org) as Usage | undefined;
      return { keys: usage?.keys ?? 0, bytes: usage?.bytes ?? 0 };
    },
    async [Symbol.asyncDispose]() {
      clearInterval(timer);
    },
  };
}

interface Usage {
  readonly keys: number;
  readonly bytes: number;
}

const LIVE = '(expires_at IS NULL OR expires_at > ?)';

function statements(database: DatabaseSync) {
  const prepare = (text: string) => database.prepare(text);
  return {
    get: prepare(
      `SELECT value, version, expires_at AS expiresAt FROM kv
       WHERE plugin = ? AND org = ? AND key = ? AND ${LIVE}`,
    ),
    nextVersion: prepare(
      `UPDATE counters SET value = value + 1 WHERE name = 'kv.version' RETURNING value`,
    ),
    put: prepare(
      `INSERT INTO kv VALUES (?, ?, ?, ?, ?, ?)
       ON CONFLICT (plugin, org, key) DO UPDATE SET value = excluded.value,
         version = excluded.version, expires_at = excluded.expires_at`,
    ),
    delete: prepare(`DELETE FROM kv WHERE plugin = ? AND org = ? AND key = ? AND ${LIVE}`),
    // No text in UTF-8 has a byte as large as the last one of the upper end.
    list: prepare(
      `SELECT key FROM kv INDEXED BY kv_by_key
       WHERE plugin = ? AND org = ? AND key > ? AND key >= ?
         AND key < CAST(CAST(? AS BLOB) || x'FF' AS TEXT)
         AND ${LIVE} ORDER BY key LIMIT ?`,
    ),
    ended: prepare('SELECT 1 FROM kv WHERE plugin = ? AND org = ? AND expires_at <= ? LIMIT 1'),
    usage: prepare('SELECT keys, bytes FROM kv_usage WHERE plugin = ? AND org = ?'),
    sweepScope: prepare('DELETE FROM kv WHERE plugin = ? AND org = ? AND expires_at <= ?'),
    forget: prepare('DELETE FROM kv WHERE plugin = ?'),
    sweep: prepare('DELETE FROM kv WHERE expires_at <= ?'),
  };
}
