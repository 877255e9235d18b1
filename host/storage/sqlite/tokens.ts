/**
 * Tokens of owners in SQLite.
 * May import: kernel.
 */
import type { DatabaseSync } from 'node:sqlite';

import { systemClock, type Clock } from '../../kernel/time.ts';
import type { OwnerToken, TokenStore } from '../tokens.ts';
import { createSqliteChanges } from './changes.ts';

const COLUMNS = 'digest, name, owner, created_at AS createdAt';

/** Does not own the database: whoever opened it closes it afterwards. */
export function createSqliteTokens(database: DatabaseSync, clock: Clock = systemClock): TokenStore {
  const changes = createSqliteChanges(database, { clock });
  const insert = database.prepare(
    'INSERT INTO tokens (digest, name, owner, created_at) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING',
  );
  const find = database.prepare(`SELECT ${COLUMNS} FROM tokens WHERE digest = ?`);
  const list = database.prepare(`SELECT ${COLUMNS} FROM tokens ORDER BY name`);
  const remove = database.prepare('DELETE FROM tokens WHERE name = ?');

  /** Runs the statement and, when it changed something, records so: both happen, or neither. */
  function recorded(
    run: () => { readonly changes: number | bigint },
    entry: { readonly who: string; readonly action: string; readonly subject: string },
  ): boolean {
    database.exec('BEGIN IMMEDIATE');
    try {
      const changed = Number(run().changes) > 0;
      if (changed) changes.recordNow(entry);
      database.exec('COMMIT');
      return changed;
    } catch (error) {
      database.exec('ROLLBACK');
      throw error;
    }
  }

  return {
    async add({ digest, name, owner, createdAt }, who) {
      const entry = { who, action: 'token.create', subject: `${name} for ${owner}` };
      return recorded(() => insert.run(digest, name, owner, createdAt), entry);
    },
    async find(digest) {
      return (find.get(digest) as OwnerToken | undefined) ?? null;
    },
    async list() {
      return list.all() as unknown as OwnerToken[];
    },
    async remove(name, who) {
      return recorded(() => remove.run(name), { who, action: 'token.delete', subject: name });
    },
  };
}
