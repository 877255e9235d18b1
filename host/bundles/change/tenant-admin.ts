/**
 * What operators and owners set for the orgs that have a plug-in.
 * May import: kernel, quotas, storage, bindings.
 */
import { createConfigSchema } from '../../bindings/config/index.ts';
import { HostError } from '../../kernel/errors.ts';
import { LIMITS, type LimitName } from '../../quotas/limits.ts';
import type { InstalledStore } from '../../storage/installed.ts';
import { configText } from '../../storage/tenant-values.ts';
import { TENANT_DEFAULTS, type TenantStore } from '../../storage/tenants.ts';
import type { Actor, PluginAdmin, PluginView, Scope } from './admin.ts';
import type { Catalogue } from '../live/catalogue.ts';
import type { Keeper } from '../live/keeper.ts';
import { mustBeAllowed } from './record.ts';
import { operatorOnly, unknown } from './rights.ts';
import type { Turns } from '../live/turns.ts';
import { manifestOf } from '../live/kept.ts';

export interface TenantAdminOptions {
  readonly installed: InstalledStore;
  readonly tenants: TenantStore;
  readonly catalogue: Catalogue;
  readonly keeper: Pick<Keeper, 'settle' | 'load'>;
  /** By the name of the plug-in. */
  readonly turns: Turns;
  /** Throws PLUGIN_UNKNOWN for what the actor may not know of. */
  readonly view: (name: string, actor: Actor) => Promise<PluginView>;
}

type TenantAdmin = Pick<
  PluginAdmin,
  | 'tenants'
  | 'setOrgs'
  | 'setOrg'
  | 'pin'
  | 'setConfig'
  | 'setLimits'
  | 'setSecret'
  | 'deleteSecret'
>;

const ORG = /^urn:vcloud:org:[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$/;

/** Orgs of one plug-in for which its owner may keep settings. */
const OWNERS_ORGS = 5_000;

export function createTenantAdmin(options: TenantAdminOptions): TenantAdmin {
  const { tenants, view } = options;
  return {
    async tenants(name, actor) {
      const { orgs } = await view(name, actor);
      const all = new Set([...(orgs === 'all' ? [] : orgs), ...tenants.orgsOf(name)]);
      return [...all].sort().map((org) => tenantView(tenants, { plugin: name, org }));
    },
    ...orgSetters(options),
    pin: (scope, version, actor) => pin(options, scope, version, actor),
    async setConfig(given, config, actor) {
      const scope = await checked(options, given, actor);
      // Before it is checked by a schema, whose patterns may be slow on much text.
      configText(config, TENANT_DEFAULTS.configBytes);
      if (config !== null) (await schemaFor(options, scope)).parse(config);
      await tenants.setConfig(scope, config, actor.who);
    },
    async setLimits(given, limits, actor) {
      operatorOnly(actor, 'the limits of an org');
      const scope = await checked(options, given, actor);
      if (limits) checkLimits(limits);
      await tenants.setLimits(scope, limits, actor.who);
    },
    async setSecret(given, secret, actor) {
      await tenants.setSecret(await checked(options, given, actor), secret, actor.who);
    },
    async deleteSecret(given, name, actor) {
      return tenants.deleteSecret(await checked(options, given, actor), name, actor.who);
    },
  };
}

function orgSetters({
  tenants,
  view,
  turns,
}: TenantAdminOptions): Pick<TenantAdmin, 'setOrgs' | 'setOrg'> {
  return {
    async setOrgs(name, wanted, actor) {
      operatorOnly(actor, 'which orgs have a plug-in');
      await view(name, actor);
      const orgs = wanted === 'all' ? wanted : wanted.map(orgUrn);
      await tenants.setOrgs(name, orgs, actor.who);
    },
    async setOrg({ plugin, org: given }, enabled, actor) {
      operatorOnly(actor, 'which orgs have a plug-in');
      const org = orgUrn(given);
      // The list is read and written: in between nobody else may.
      await turns.run(plugin, async () => {
        const { orgs } = await view(plugin, actor);
        if (orgs === 'all') {
          if (enabled) return;
          throw new HostError(
            'TENANT_INVALID',
            `all orgs have ${plugin}: name those that shall keep it first`,
          );
        }
        const rest = orgs.filter((one) => one !== org);
        await tenants.setOrgs(plugin, enabled ? [...rest, org].sort() : rest, actor.who);
      });
    },
  };
}

/** Tried before it is set: an org is never left with a version that does not load. */
async function pin(
  options: TenantAdminOptions,
  given: Scope,
  version: string | null,
  actor: Actor,
): Promise<void> {
  const { installed, tenants, keeper, turns } = options;
  const { plugin } = given;
  await turns.run(plugin, async () => {
    const scope = await checked(options, given, actor);
    if (version !== null) {
      const record = await installed.get(plugin);
      if (!record?.versions.some((one) => one.version === version))
        throw new HostError('PLUGIN_UNKNOWN', `${plugin} ${version} is not installed`);
      mustBeAllowed(record, version, await manifestOf(installed, record, version));
      await keeper.load(record, version);
    }
    await tenants.pinVersion(scope, version, actor.who);
    await keeper.settle(plugin);
  });
}

/** Throws for what the actor may not know of, and for orgs that can't have the plug-in. */
async function checked(
  { view, tenants }: TenantAdminOptions,
  { plugin, org: given }: Scope,
  actor: Actor,
): Promise<Scope> {
  const org = orgUrn(given);
  const { owner, ownerKind } = await view(plugin, actor);
  if (ownerKind === 'org' && owner.toLowerCase() !== org)
    throw new HostError('TENANT_INVALID', `${plugin} belongs to an org and is for that org only`);
  if (actor.owner !== null) checkOrgs(tenants.orgsOf(plugin), org);
  return { plugin, org };
}

/** Nobody knows which orgs there are: an owner could make up any number of them, and keep something for each. */
function checkOrgs(known: readonly string[], org: string): void {
  if (known.length < OWNERS_ORGS || known.includes(org)) return;
  throw new HostError(
    'TENANT_INVALID',
    `settings of ${OWNERS_ORGS} orgs are kept: only the operator may add more`,
  );
}

function tenantView(tenants: TenantStore, scope: Scope) {
  const { enabled, config, limits, version } = tenants.view(scope.plugin, scope.org);
  const secrets = tenants.secrets(scope);
  return { org: scope.org, enabled, config, limits, version, secrets };
}

/** Of the version that the org gets; of the current one when that is not live, so that settings can come first. */
async function schemaFor({ installed, catalogue }: TenantAdminOptions, { plugin, org }: Scope) {
  const live = catalogue.versionFor(plugin, org) ?? catalogue.shelf(plugin)?.current;
  if (live) return live.config;
  const record = await installed.get(plugin);
  const version = record?.current ?? record?.waiting ?? null;
  const manifest = version === null ? null : await manifestOf(installed, record, version);
  if (!manifest) throw unknown(plugin);
  return createConfigSchema(manifest.config ?? null);
}

function checkLimits(limits: Readonly<Record<string, number>>): void {
  for (const [name, value] of Object.entries(limits)) {
    if (!Object.hasOwn(LIMITS, name))
      throw new HostError(
        'TENANT_INVALID',
        `limits: there is no ${name}; there are ${Object.keys(LIMITS).join(', ')}`,
      );
    const { min, ceiling, unit } = LIMITS[name as LimitName];
    if (!Number.isInteger(value) || value < min || value > ceiling)
      throw new HostError(
        'TENANT_INVALID',
        `limits.${name}: ${value} is not a whole number from ${min} to ${ceiling} ${unit}`,
      );
  }
}

/** As messages of vCloud name it: in lower case. */
function orgUrn(org: string): string {
  if (ORG.test(org)) return org.toLowerCase();
  throw new HostError('TENANT_INVALID', `${org.slice(0, 80)}: not the URN of an org`);
}
