/**
 * Whether the filters of one service take calls of another: vCloud's expressions against examples of paths.
 * May import: nothing.
 *
 * Whether two expressions have a path in common is not to be told in general. An example that matches proves it, so
 * that nothing is refused wrongly; what has none may still overlap, and is the approver's to judge.
 */
import { RE2JS } from 're2js';

import type { Manifest } from '../manifest/manifest.ts';

/** What stands for a parameter, all of one path alike. */
const VALUES = [
  'x',
  '1',
  '10000000-0000-4000-8000-000000000000',
  'urn:vcloud:vm:10000000-0000-4000-8000-000000000000',
];
/** Larger expressions take too long for all the examples. */
const MAX_STEPS = 500;

interface Filter {
  readonly urlPattern: string;
  readonly takes: (path: string) => boolean;
}

interface Known {
  readonly filters: readonly Filter[];
  readonly examples: readonly string[];
}

/** Manifests never change: what is live is compared with everything that comes. */
const known = new WeakMap<Manifest, Known>();

/** A filter of `manifest` that takes an example of what the other serves, or null. */
export function takenBy(
  manifest: Manifest,
  other: Manifest,
): { filter: string; path: string } | null {
  const { examples } = knownOf(other);
  for (const { urlPattern, takes } of knownOf(manifest).filters) {
    const path = examples.find(takes);
    if (path !== undefined) return { filter: urlPattern, path };
  }
  return null;
}

/** Null for what RE2 can not read, such as look-ahead, and for what is too large to be tried. */
export function readFilter(urlPattern: string): ((path: string) => boolean) | null {
  try {
    const compiled = RE2JS.compile(`^(?:${urlPattern})$`);
    return compiled.programSize() > MAX_STEPS ? null : (path) => compiled.test(path);
  } catch {
    return null;
  }
}

function knownOf(manifest: Manifest): Known {
  const before = known.get(manifest);
  if (before) return before;
  const filters = manifest.vcloud.apiFilters.flatMap((filter) => {
    const takes = 'urlPattern' in filter ? readFilter(filter.urlPattern) : null;
    return takes && 'urlPattern' in filter ? [{ urlPattern: filter.urlPattern, takes }] : [];
  });
  const made = { filters, examples: examplesOf(manifest) };
  known.set(manifest, made);
  return made;
}

function examplesOf({ routes, tenantRoutes }: Manifest): readonly string[] {
  const paths = routes.map(({ path }) => path);
  if (tenantRoutes) paths.push(`${tenantRoutes.prefix}/*`);
  const examples = paths.flatMap((path) =>
    VALUES.map((value) => path.replaceAll(/\{[^{}]*\}/g, value).replace(/\*$/, value)),
  );
  return [...new Set(examples)];
}
