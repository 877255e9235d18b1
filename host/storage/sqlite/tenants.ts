/**
 * The tenant store in SQLite: settings in clear, secrets sealed to their place, views remembered.
 * May import: kernel.
 */
import type { DatabaseSync } from 'node:sqlite';

import { HostError } from '../../kernel/errors.ts';
import { systemClock, type Clock } from '../../kernel/time.ts';
import type { Seal } from '../seal.ts';
import { createSqliteChanges, type RecordedChange, type SqliteChanges } from './changes.ts';
import { createTenantViews } from './tenant-views.ts';
import { createTenantSecrets } from './tenant-secrets.ts';
import {
  allowedOrgs,
  configText,
  digestOf,
  limitsText,
  ownerText,
  tenancyOf,
  versionText,
  type SettingKind,
  type TenancyRow,
} from '../tenant-values.ts';
import {
  TENANT_DEFAULTS,
  type TenantCaps,
  type TenantScope,
  type TenantStore,
} from '../tenants.ts';

export interface SqliteTenantsParts extends TenantCaps {
  readonly database: DatabaseSync;
  /** For the secrets. */
  readonly seal: Seal;
  readonly clock?: Clock;
}

/** Does not own the database: whoever opened it closes it afterwards. */
export function createSqliteTenants(parts: SqliteTenantsParts): TenantStore {
  const { database, seal, clock = systemClock } = parts;
  const caps = { ...TENANT_DEFAULTS, ...parts };
  const changes = createSqliteChanges(database, { clock });
  const views = createTenantViews(database, clock);
  const sql = statements(database);

  const change = recorder(database, { changes, done: (plugin) => views.forget(plugin) });
  function tenancy(plugin: string) {
    const row = sql.plugin.get(plugin) as TenancyRow | undefined;
    return row ? tenancyOf(row) : null;
  }

  return {
    changes,
    view: (plugin, org) => views.view(plugin, org),
    tenancy,
    ...pluginSetters({ sql, change, tenancy }),
    ...settingSetters({ sql, change, configBytes: caps.configBytes }),
    ...createTenantSecrets({ database, seal, clock, caps, change }),
    orgsOf: (plugin) => (sql.orgs.all(plugin, plugin) as { org: string }[]).map(({ org }) => org),
  };
}

/** Do it and record it, or neither; nothing is recorded for null. */
function recorder(
  database: DatabaseSync,
  { changes, done }: { changes: SqliteChanges; done: (plugin: string) => void },
): RecordedChange {
  return (work) => {
    database.exec('BEGIN IMMEDIATE');
    try {
      const { result, entry } = work();
      if (entry) changes.recordNow(entry);
      database.exec('COMMIT');
      // Others keep theirs: whoever changes settings all the time must not have everybody's read anew for each call.
      if (entry?.plugin != null) done(entry.plugin);
      return result;
    } catch (error) {
      database.exec('ROLLBACK');
      throw error;
    }
  };
}

function settingSetters({
  sql,
  change,
  configBytes,
}: {
  sql: ReturnType<typeof statements>;
  change: RecordedChange;
  configBytes: number;
}): Pick<TenantStore, 'setConfig' | 'setLimits' | 'pinVersion'> {
  const setter = (kind: SettingKind, scope: TenantScope, who: string) => (text: string | null) => {
    const { plugin, org } = scope;
    change(() => {
      const known = sql.setting.get(plugin, org, kind) as { value: string } | undefined;
      if (text === null) sql.unset.run(plugin, org, kind);
      else sql.set.run(plugin, org, kind, text);
      const digests = { before: digestOf(known?.value), after: digestOf(text) };
      return { result: undefined, entry: { who, action: kind, plugin, org, ...digests } };
    });
  };
  return {
    setConfig: async (scope, value, who) =>
      setter('config', scope, who)(configText(value, configBytes)),
    setLimits: async (scope, value, who) => setter('limits', scope, who)(limitsText(value)),
    pinVersion: async (scope, value, who) => setter('version', scope, who)(versionText(value)),
  };
}

function pluginSetters({
  sql,
  change,
  tenancy,
}: {
  sql: ReturnType<typeof statements>;
  change: RecordedChange;
  tenancy: TenantStore['tenancy'];
}): Pick<TenantStore, 'adopt' | 'setOrgs' | 'forget'> {
  return {
    async adopt(plugin, wanted, who) {
      const owner = ownerText(wanted.owner);
      const orgs = allowedOrgs(wanted.owner, wanted.orgs);
      change(() => {
        const known = tenancy(plugin);
        if (known && ownerText(known.owner) !== owner)
          throw new HostError('TENANT_INVALID', `${plugin} belongs to another owner`);
        if (known) return { result: undefined, entry: null };
        sql.adopt.run(plugin, owner, orgs);
        const after = digestOf(JSON.stringify([owner, orgs]));
        return { result: undefined, entry: { who, action: 'adopt', plugin, org: owner, after } };
      });
    },
    async setOrgs(plugin, wanted, who) {
      change(() => {
        const known = tenancy(plugin);
        if (!known) throw new HostError('TENANT_INVALID', `${plugin} is not known`);
        const orgs = allowedOrgs(known.owner, wanted);
        sql.setOrgs.run(orgs, plugin);
        const digests = { before: digestOf(JSON.stringify(known.orgs)), after: digestOf(orgs) };
        return { result: undefined, entry: { who, action: 'orgs', plugin, ...digests } };
      });
    },
    async forget(plugin, who) {
      change(() => {
        const gone = [sql.forget, sql.forgetSettings, sql.forgetSecrets].map(
          (statement) => statement.run(plugin).changes,
        );
        const entry = gone.some((rows) => rows !== 0) ? { who, action: 'forget', plugin } : null;
        return { result: undefined, entry };
      });
    },
  };
}

function statements(database: DatabaseSync) {
  const prepare = (text: string) => database.prepare(text);
  return {
    plugin: prepare('SELECT owner, orgs FROM tenant_plugins WHERE plugin = ?'),
    adopt: prepare('INSERT INTO tenant_plugins VALUES (?, ?, ?)'),
    setOrgs: prepare('UPDATE tenant_plugins SET orgs = ? WHERE plugin = ?'),
    forget: prepare('DELETE FROM tenant_plugins WHERE plugin = ?'),
    forgetSettings: prepare('DELETE FROM tenant_settings WHERE plugin = ?'),
    forgetSecrets: prepare('DELETE FROM tenant_secrets WHERE plugin = ?'),
    setting: prepare('SELECT value FROM tenant_settings WHERE plugin = ? AND org = ? AND kind = ?'),
    set: prepare(
      `INSERT INTO tenant_settings VALUES (?, ?, ?, ?)
       ON CONFLICT (plugin, org, kind) DO UPDATE SET value = excluded.value`,
    ),
    unset: prepare('DELETE FROM tenant_settings WHERE plugin = ? AND org = ? AND kind = ?'),
    orgs: prepare(
      `SELECT org FROM tenant_settings WHERE plugin = ?
       UNION SELECT org FROM tenant_secrets WHERE plugin = ? ORDER BY org`,
    ),
  };
}
