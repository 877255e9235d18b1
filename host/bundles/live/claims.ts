/**
 * Whose is what: names, services and paths that a plug-in claims, against those that are live.
 * May import: kernel.
 */
import { HostError } from '../../kernel/errors.ts';
import type { Manifest, ManifestRoute } from '../manifest/manifest.ts';
import { takenBy } from './filters.ts';
import { compilePattern, intersect, overlaps, type Pattern } from './routes.ts';
import type { LivePlugin } from './plugin.ts';

type Claimant = Pick<LivePlugin, 'manifest' | 'owner'>;

/** Throws BUNDLE_NAME_TAKEN naming the holder, or BUNDLE_INVALID. Other versions of the same plug-in do not count. */
export function checkClaims(plugin: Claimant, others: readonly Claimant[]): void {
  const foreign = others.filter(({ manifest }) => manifest.name !== plugin.manifest.name);
  for (const holder of foreign) refuseSameService(plugin, holder);
  if (plugin.manifest.extends === undefined) checkProviders(plugin);
  else checkTenants(plugin, plugin.manifest.extends, foreign);
  for (const holder of foreign) refuseSamePaths(plugin, holder);
}

function refuseSameService({ manifest }: Claimant, { manifest: held }: Claimant): void {
  const { exchange, routingKey, namespace } = manifest.vcloud;
  if (held.vcloud.namespace.toLowerCase() === namespace.toLowerCase())
    throw taken(`the namespace ${namespace}`, held);
  // With the dots elsewhere it is another address, and the same queue at the broker.
  const sameQueue =
    `${held.vcloud.exchange}.${held.vcloud.routingKey}` === `${exchange}.${routingKey}`;
  // What extends a service shares its address, which `checkTenants` looks at.
  if (sameQueue && manifest.extends === undefined && held.extends === undefined)
    throw taken(`the routing key ${routingKey} of ${exchange}`, held);
  // Of two that decide on the same operation the faster would win, its policy for failures too.
  const decided = held.blockingTasks?.operations ?? [];
  const both = manifest.blockingTasks?.operations.find((name) => decided.includes(name));
  if (both !== undefined) throw taken(`the decision on ${both}`, held);
}

/**
 * vCloud sends a path to one service, whatever the method: of two that claim it the other would get no calls. One owner
 * may layer services by priority, as vCloud can, but not put two on the very same path; of several owners none may
 * reach into what another has.
 */
function refuseSamePaths({ manifest, owner }: Claimant, holder: Claimant): void {
  const { manifest: held } = holder;
  // What extends a service has its place there, which `checkTenants` looks at.
  if (manifest.extends !== undefined || held.extends !== undefined) return;
  const isOwn = owner.id === holder.owner.id;
  const theirs = pathsOf(held);
  for (const { path, pattern } of pathsOf(manifest)) {
    const other = theirs.find((one) =>
      isOwn ? one.pattern.shape === pattern.shape : intersect(one.pattern, pattern),
    );
    if (other) throw taken(shown(path, other.path), held);
  }
  if (!isOwn) refuseFilters(manifest, held);
}

/** Filters decide which service vCloud calls, whatever routes there are behind them. */
function refuseFilters(manifest: Manifest, held: Manifest): void {
  const mine = takenBy(manifest, held);
  if (mine) throw taken(`the path ${mine.path}, which the filter ${mine.filter} takes,`, held);
  const theirs = takenBy(held, manifest);
  if (theirs) throw taken(`the path ${theirs.path}, by the filter ${theirs.filter},`, held);
}

interface ClaimedPath {
  readonly path: string;
  readonly pattern: Pattern;
  /** Null for a place that is kept for plug-ins of orgs. */
  readonly method: ManifestRoute['method'] | null;
}

/** Manifests never change: what is live is compared with everything that comes. */
const paths = new WeakMap<Manifest, readonly ClaimedPath[]>();

function pathsOf(manifest: Manifest): readonly ClaimedPath[] {
  const known = paths.get(manifest);
  if (known) return known;
  const { prefix } = manifest.tenantRoutes ?? {};
  const kept = prefix === undefined ? [] : [{ path: `${prefix}/*`, method: null }];
  const found = [...manifest.routes, ...kept].map(({ path, method }) => {
    return { path, method, pattern: compilePattern(path) };
  });
  paths.set(manifest, found);
  return found;
}

function shown(path: string, other: string): string {
  return path === other ? `the route ${path}` : `the route ${path}, which meets ${other},`;
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
    for (const mine of pathsOf(manifest)) {
      const other = pathsOf(held).find(
        (one) => sameMethod(one.method, mine.method) && intersect(one.pattern, mine.pattern),
      );
      if (other) throw taken(shown(mine.path, other.path), held);
    }
}

function sameMethod(a: ClaimedPath['method'], b: ClaimedPath['method']): boolean {
  // HEAD goes where GET does.
  const wide = (method: ClaimedPath['method']) => (method === 'HEAD' ? 'GET' : method);
  return a === '*' || b === '*' || wide(a) === wide(b);
}

function taken(what: string, { name }: Manifest): HostError {
  return new HostError('BUNDLE_NAME_TAKEN', `${what} is held by ${name} already`);
}
