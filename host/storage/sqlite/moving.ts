/**
 * All of a SQLite store as items, and back.
 * May import: kernel, storage.
 */
import type { DatabaseSync, SQLInputValue } from 'node:sqlite';

import { HostError } from '../../kernel/errors.ts';
import type { Change } from '../changes.ts';
import type { InstalledStore } from '../installed.ts';
import {
  isSameEnd,
  takeBlob,
  takeInstalled,
  type MovedItem,
  type MovedOf,
  type Movable,
} from '../moving.ts';
import type { Seal } from '../seal.ts';
import { secretPlace } from '../tenant-values.ts';

export interface SqliteMovableParts {
  readonly database: DatabaseSync;
  /** That of the secrets. */
  readonly seal: Seal;
  readonly installed: InstalledStore;
}

/** Owns nothing. */
export function createSqliteMovable(parts: SqliteMovableParts): Movable {
  const { database, installed } = parts;
  const count = database.prepare(
    `SELECT (SELECT count(*) FROM kv) + (SELECT count(*) FROM tenant_plugins)
       + (SELECT count(*) FROM tenant_settings) + (SELECT count(*) FROM tenant_secrets)
       + (SELECT count(*) FROM changes) + (SELECT count(*) FROM blobs)
       + (SELECT count(*) FROM installed) AS n`,
  );
  const takes = takers(parts);
  return {
    title: 'SQLite',
    count: async () => (count.get() as { n: number }).n,
    items: () => items(parts),
    async take(item) {
      if (item.kind === 'blob') return takeBlob(installed, item);
      if (item.kind === 'installed') return takeInstalled(installed, item);
      return takes(item);
    },
  };
}

async function* items({ database, seal, installed }: SqliteMovableParts): AsyncIterable<MovedItem> {
  const rows = <T>(text: string) => database.prepare(text).iterate() as Iterable<T>;
  yield* rows<MovedOf<'kv'>>(
    `SELECT 'kv' AS kind, plugin, org, key, value, expires_at AS expiresAt FROM kv`,
  );
  yield* rows<MovedOf<'plugin'>>(
    `SELECT 'plugin' AS kind, plugin, owner, orgs FROM tenant_plugins`,
  );
  yield* rows<MovedOf<'setting'>>(
    `SELECT 'setting' AS kind, plugin, org, kind AS setting, value FROM tenant_settings`,
  );
  for (const row of rows<SecretRow>('SELECT * FROM tenant_secrets')) yield openSecret(seal, row);
  for (const change of rows<Change>('SELECT * FROM changes ORDER BY id'))
    yield { kind: 'change', change: { ...change } };
  for (const { hash } of rows<{ hash: string }>('SELECT hash FROM blobs'))
    yield { kind: 'blob', hash, bytes: (await installed.getBlob(hash)) ?? new Uint8Array() };
  for (const record of await installed.list()) yield { kind: 'installed', record };
}

interface SecretRow {
  readonly plugin: string;
  readonly org: string;
  readonly name: string;
  readonly sealed: Uint8Array;
  readonly changed_at: number;
}

function openSecret(seal: Seal, row: SecretRow): MovedOf<'secret'> {
  const { plugin, org, name, changed_at: changedAt } = row;
  const value = seal.open(row.sealed, secretPlace(row, name));
  if (value === null)
    throw new HostError(
      'SECRET_UNREADABLE',
      `the secret ${name} of ${plugin} can not be decrypted`,
    );
  return { kind: 'secret', plugin, org, name, value, changedAt };
}

/** Statements that change nothing when all is as it should be. */
function takers({ database, seal }: SqliteMovableParts) {
  const run = (text: string, ...values: SQLInputValue[]) =>
    Number(database.prepare(text).run(...values).changes) > 0;
  return (item: Exclude<MovedItem, { kind: 'blob' | 'installed' }>): boolean => {
    switch (item.kind) {
      case 'kv':
        return takeValue(database, item);
      case 'plugin':
        return run(
          `INSERT INTO tenant_plugins VALUES (?, ?, ?) ON CONFLICT (plugin) DO UPDATE
           SET owner = excluded.owner, orgs = excluded.orgs
           WHERE owner IS NOT excluded.owner OR orgs IS NOT excluded.orgs`,
          item.plugin,
          item.owner,
          item.orgs,
        );
      case 'setting':
        return run(
          `INSERT INTO tenant_settings VALUES (?, ?, ?, ?) ON CONFLICT (plugin, org, kind) DO UPDATE
           SET value = excluded.value WHERE value IS NOT excluded.value`,
          item.plugin,
          item.org,
          item.setting,
          item.value,
        );
      case 'secret':
        return takeSecret(database, seal, item);
      case 'change':
        return takeChange(database, item.change);
    }
  };
}

function takeValue(database: DatabaseSync, item: MovedOf<'kv'>): boolean {
  const { plugin, org, key, value, expiresAt } = item;
  const known = database
    .prepare('SELECT value, expires_at FROM kv WHERE plugin = ? AND org = ? AND key = ?')
    .get(plugin, org, key) as { value: string; expires_at: number | null } | undefined;
  if (known?.value === value && isSameEnd(known.expires_at, expiresAt)) return false;
  const { version } = database
    .prepare(
      `UPDATE counters SET value = value + 1 WHERE name = 'kv.version' RETURNING value AS version`,
    )
    .get() as { version: number };
  database
    .prepare(
      `INSERT INTO kv VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (plugin, org, key) DO UPDATE
       SET value = excluded.value, version = excluded.version, expires_at = excluded.expires_at`,
    )
    .run(plugin, org, key, value, version, expiresAt);
  return true;
}

function takeSecret(database: DatabaseSync, seal: Seal, item: MovedOf<'secret'>): boolean {
  const { plugin, org, name, value, changedAt } = item;
  const known = database
    .prepare('SELECT sealed FROM tenant_secrets WHERE plugin = ? AND org = ? AND name = ?')
    .get(plugin, org, name) as { sealed: Uint8Array } | undefined;
  if (known && seal.open(known.sealed, secretPlace(item, name)) === value) return false;
  database
    .prepare(
      `INSERT INTO tenant_secrets VALUES (?, ?, ?, ?, ?) ON CONFLICT (plugin, org, name)
       DO UPDATE SET sealed = excluded.sealed, changed_at = excluded.changed_at`,
    )
    .run(plugin, org, name, seal.seal(value, secretPlace(item, name)), changedAt);
  return true;
}

/** Ids are given anew: those of the other store may be taken here. */
function takeChange(database: DatabaseSync, change: Change): boolean {
  const { at, who, action, plugin, org, subject, before, after } = change;
  const { changes } = database
    .prepare(
      `INSERT INTO changes (at, who, action, plugin, org, subject, before, after)
       SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8 WHERE NOT EXISTS (SELECT 1 FROM changes
         WHERE at = ?1 AND who = ?2 AND action = ?3 AND plugin IS ?4 AND org IS ?5
           AND subject IS ?6 AND before IS ?7 AND after IS ?8)`,
    )
    .run(at, who, action, plugin, org, subject, before, after);
  return Number(changes) > 0;
}
