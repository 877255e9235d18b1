/**
 * What a version asks the operator for, as plain lines, so that two versions can be compared and the difference shown.
 * May import: quotas.
 */
import { LIMITS, type LimitName } from '../../quotas/limits.ts';
import type { Manifest } from '../manifest/manifest.ts';
import { DEFAULT_PRIORITY } from '../manifest/vcloud.ts';
import { aclLines, guardsOf, loosens } from './guards.ts';
import { readFilter } from '../live/filters.ts';
import { createOpens, rightsOf } from './route-rights.ts';

/** Every power beyond answering its own routes within the default limits. Sorted, each line once. */
export function asksOf(manifest: Manifest): readonly string[] {
  const { vcloud, fetch } = manifest;
  const lines = [
    ...manifest.bindings.map((name) => `binding ${name}`),
    ...(fetch?.origins ?? []).map((origin) => `origin ${origin}`),
    ...(fetch?.methods ?? []).map((method) => `fetch-method ${method}`),
    ...manifest.vcloudPaths.map((path) => `vcloud-path ${path}`),
    ...vcloud.rights.map(({ name }) => `right ${name}`),
    // Filters hold for the whole cloud, whoever owns what they match.
    ...vcloud.apiFilters.map((filter) =>
      'urlPattern' in filter
        ? `api-filter ${filter.urlPattern}${readFilter(filter.urlPattern) ? '' : UNCOMPARED}`
        : `response-filter ${filter.responseContentType}`,
    ),
    // Links and definitions stand in vCloud's own documents, for everybody who reads them.
    ...vcloud.serviceLinks.map(linkLine),
    ...(vcloud.apiDefinitions ?? []).flatMap(({ namespace, entryPoint, files = [] }) =>
      [`api-definition ${namespace} ${entryPoint}`].concat(
        files.map(({ href }) => `api-file ${namespace} ${href}`),
      ),
    ),
    ...aclLines(vcloud),
    // Of two filters on one path vCloud calls the service that has more.
    ...(vcloud.priority > DEFAULT_PRIORITY ? [`priority ${vcloud.priority}`] : []),
    ...(manifest.tenantRoutes ? [`tenant-routes ${manifest.tenantRoutes.prefix}`] : []),
    ...manifest.notifications.flatMap(eventLines),
    ...(manifest.blockingTasks?.operations ?? []).map((name) => `blocking-task ${name}`),
    ...limitLines(manifest.limits),
  ];
  return [...new Set(lines)].sort();
}

/** Said to the approver: what it takes of others' calls nobody has looked at. */
const UNCOMPARED = ' (not compared with the paths of others)';
const ADDRESS = 'service-address ';

/** What a first version is approved with its filters for; in lists from before this was written down there is none. */
function isAddress(line: string): boolean {
  return line.startsWith(ADDRESS);
}

/** What is written down as allowed, and compared: the asks, where calls come from, and which nobody is asked about. */
export function termsOf(manifest: Manifest): readonly string[] {
  const { exchange, routingKey } = manifest.vcloud;
  const address = `${ADDRESS}${JSON.stringify([exchange, routingKey])}`;
  return [...asksOf(manifest), address, ...guardsOf(manifest), ...rightsOf(manifest)].sort();
}

type Link = Manifest['vcloud']['serviceLinks'][number];

/** One for a single resource is another thing than one for all of a type. */
function linkLine({ rel, linkHref, resourceType, resourceId, externalResourceId }: Link): string {
  const only = [resourceId, externalResourceId].filter((id) => id !== undefined);
  const line = `service-link ${resourceType} ${rel} ${linkHref}`;
  return only.length === 0
    ? line
    : `${line} only ${only.map((id) => JSON.stringify(id)).join(' ')}`;
}

/** Of fewer orgs or kinds of objects is another thing than of all. */
function eventLines({ types, entityTypes, orgs }: Manifest['notifications'][number]): string[] {
  const of = entityTypes ? ` of ${entityTypes.toSorted().join(',')}` : '';
  const within = orgs ? ` in ${orgs.toSorted().join(',')}` : '';
  return types.map((type) => `events ${type}${of}${within}`);
}

function limitLines(limits: Manifest['limits']): string[] {
  return Object.entries(limits)
    .filter(([name, value]) => value !== undefined && value > LIMITS[name as LimitName].default)
    .map(([name, value]) => `limit ${name} ${value}`);
}

/**
 * Those terms that what was allowed does not cover. A lower limit or priority is covered by a higher one, and a call
 * that vCloud is not asked about by an earlier version that did not ask.
 */
export function growthOf(terms: readonly string[], allowed: readonly string[]): readonly string[] {
  const known = new Set(allowed);
  const highest = new Map<string, number>();
  for (const line of allowed) {
    const limit = readLimit(line);
    if (limit) highest.set(limit.name, Math.max(limit.value, highest.get(limit.name) ?? 0));
  }
  const opens = createOpens(allowed);
  return terms.filter((line) => {
    const limit = readLimit(line);
    if (limit) return limit.value > (highest.get(limit.name) ?? 0);
    if (line.startsWith(ADDRESS)) return !known.has(line) && allowed.some(isAddress);
    const [events, type] = /^events (\S+) /.exec(line) ?? [];
    if (events !== undefined && known.has(`events ${type}`)) return false;
    return opens(line) ?? loosens(line, known) ?? !known.has(line);
  });
}

function readLimit(line: string): { name: string; value: number } | null {
  const [, name, value] = /^(limit \w+|priority) (\d+)$/.exec(line) ?? [];
  return name === undefined ? null : { name, value: Number(value) };
}
