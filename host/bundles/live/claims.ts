/**
 * Whose is what: names, services and paths that a plug-in claims, against those that are live.
 * May import: kernel.
 */
import { HostError } from '../../kernel/errors.ts';
import type { Manifest } from '../manifest/manifest.ts';
import { compilePattern, overlaps } from './routes.ts';
import type { LivePlugin } from './plugin.ts';

type Claimant = Pick<LivePlugin, 'manifest' | 'owner'>;

/** Throws BUNDLE_NAME_TAKEN naming the holder, or BUNDLE_INVALID. Other versions of the same plug-in do not count. */
export function checkClaims(plugin: Claimant, others: readonly Claimant[]): void {
  const foreign = others.filter(({ manifest }) => manifest.name !== plugin.manifest.name);
  for (const holder of foreign) refuseSameService(plugin, holder);
  if (plugin.manifest.extends === undefined) checkProviders(plugin);
  else checkTenants(plugin, plugin.manifest.extends, foreign);
}

function refuseSameService({ manifest }: Claimant, { manifest: held }: Claimant): void {
  const { exchange, routingKey, namespace } = manifest.vcloud;
  if (held.vcloud.namespace.toLowerCase() === namespace.toLowerCase())
    throw taken(`the namespace ${namespace}`, held);
  const sameKey = held.vcloud.exchange === exchange && held.vcloud.routingKey === routingKey;
  // What extends a service shares its address, which `checkTenants` looks at.
  if (sameKey && manifest.extends === undefined && held.extends === undefined)
    throw taken(`the routing key ${routingKey} of ${exchange}`, held);
  // Of two that decide on the same operation the faster would win, its policy for failures too.
  const decided = held.blockingTasks?.operations ?? [];
  const both = manifest.blockingTasks?.operations.find((name) => decided.includes(name));
  if (both !== undefined) throw taken(`the decision on ${both}`, held);
}

function checkProviders({ manifest, owner }: Claimant): void {
  if (owner.kind === 'org')
    throw new HostError(
      'BUNDLE_INVALID',
      `plugin.json: extends: a plug-in that belongs to an org (${owner.id}) needs it: services of its own are the provider's`,
    );
  const { prefix } = manifest.tenantRoutes ?? {};
  if (prefix === undefined) return;
  const below = manifest.routes.find(({ path }) => overlaps(compilePattern(path), `${prefix}/x`));
  if (below)
    throw new HostError(
      'BUNDLE_INVALID',
      `plugin.json: routes: ${below.path} lies in tenantRoutes.prefix, which is left to plug-ins of orgs`,
    );
}

/** A plug-in of an org adds routes below the prefix that a service of the provider keeps for such, and nothing else. */
function checkTenants(
  { manifest, owner }: Claimant,
  namespace: string,
  others: readonly Claimant[],
): void {
  if (owner.kind !== 'org')
    throw new HostError('BUNDLE_INVALID', 'plugin.json: extends: is for plug-ins of orgs');
  const host = others.find(
    ({ manifest: held }) => held.extends === undefined && held.vcloud.namespace === namespace,
  )?.manifest;
  const prefix = host?.tenantRoutes?.prefix;
  if (!host || prefix === undefined)
    throw new HostError(
      'BUNDLE_INVALID',
      `plugin.json: extends: no live service ${namespace} keeps tenantRoutes for plug-ins of orgs`,
    );
  checkSameAddress(manifest, host);
  const outside = manifest.routes.find(({ path }) => !path.startsWith(`${prefix}/`));
  if (outside)
    throw new HostError(
      'BUNDLE_INVALID',
      `plugin.json: routes: ${outside.path} is not below ${prefix}, which ${host.name} keeps for plug-ins of orgs`,
    );
  checkOverlap(manifest, owner.id, others);
}

function checkSameAddress({ vcloud }: Manifest, host: Manifest): void {
  const { exchange, routingKey } = host.vcloud;
  if (vcloud.exchange !== exchange || vcloud.routingKey !== routingKey)
    throw new HostError(
      'BUNDLE_INVALID',
      `plugin.json: vcloud: exchange and routingKey must be those of ${host.name}: ${exchange}, ${routingKey}`,
    );
}

/** Two plug-ins of one org on one path: nobody could say which is meant. */
function checkOverlap(manifest: Manifest, org: string, others: readonly Claimant[]): void {
  const siblings = others.filter(
    ({ manifest: held, owner }) => held.extends === manifest.extends && owner.id === org,
  );
  for (const { manifest: held } of siblings)
    for (const route of manifest.routes) {
      const { shape } = compilePattern(route.path);
      const same = held.routes.find((other) => compilePattern(other.path).shape === shape);
      if (same) throw taken(`the route ${route.path}`, held);
    }
}

function taken(what: string, { name }: Manifest): HostError {
  return new HostError('BUNDLE_NAME_TAKEN', `${what} is held by ${name} already`);
}
