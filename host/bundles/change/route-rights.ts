/**
 * Which rights the callers of each route must hold, as lines that can be compared like the asks of a version.
 * May import: nothing.
 */
import type { Manifest } from '../manifest/manifest.ts';
import { compilePattern, intersect, type Pattern } from '../live/routes.ts';

const KIND = 'route-rights ';

interface Entry {
  readonly method: string;
  readonly pattern: Pattern;
  readonly rights: readonly string[];
}

/** One line a route. */
export function rightsOf({ routes }: Pick<Manifest, 'routes'>): readonly string[] {
  return routes.map(({ method, path, rights }) => {
    return `${KIND}${JSON.stringify([method, path, ...new Set(rights.toSorted())])}`;
  });
}

/**
 * Whether by a line calls need a right less than they did: it meets a route that asked for one which it does not ask
 * for. What was allowed for the very same route once may come back. Null for a line about anything else.
 */
export function createOpens(allowed: readonly string[]): (line: string) => boolean | null {
  const known = allowed.flatMap((one) => read(one) ?? []);
  const same = new Set(allowed);
  return (line) => {
    if (!line.startsWith(KIND)) return null;
    const entry = same.has(line) ? null : read(line);
    if (!entry) return false;
    const asksFor = ({ rights }: Entry) => rights.every((right) => entry.rights.includes(right));
    const isOpened = known.some(
      (one) => !asksFor(one) && sameCalls(entry, one) && intersect(entry.pattern, one.pattern),
    );
    const { shape } = entry.pattern;
    return (
      isOpened &&
      !known.some((one) => one.pattern.shape === shape && sameCalls(entry, one) && asksFor(one))
    );
  };
}

/** HEAD goes where GET does. */
function sameCalls({ method: one }: Entry, { method: other }: Entry): boolean {
  const wide = (method: string) => (method === 'HEAD' ? 'GET' : method);
  return one === '*' || other === '*' || wide(one) === wide(other);
}

function read(line: string): Entry | null {
  if (!line.startsWith(KIND)) return null;
  const [method = '', path = '', ...rights] = JSON.parse(line.slice(KIND.length)) as string[];
  return { method, pattern: compilePattern(path), rights };
}
