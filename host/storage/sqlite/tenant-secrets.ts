/**
 * Secrets of tenants in SQLite, each sealed to its plug-in, org and name.
 * May import: kernel.
 */
import type { DatabaseSync } from 'node:sqlite';

import { HostError } from '../../kernel/errors.ts';
import type { Clock } from '../../kernel/time.ts';
import type { Seal } from '../seal.ts';
import { checkSecret, digestOf, secretPlace } from '../tenant-values.ts';
import type { SecretInfo, TenantCaps, TenantScope, TenantStore } from '../tenants.ts';
import type { RecordedChange } from './changes.ts';

export interface TenantSecretsParts {
  readonly database: DatabaseSync;
  readonly seal: Seal;
  readonly clock: Clock;
  readonly caps: Required<TenantCaps>;
  readonly change: RecordedChange;
}

type Secrets = Pick<TenantStore, 'setSecret' | 'deleteSecret' | 'secrets' | 'readSecret'>;

export function createTenantSecrets(parts: TenantSecretsParts): Secrets {
  const { database, seal, clock, caps, change } = parts;
  const sql = statements(database);

  function sealedOf({ plugin, org }: TenantScope, name: string): Uint8Array | null {
    const row = sql.get.get(plugin, org, name) as { sealed: Uint8Array } | undefined;
    return row?.sealed ?? null;
  }

  return {
    async setSecret(scope, { name, value }, who) {
      const { plugin, org } = scope;
      checkSecret(name, value, caps.secretBytes);
      const sealed = seal.seal(value, secretPlace(scope, name));
      change(() => {
        const known = sealedOf(scope, name);
        const { count } = sql.count.get(plugin, org) as { count: number };
        if (!known && count >= caps.secrets)
          throw new HostError('TENANT_INVALID', `more than ${caps.secrets} secrets`);
        sql.set.run(plugin, org, name, sealed, clock.now());
        // Of the sealed bytes, which are new each time: a digest of the value would let short ones be guessed.
        const digests = { before: digestOf(known), after: digestOf(sealed) };
        const entry = { who, action: 'secret', plugin, org, subject: name, ...digests };
        return { result: undefined, entry };
      });
    },
    async deleteSecret(scope, name, who) {
      const { plugin, org } = scope;
      return change(() => {
        const before = digestOf(sealedOf(scope, name));
        if (before === null) return { result: false, entry: null };
        sql.delete.run(plugin, org, name);
        const entry = { who, action: 'secret', plugin, org, subject: name, before };
        return { result: true, entry };
      });
    },
    secrets({ plugin, org }) {
      const rows = sql.list.all(plugin, org) as unknown as SecretInfo[];
      return rows.map(({ name, changedAt }) => ({ name, changedAt }));
    },
    async readSecret(scope, name) {
      const sealed = sealedOf(scope, name);
      if (sealed === null) return null;
      const value = seal.open(sealed, secretPlace(scope, name));
      if (value !== null) return value;
      throw new HostError('SECRET_UNREADABLE', `the secret ${name} can not be decrypted`);
    },
  };
}

function statements(database: DatabaseSync) {
  const prepare = (text: string) => database.prepare(text);
  return {
    get: prepare('SELECT sealed FROM tenant_secrets WHERE plugin = ? AND org = ? AND name = ?'),
    set: prepare(
      `INSERT INTO tenant_secrets VALUES (?, ?, ?, ?, ?)
       ON CONFLICT (plugin, org, name) DO UPDATE SET sealed = excluded.sealed,
         changed_at = excluded.changed_at`,
    ),
    delete: prepare('DELETE FROM tenant_secrets WHERE plugin = ? AND org = ? AND name = ?'),
    count: prepare('SELECT count(*) AS count FROM tenant_secrets WHERE plugin = ? AND org = ?'),
    list: prepare(
      `SELECT name, changed_at AS changedAt FROM tenant_secrets
       WHERE plugin = ? AND org = ? ORDER BY name`,
    ),
  };
}
