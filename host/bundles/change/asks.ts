/**
 * What a version asks the operator for, as plain lines, so that two versions can be compared and the difference shown.
 * May import: quotas.
 */
import { LIMITS, type LimitName } from '../../quotas/limits.ts';
import type { Manifest } from '../manifest/manifest.ts';
import { DEFAULT_PRIORITY } from '../manifest/vcloud.ts';
import { aclLines, guardsOf, loosens } from './guards.ts';

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
        ? `api-filter ${filter.urlPattern}`
        : `response-filter ${filter.responseContentType}`,
    ),
    // Links stand in vCloud's own documents, for everybody who reads them.
    ...vcloud.serviceLinks.map(
      ({ rel, linkHref, resourceType }) => `service-link ${resourceType} ${rel} ${linkHref}`,
    ),
    ...aclLines(vcloud),
    // Of two filters on one path vCloud calls the service that has more.
    ...(vcloud.priority > DEFAULT_PRIORITY ? [`priority ${vcloud.priority}`] : []),
    ...(manifest.tenantRoutes ? [`tenant-routes ${manifest.tenantRoutes.prefix}`] : []),
    ...manifest.notifications.flatMap(({ types }) => types.map((type) => `events ${type}`)),
    ...(manifest.blockingTasks?.operations ?? []).map((name) => `blocking-task ${name}`),
    ...limitLines(manifest.limits),
  ];
  return [...new Set(lines)].sort();
}

/** What is written down as allowed, and compared: the asks, and which calls nobody is asked about. */
export function termsOf(manifest: Manifest): readonly string[] {
  return [...asksOf(manifest), ...guardsOf(manifest)].sort();
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
  return terms.filter((line) => {
    const limit = readLimit(line);
    if (limit) return limit.value > (highest.get(limit.name) ?? 0);
    return loosens(line, known) ?? !known.has(line);
  });
}

function readLimit(line: string): { name: string; value: number } | null {
  const [, name, value] = /^(limit \w+|priority) (\d+)$/.exec(line) ?? [];
  return name === undefined ? null : { name, value: Number(value) };
}
