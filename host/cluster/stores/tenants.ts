/**
 * The tenant store on NATS: all of it but the secrets' values in memory, changes by compare-and-set.
 * May import: kernel, storage, cluster.
 *
 * NATS knows no transactions: the entry in the audit log is written first and taken back when the change was not
 * made. A host that dies in between leaves an entry for a change that was not made, never a change without one.
 */
import { codeOf, HostError } from '../../kernel/errors.ts';
import type { Seal } from '../../storage/seal.ts';
import {
  allowedOrgs,
  configText,
  digestOf,
  limitsText,
  ownerText,
  tenancyOf,
  versionText,
  viewOf,
  type SettingKind,
} from '../../storage/tenant-values.ts';
import {
  TENANT_DEFAULTS,
  type TenantCaps,
  type TenantScope,
  type TenantStore,
  type TenantView,
} from '../../storage/tenants.ts';
import { openBucket, type Bucket } from '../link/bucket.ts';
import type { Link } from '../link/link.ts';
import type { NatsChanges } from './changes.ts';
import { openMirror, type Mirror } from './mirror.ts';
import {
  decodeKept,
  isOrg,
  isPlugin,
  isSetting,
  partsOf,
  pluginKey,
  settingKey,
  type Kept,
  type KeptPlugin,
  type TenantRooms,
} from './tenant-keys.ts';
import { createNatsSecrets } from './tenant-secrets.ts';

export interface NatsTenantsParts extends TenantCaps {
  readonly link: Link;
  /** For the secrets; the same on all hosts. */
  readonly seal: Seal;
  /** Not owned. */
  readonly changes: NatsChanges;
}

const ATTEMPTS = 10;
/** After these nothing was written for sure. */
const REFUSED = new Set(['CLUSTER_STORE_FULL', 'CLUSTER_VALUE_TOO_LARGE']);

/** Resolves when all is in memory. Throws a CLUSTER code. */
export async function openNatsTenants(parts: NatsTenantsParts): Promise<TenantStore & Disposable> {
  const { link, changes } = parts;
  const caps = { ...TENANT_DEFAULTS, ...parts };
  const bucket = await openBucket(link, 'tenants');
  const views: Views = new Map();
  const mirror = await openMirror({
    bucket,
    filter: '>',
    decode: decodeKept,
    changed: (key) => forgetViews(views, key),
    log: link.settings.log,
  });
  const rooms: TenantRooms = { bucket, mirror, change: changer(bucket, mirror, changes) };
  const plugin = (name: string): KeptPlugin | null => {
    const kept = mirror.get(pluginKey(name));
    return kept && isPlugin(kept) ? kept : null;
  };
  return {
    changes,
    view(name, org) {
      const key = `${name}\n${org}`;
      const known = views.get(key);
      if (known) return known.view;
      const view = viewOf(org, plugin(name) ?? undefined, settingsOf(mirror, name, org));
      if (views.size >= MAX_VIEWS) views.clear();
      views.set(key, { view, parts: partsOf(name, org) });
      return view;
    },
    tenancy(name) {
      const row = plugin(name);
      return row && tenancyOf(row);
    },
    orgsOf: (name) => orgsOf(mirror, name),
    ...pluginSetters(rooms, changes),
    ...settingSetters(rooms, caps.configBytes),
    ...createNatsSecrets({ rooms, seal: parts.seal, clock: link.settings.clock, caps }),
    [Symbol.dispose]: () => mirror[Symbol.dispose](),
  };
}

/** Views remembered; over it all are forgotten. */
const MAX_VIEWS = 50_000;
const KINDS: readonly SettingKind[] = ['config', 'limits', 'version'];

type Views = Map<string, { readonly view: TenantView; readonly parts: string }>;

/** A view lives until something that it shows is changed. */
function forgetViews(views: Views, key: string): void {
  const [kind, plugin = '', org = ''] = key.split('.');
  if (kind === 'secret') return;
  const beginning = kind === 'plugin' ? `${plugin}.` : `${plugin}.${org}`;
  for (const [name, { parts }] of views) if (parts.startsWith(beginning)) views.delete(name);
}

function settingsOf(mirror: Mirror<Kept>, plugin: string, org: string) {
  return KINDS.flatMap((kind) => {
    const kept = mirror.get(settingKey({ plugin, org }, kind));
    return kept && isSetting(kept) ? [{ kind, value: kept.value }] : [];
  });
}

function orgsOf(mirror: Mirror<Kept>, plugin: string): string[] {
  const orgs = new Set<string>();
  for (const key of mirror.keys()) {
    const kept = mirror.get(key);
    if (kept && isOrg(kept) && kept.plugin === plugin) orgs.add(kept.org);
  }
  return [...orgs].sort();
}

/** What can not be read is written over. */
function readable(value: Uint8Array): Kept | null {
  try {
    return decodeKept(value);
  } catch {
    return null;
  }
}

function changer(
  bucket: Bucket,
  mirror: Mirror<Kept>,
  changes: NatsChanges,
): TenantRooms['change'] {
  async function write(key: string, next: Kept | null, revision: number): Promise<boolean> {
    if (next === null && revision === 0) return true;
    const written =
      next === null
        ? await bucket.mark(key, revision)
        : await bucket.replace(key, JSON.stringify(next), revision);
    if (written === null) return false;
    mirror.wrote(key, { revision: written, value: next });
    return true;
  }
  return async (key, step) => {
    for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
      const there = await bucket.get(key);
      const { next, entry } = step(there?.value ? readable(there.value) : null);
      if (entry === null) return false;
      const id = await changes.append(entry);
      try {
        if (await write(key, next, there?.revision ?? 0)) return true;
      } catch (error) {
        if (REFUSED.has(codeOf(error))) await changes.retract(id);
        throw error;
      }
      await changes.retract(id);
    }
    throw new HostError(
      'CLUSTER_UNAVAILABLE',
      'another host changes the same setting all the time',
    );
  };
}

function settingSetters(
  { change }: TenantRooms,
  configBytes: number,
): Pick<TenantStore, 'setConfig' | 'setLimits' | 'pinVersion'> {
  async function set(
    scope: TenantScope,
    kind: SettingKind,
    { text, who }: { text: string | null; who: string },
  ): Promise<void> {
    const { plugin, org } = scope;
    await change(settingKey(scope, kind), (known) => {
      const before = digestOf(known && isSetting(known) ? known.value : null);
      const next = text === null ? null : { plugin, org, setting: kind, value: text };
      return { next, entry: { who, action: kind, plugin, org, before, after: digestOf(text) } };
    });
  }
  return {
    setConfig: async (scope, value, who) =>
      set(scope, 'config', { text: configText(value, configBytes), who }),
    setLimits: async (scope, value, who) => set(scope, 'limits', { text: limitsText(value), who }),
    pinVersion: async (scope, value, who) =>
      set(scope, 'version', { text: versionText(value), who }),
  };
}

function pluginSetters(
  { bucket, mirror, change }: TenantRooms,
  changes: NatsChanges,
): Pick<TenantStore, 'adopt' | 'setOrgs' | 'forget'> {
  return {
    async adopt(plugin, wanted, who) {
      const owner = ownerText(wanted.owner);
      const orgs = allowedOrgs(wanted.owner, wanted.orgs);
      await change(pluginKey(plugin), (kept) => {
        const known = kept && isPlugin(kept) ? kept : null;
        if (known && known.owner !== owner)
          throw new HostError('TENANT_INVALID', `${plugin} belongs to another owner`);
        const after = digestOf(JSON.stringify([owner, orgs]));
        const entry = known ? null : { who, action: 'adopt', plugin, org: owner, after };
        return { next: { plugin, owner, orgs }, entry };
      });
    },
    async setOrgs(plugin, wanted, who) {
      await change(pluginKey(plugin), (kept) => {
        if (!kept || !isPlugin(kept))
          throw new HostError('TENANT_INVALID', `${plugin} is not known`);
        const tenancy = tenancyOf(kept);
        const orgs = allowedOrgs(tenancy.owner, wanted);
        const digests = { before: digestOf(JSON.stringify(tenancy.orgs)), after: digestOf(orgs) };
        return { next: { ...kept, orgs }, entry: { who, action: 'orgs', plugin, ...digests } };
      });
    },
    async forget(plugin, who) {
      const part = partsOf(plugin);
      const filters = [`secret.${part}.>`, `set.${part}.>`, pluginKey(plugin)];
      const entries = (await Promise.all(filters.map((filter) => bucket.entries(filter)))).flat();
      if (entries.length === 0) return;
      await changes.append({ who, action: 'forget', plugin });
      // The plug-in last: a host that dies before leaves it known, to be forgotten again.
      for (const { key } of entries) {
        const revision = await bucket.remove(key);
        if (revision !== null) mirror.wrote(key, { revision, value: null });
      }
    },
  };
}
