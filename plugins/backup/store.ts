/** Backups in `kv`: the record under its id, and an entry in the list of what it belongs to. */
import type { KvNamespace } from '#sdk';

export interface Backup {
  readonly id: string;
  readonly name: string;
  readonly description: string;
  readonly kind: 'org' | 'vapp';
  /** Bare id of the org or vApp. */
  readonly target: string;
  /** URN of the user. */
  readonly owner: string;
  readonly createdAt: string;
}

export function createStore(kv: KvNamespace) {
  const recordKey = (id: string) => `backup/${id}`;
  const listKey = (kind: Backup['kind'], target: string, id: string) => `${kind}/${target}/${id}`;

  return {
    async add(backup: Backup): Promise<void> {
      // The record first: a list entry without a record would be a dead link, the reverse is only unlisted.
      await kv.put(recordKey(backup.id), backup);
      await kv.put(listKey(backup.kind, backup.target, backup.id), backup.createdAt);
    },
    async get(id: string): Promise<Backup | null> {
      return (await kv.get(recordKey(id))) as Backup | null;
    },
    async remove(id: string): Promise<boolean> {
      const backup = (await kv.get(recordKey(id))) as Backup | null;
      if (!backup) return false;
      await kv.delete(listKey(backup.kind, backup.target, id));
      return kv.delete(recordKey(id));
    },
    async list(kind: Backup['kind'], target: string): Promise<Backup[]> {
      const prefix = `${kind}/${target}/`;
      const { keys } = await kv.list({ prefix, limit: 100 });
      const backups = await Promise.all(
        keys.map((key) => kv.get(recordKey(key.slice(prefix.length)))),
      );
      return backups.filter((backup) => backup !== null) as Backup[];
    },
  };
}
