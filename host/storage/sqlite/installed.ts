/**
 * What is installed, in SQLite: records and bytes in the one file.
 * May import: kernel.
 */
import { createHash } from 'node:crypto';
import type { DatabaseSync } from 'node:sqlite';

import { HostError } from '../../kernel/errors.ts';
import type { InstalledPlugin, InstalledStore } from '../installed.ts';

export interface SqliteInstalledOptions {
  /** How often to look whether another process changed something, in ms. @default 500 */
  readonly pollMs?: number;
}

/** The database stays open when this is disposed: others use it too. */
export function openSqliteInstalled(
  database: DatabaseSync,
  { pollMs = 500 }: SqliteInstalledOptions = {},
): InstalledStore {
  return new SqliteInstalled(database, pollMs);
}

interface Row {
  readonly record: string;
  readonly revision: number;
}

class SqliteInstalled implements InstalledStore {
  readonly #database: DatabaseSync;
  readonly #watchers = new Set<() => void>();
  readonly #timer: NodeJS.Timeout;
  #seen: string;

  constructor(database: DatabaseSync, pollMs: number) {
    this.#database = database;
    this.#seen = this.#fingerprint();
    this.#timer = setInterval(() => this.#look(), pollMs).unref();
  }

  async list(): Promise<readonly InstalledPlugin[]> {
    const rows = this.#database
      .prepare('SELECT record, revision FROM installed ORDER BY plugin')
      .all() as unknown as Row[];
    return rows.map(readRow);
  }

  async get(plugin: string): Promise<InstalledPlugin | null> {
    const row = this.#database
      .prepare('SELECT record, revision FROM installed WHERE plugin = ?')
      .get(plugin) as Row | undefined;
    return row ? readRow(row) : null;
  }

  async save(record: InstalledPlugin): Promise<number | null> {
    const { plugin, revision } = record;
    const text = JSON.stringify(record);
    // Revisions come from one counter, so that a plug-in that was removed and installed again never repeats one.
    const next = this.#nextRevision();
    const { changes } =
      revision === 0
        ? this.#database
            .prepare('INSERT INTO installed VALUES (?, ?, ?) ON CONFLICT DO NOTHING')
            .run(plugin, next, text)
        : this.#database
            .prepare(
              'UPDATE installed SET revision = ?, record = ? WHERE plugin = ? AND revision = ?',
            )
            .run(next, text, plugin, revision);
    if (Number(changes) === 0) return null;
    this.#tell();
    return next;
  }

  async remove(plugin: string, revision: number): Promise<boolean> {
    const { changes } = this.#database
      .prepare('DELETE FROM installed WHERE plugin = ? AND revision = ?')
      .run(plugin, revision);
    if (Number(changes) === 0) return false;
    this.#nextRevision();
    this.#tell();
    return true;
  }

  async putBlob(bytes: Uint8Array): Promise<string> {
    const hash = sha256(bytes);
    this.#database
      .prepare(
        // One that was altered is mended.
        'INSERT INTO blobs VALUES (?, ?) ON CONFLICT (hash) DO UPDATE SET bytes = excluded.bytes',
      )
      .run(hash, bytes);
    return hash;
  }

  async getBlob(hash: string): Promise<Uint8Array | null> {
    const row = this.#database.prepare('SELECT bytes FROM blobs WHERE hash = ?').get(hash) as
      | { bytes: Uint8Array }
      | undefined;
    if (!row) return null;
    if (sha256(row.bytes) !== hash)
      throw new HostError('STORE_BLOB_ALTERED', `the stored bundle ${hash} was altered`);
    return row.bytes;
  }

  async dropBlob(hash: string): Promise<void> {
    this.#database.prepare('DELETE FROM blobs WHERE hash = ?').run(hash);
  }

  watch(changed: () => void): Disposable {
    this.#watchers.add(changed);
    return { [Symbol.dispose]: () => this.#watchers.delete(changed) };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#timer);
    this.#watchers.clear();
  }

  #nextRevision(): number {
    const row = this.#database
      .prepare(
        `INSERT INTO counters VALUES ('installed', 1)
         ON CONFLICT (name) DO UPDATE SET value = value + 1 RETURNING value`,
      )
      .get() as { value: number };
    return row.value;
  }

  /** Changes with every change of a record, whichever process made it. */
  #fingerprint(): string {
    const row = this.#database
      .prepare("SELECT value FROM counters WHERE name = 'installed'")
      .get() as { value: number } | undefined;
    return String(row?.value ?? 0);
  }

  #look(): void {
    if (this.#fingerprint() !== this.#seen) this.#tell();
  }

  #tell(): void {
    this.#seen = this.#fingerprint();
    for (const watcher of this.#watchers) watcher();
  }
}

/** The row's revision is the true one: the text holds the one before. */
function readRow({ record, revision }: Row): InstalledPlugin {
  return { ...(JSON.parse(record) as InstalledPlugin), revision };
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}
