/**
 * The embedded store: one SQLite file that the hosts of one machine may share.
 * May import: kernel.
 */
import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync } from 'node:sqlite';

import { HostError, messageOf } from '../../kernel/errors.ts';

/** Grows with every change of the tables; an older file is brought up to date step by step. */
const STEPS = [
  `CREATE TABLE journal (
     key TEXT PRIMARY KEY, digest TEXT NOT NULL, owner TEXT NOT NULL,
     begun_at INTEGER NOT NULL, reply BLOB
   ) STRICT, WITHOUT ROWID;
   CREATE INDEX journal_by_age ON journal (begun_at);
   CREATE TABLE owners (owner TEXT PRIMARY KEY, seen_at INTEGER NOT NULL) STRICT, WITHOUT ROWID;
   CREATE TABLE kv (
     plugin TEXT NOT NULL, org TEXT NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL,
     version INTEGER NOT NULL, expires_at INTEGER, PRIMARY KEY (plugin, org, key)
   ) STRICT, WITHOUT ROWID;
   CREATE TABLE counters (name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT, WITHOUT ROWID;
   INSERT INTO counters VALUES ('kv.version', 0);`,
  `CREATE TABLE open_tasks (
     key TEXT PRIMARY KEY, owner TEXT NOT NULL, lease_until INTEGER NOT NULL, plugin TEXT NOT NULL,
     namespace TEXT NOT NULL, org TEXT NOT NULL, user TEXT NOT NULL, operation TEXT NOT NULL,
     created_at INTEGER NOT NULL, href TEXT, outcome TEXT
   ) STRICT, WITHOUT ROWID;
   CREATE INDEX open_tasks_by_lease ON open_tasks (lease_until);`,
  `CREATE TABLE tenant_plugins (
     plugin TEXT PRIMARY KEY, owner TEXT, orgs TEXT NOT NULL
   ) STRICT, WITHOUT ROWID;
   CREATE TABLE tenant_settings (
     plugin TEXT NOT NULL, org TEXT NOT NULL, kind TEXT NOT NULL, value TEXT NOT NULL,
     PRIMARY KEY (plugin, org, kind)
   ) STRICT, WITHOUT ROWID;
   CREATE TABLE tenant_secrets (
     plugin TEXT NOT NULL, org TEXT NOT NULL, name TEXT NOT NULL, sealed BLOB NOT NULL,
     changed_at INTEGER NOT NULL, PRIMARY KEY (plugin, org, name)
   ) STRICT, WITHOUT ROWID;
   CREATE TABLE changes (
     id INTEGER PRIMARY KEY AUTOINCREMENT, at INTEGER NOT NULL, who TEXT NOT NULL, action TEXT NOT NULL,
     plugin TEXT, org TEXT, subject TEXT, before TEXT, after TEXT
   ) STRICT;`,
  `CREATE TABLE installed (
     plugin TEXT PRIMARY KEY, revision INTEGER NOT NULL, record TEXT NOT NULL
   ) STRICT, WITHOUT ROWID;
   CREATE TABLE blobs (hash TEXT PRIMARY KEY, bytes BLOB NOT NULL) STRICT;
   CREATE TABLE tokens (
     digest TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE, owner TEXT NOT NULL, created_at INTEGER NOT NULL
   ) STRICT, WITHOUT ROWID;`,
  `CREATE TABLE open_blocking (
     key TEXT PRIMARY KEY, owner TEXT NOT NULL, lease_until INTEGER NOT NULL, id TEXT NOT NULL,
     plugin TEXT NOT NULL, org TEXT NOT NULL, operation TEXT NOT NULL, on_failure TEXT NOT NULL,
     created_at INTEGER NOT NULL, due_at INTEGER NOT NULL, timeout_at INTEGER, outcome TEXT
   ) STRICT, WITHOUT ROWID;
   CREATE INDEX open_blocking_by_lease ON open_blocking (lease_until);`,
  `CREATE TABLE event_bindings (queue TEXT PRIMARY KEY, list TEXT NOT NULL) STRICT, WITHOUT ROWID;`,
  // By time first: what is written together lies together, and costs one page instead of one for each event.
  `CREATE TABLE handled_events (
     at INTEGER NOT NULL, key TEXT NOT NULL, PRIMARY KEY (at, key)
   ) STRICT, WITHOUT ROWID;`,
  // Counting a full store took 20 ms of the host for every put, and listing as long: guests could hold all others up.
  `CREATE TABLE kv_usage (
     plugin TEXT NOT NULL, org TEXT NOT NULL, keys INTEGER NOT NULL, bytes INTEGER NOT NULL,
     PRIMARY KEY (plugin, org)
   ) STRICT, WITHOUT ROWID;
   INSERT INTO kv_usage SELECT plugin, org, count(*), sum(octet_length(key) + octet_length(value))
     FROM kv GROUP BY plugin, org;
   CREATE TRIGGER kv_added AFTER INSERT ON kv BEGIN
     INSERT INTO kv_usage
       VALUES (new.plugin, new.org, 1, octet_length(new.key) + octet_length(new.value))
       ON CONFLICT (plugin, org) DO UPDATE SET keys = keys + 1, bytes = bytes + excluded.bytes;
   END;
   CREATE TRIGGER kv_changed AFTER UPDATE OF value ON kv BEGIN
     UPDATE kv_usage SET bytes = bytes + octet_length(new.value) - octet_length(old.value)
       WHERE plugin = new.plugin AND org = new.org;
   END;
   CREATE TRIGGER kv_removed AFTER DELETE ON kv BEGIN
     UPDATE kv_usage SET keys = keys - 1,
         bytes = bytes - octet_length(old.key) - octet_length(old.value)
       WHERE plugin = old.plugin AND org = old.org;
     DELETE FROM kv_usage WHERE plugin = old.plugin AND org = old.org AND keys = 0;
   END;
   CREATE INDEX kv_by_key ON kv (plugin, org, key, expires_at);
   CREATE INDEX kv_by_end ON kv (plugin, org, expires_at) WHERE expires_at IS NOT NULL;`,
];

/**
 * Open or make the file. WAL with `synchronous=NORMAL`: what was written survives the process, and a
 * power cut can cost the last moments but not the file. Throws CONFIG_INVALID when it can't be used.
 */
export function openDatabase(file: string): DatabaseSync {
  try {
    mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
    const database = new DatabaseSync(file, { timeout: 5_000 });
    database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;');
    migrate(database);
    return database;
  } catch (error) {
    throw new HostError('CONFIG_INVALID', `stateDir: ${file}: ${messageOf(error)}`, {
      cause: error,
    });
  }
}

function migrate(database: DatabaseSync): void {
  // IMMEDIATE: of two hosts that start at once, one makes the tables and the other finds them.
  database.exec('BEGIN IMMEDIATE');
  const { user_version: done } = database.prepare('PRAGMA user_version').get() as {
    user_version: number;
  };
  if (done > STEPS.length) {
    database.exec('ROLLBACK');
    throw new Error(`the file was written by a newer vcx (version ${done} of its tables)`);
  }
  for (const step of STEPS.slice(done)) database.exec(step);
  database.exec(`PRAGMA user_version = ${STEPS.length}; COMMIT`);
}
