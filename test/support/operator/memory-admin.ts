/** `PluginAdmin` in memory: bundles are read but not run, tenants are kept in a map. For tests of the API and the CLI. */
import { readBundle } from '../../../host/bundles/archive/bundle.ts';
import { asksOf, growthOf } from '../../../host/bundles/change/asks.ts';
import type {
  Actor,
  PluginAdmin,
  PluginView,
  Scope,
  TenantView,
  Uploaded,
  UploadOptions,
  VersionView,
} from '../../../host/bundles/change/admin.ts';
import { HostError } from '../../../host/kernel/errors.ts';
import type { Change } from '../../../host/storage/changes.ts';

interface Entry {
  view: PluginView;
  readonly asks: Map<string, readonly string[]>;
  allowed: readonly string[];
  readonly history: string[];
  readonly tenants: Map<string, TenantView>;
}

export interface Upload {
  readonly bytes: number;
  readonly options: UploadOptions;
  readonly actor: Actor;
}

export interface MemoryAdmin extends PluginAdmin {
  readonly uploads: Upload[];
  /** Values that were set, by `plugin org name`: only a test may look. */
  readonly secretValues: Map<string, string>;
}

/** Owners upload what is theirs from then on; `initial` asks are allowed from the beginning. */
export function createMemoryAdmin(initial: readonly string[] = []): MemoryAdmin {
  const plugins = new Map<string, Entry>();
  const log: Change[] = [];
  const uploads: Upload[] = [];
  const secretValues = new Map<string, string>();

  const record = (actor: Actor, action: string, rest: Partial<Change>) => {
    const nothing = { plugin: null, org: null, subject: null, before: null, after: null };
    log.unshift({ id: log.length + 1, at: 1_000, who: actor.who, action, ...nothing, ...rest });
  };
  function entryOf(name: string, actor: Actor): Entry {
    const entry = plugins.get(name);
    if (!entry) throw new HostError('PLUGIN_UNKNOWN', `there is no plug-in ${name}`);
    if (actor.owner !== null && actor.owner !== entry.view.owner)
      throw new HostError('BUNDLE_OWNER_FOREIGN', `${name} is not yours`);
    return entry;
  }
  function change(entry: Entry, changes: Partial<PluginView>): PluginView {
    return (entry.view = { ...entry.view, ...changes });
  }
  function goLive(entry: Entry, version: string, actor: Actor): PluginView {
    const { view } = entry;
    if (!view.versions.some((one) => one.version === version))
      throw new HostError('PLUGIN_UNKNOWN', `${view.name} has no version ${version}`);
    if (view.current !== null && view.current !== version) entry.history.unshift(view.current);
    record(actor, 'current', { plugin: view.name, subject: version });
    const versions = view.versions.map((one) => ({ ...one, live: one.version === version }));
    const waiting = view.waiting?.version === version ? null : view.waiting;
    return change(entry, { current: version, state: 'live', versions, waiting });
  }
  function setTenant(scope: Scope, changes: Partial<TenantView>, actor: Actor): void {
    const entry = entryOf(scope.plugin, actor);
    const nothing = { enabled: true, config: null, limits: {}, version: null, secrets: [] };
    const known = entry.tenants.get(scope.org) ?? { org: scope.org, ...nothing };
    entry.tenants.set(scope.org, { ...known, ...changes });
    record(actor, Object.keys(changes)[0] ?? '', { plugin: scope.plugin, org: scope.org });
  }

  return {
    uploads,
    secretValues,
    async list(actor) {
      return [...plugins.values()]
        .map(({ view }) => view)
        .filter(({ owner }) => actor.owner === null || actor.owner === owner)
        .sort((a, b) => (a.name < b.name ? -1 : 1));
    },
    show: async (name, actor) => entryOf(name, actor).view,
    async upload(archive, options, actor): Promise<Uploaded> {
      const { manifest, digest } = readBundle(archive);
      const { name, version } = manifest;
      const entry = plugins.has(name) ? entryOf(name, actor) : newEntry(manifest, actor, initial);
      const known = entry.view.versions.find((one) => one.version === version);
      if (known && known.digest !== digest)
        throw new HostError('BUNDLE_VERSION_TAKEN', `${name} ${version} has other contents`);
      const { current } = entry.view;
      if (current !== null && version < current && !options.force)
        throw new HostError('BUNDLE_DOWNGRADE', `${version} is older than ${current}`);
      uploads.push({ bytes: archive.length, options, actor });
      plugins.set(name, entry);
      const all = asksOf(manifest);
      if (known && current === version) return { name, version, digest, state: 'same', asks: all };
      entry.asks.set(version, all);
      const fresh: VersionView = {
        version,
        digest,
        installedAt: 1_000,
        by: actor.who,
        unsigned: true,
        live: false,
      };
      if (!known) change(entry, { versions: [...entry.view.versions, fresh] });
      if (options.approve) entry.allowed = all;
      const asks = growthOf(all, entry.allowed);
      record(actor, 'upload', { plugin: name, subject: version, after: digest });
      if (asks.length === 0) {
        goLive(entry, version, actor);
        return { name, version, digest, state: 'live', asks: all };
      }
      const state = current === null ? 'waiting' : entry.view.state;
      change(entry, { waiting: { version, asks }, state });
      return { name, version, digest, state: 'waiting', asks };
    },
    async approve(name, wanted, actor) {
      const entry = entryOf(name, actor);
      const version = typeof wanted === 'string' ? wanted : wanted.version;
      if (entry.view.waiting?.version !== version)
        throw new HostError('PLUGIN_UNKNOWN', `${name} ${version} does not wait for approval`);
      entry.allowed = entry.asks.get(version) ?? [];
      return goLive(entry, version, actor);
    },
    async rollback(name, version, actor) {
      const entry = entryOf(name, actor);
      const to = version ?? entry.history[0];
      if (to === undefined) throw new HostError('PLUGIN_UNKNOWN', `${name} has no version before`);
      return goLive(entry, to, actor);
    },
    setEnabled: async (name, enabled, actor) =>
      change(entryOf(name, actor), { state: enabled ? 'live' : 'disabled' }),
    async remove(name, actor) {
      entryOf(name, actor);
      plugins.delete(name);
    },
    tenants: async (name, actor) => [...entryOf(name, actor).tenants.values()],
    async setOrgs(name, orgs, actor) {
      change(entryOf(name, actor), { orgs });
    },
    setOrg: async (scope, enabled, actor) => setTenant(scope, { enabled }, actor),
    pin: async (scope, version, actor) => setTenant(scope, { version }, actor),
    setConfig: async (scope, config, actor) => setTenant(scope, { config }, actor),
    setLimits: async (scope, limits, actor) => setTenant(scope, { limits: limits ?? {} }, actor),
    async setSecret(scope, { name, value }, actor) {
      secretValues.set(`${scope.plugin} ${scope.org} ${name}`, value);
      setTenant(scope, { secrets: [{ name, changedAt: 1_000 }] }, actor);
    },
    async deleteSecret(scope, name, actor) {
      setTenant(scope, { secrets: [] }, actor);
      return secretValues.delete(`${scope.plugin} ${scope.org} ${name}`);
    },
    async changes({ plugin, org, limit = 100 }, actor) {
      const mine = (name: string | null) =>
        actor.owner === null || plugins.get(name ?? '')?.view.owner === actor.owner;
      return log
        .filter((one) => (!plugin || one.plugin === plugin) && (!org || one.org === org))
        .filter((one) => mine(one.plugin))
        .slice(0, limit);
    },
  };
}

function newEntry(
  { name, description }: { name: string; description?: string | undefined },
  actor: Actor,
  allowed: readonly string[],
): Entry {
  return {
    view: {
      name,
      description: description ?? null,
      owner: actor.owner ?? 'provider',
      ownerKind: actor.owner?.startsWith('urn:') ? 'org' : 'provider',
      source: 'bundle',
      state: 'live',
      reason: null,
      current: null,
      versions: [],
      waiting: null,
      orgs: 'all',
    },
    asks: new Map(),
    allowed,
    history: [],
    tenants: new Map(),
  };
}
