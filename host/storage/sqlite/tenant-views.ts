/**
 * Views of tenants, remembered until this process or another one changes something.
 * May import: kernel.
 */
import type { DatabaseSync } from 'node:sqlite';

import type { Clock } from '../../kernel/time.ts';
import { viewOf, type SettingRow, type TenancyRow } from '../tenant-values.ts';
import type { TenantStore, TenantView } from '../tenants.ts';

export interface TenantViews {
  readonly view: TenantStore['view'];
  /** Something of this plug-in was changed by this process. */
  forget(plugin: string): void;
}

/** How long changes of other processes may stay unseen. */
const STALE_MS = 1_000;
/** Views remembered; over it all are forgotten. */
const MAX_VIEWS = 50_000;

export function createTenantViews(database: DatabaseSync, clock: Clock): TenantViews {
  const plugin = database.prepare('SELECT owner, orgs FROM tenant_plugins WHERE plugin = ?');
  const settings = database.prepare(
    'SELECT kind, value FROM tenant_settings WHERE plugin = ? AND org = ?',
  );
  const dataVersion = database.prepare('PRAGMA data_version');
  const views = new Map<string, TenantView>();
  let seen: unknown = null;
  let lookAgainAt = -Infinity;

  /** SQLite counts what other connections have committed. */
  function notice(): void {
    const now = clock.monotonic();
    if (now < lookAgainAt) return;
    lookAgainAt = now + STALE_MS;
    const { data_version: version } = dataVersion.get() as { data_version: number };
    if (version !== seen) views.clear();
    seen = version;
  }

  return {
    view(name, org) {
      notice();
      const key = `${name}\n${org}`;
      const known = views.get(key);
      if (known) return known;
      const tenancy = plugin.get(name) as TenancyRow | undefined;
      const rows = settings.all(name, org) as unknown as SettingRow[];
      const view = viewOf(org, tenancy, rows);
      if (views.size >= MAX_VIEWS) views.clear();
      views.set(key, view);
      return view;
    },
    forget(plugin) {
      for (const key of views.keys()) if (key.startsWith(`${plugin}\n`)) views.delete(key);
    },
  };
}
