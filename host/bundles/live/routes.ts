/**
 * The routing table: method and path patterns of all plug-ins, most specific first.
 * May import: kernel.
 */
import { HostError } from '../../kernel/errors.ts';
import type { ManifestRoute } from '../manifest/manifest.ts';

export interface Route<Target> {
  readonly target: Target;
  readonly route: ManifestRoute;
  readonly pattern: Pattern;
}

export type RouteMatch<Target> =
  | {
      readonly kind: 'found';
      readonly route: Route<Target>;
      readonly params: Readonly<Record<string, string>>;
    }
  | { readonly kind: 'wrongMethod'; readonly allowed: readonly string[] }
  | { readonly kind: 'none' };

interface Segment {
  /** Literal text around at most one parameter. */
  readonly before: string;
  readonly param: string | null;
  readonly after: string;
}

export interface Pattern {
  readonly segments: readonly Segment[];
  /** A last `*`: takes any further segments, at least one. */
  readonly rest: boolean;
  /** The pattern with nameless parameters: equal shapes would tie. */
  readonly shape: string;
}

/** Compile a path pattern; throws BUNDLE_INVALID when it makes no sense. */
export function compilePattern(path: string): Pattern {
  const parts = path.split('/').slice(1);
  const rest = parts.at(-1) === '*';
  const names = new Set<string>();
  const segments = (rest ? parts.slice(0, -1) : parts).map((part) => {
    const match = /^([^{}*]*)(?:\{([A-Za-z][A-Za-z0-9]*)\}([^{}*]*))?$/.exec(part);
    if (!match || (part === '' && parts.length > 1))
      throw new HostError('BUNDLE_INVALID', `route ${path}: can not read the segment "${part}"`);
    const [, before = '', param, after = ''] = match;
    if (param && names.has(param))
      throw new HostError('BUNDLE_INVALID', `route ${path}: {${param}} stands twice`);
    if (param) names.add(param);
    return { before, param: param ?? null, after };
  });
  const shape = segments.map((s) => (s.param ? `${s.before}{}${s.after}` : s.before)).join('/');
  return { segments, rest, shape: rest ? `${shape}/*` : shape };
}

/** A table that never changes: build a new one when plug-ins do. Throws BUNDLE_INVALID on a tie. */
export function createRouteTable<Target>(
  entries: readonly { target: Target; routes: readonly ManifestRoute[] }[],
): (method: string, path: string) => RouteMatch<Target> {
  const routes = entries
    .flatMap(({ target, routes }) =>
      routes.map((route) => ({ target, route, pattern: compilePattern(route.path) })),
    )
    .sort(
      (a, b) =>
        moreSpecific(a.pattern, b.pattern) ||
        Number(a.route.method === '*') - Number(b.route.method === '*'),
    );
  refuseTies(routes);

  return (method, path) => {
    const segments = path.split('/').slice(1);
    // Made when it is needed: most calls find their route.
    let allowed: Set<string> | null = null;
    for (const route of routes) {
      const params = match(route.pattern, segments);
      if (!params) continue;
      const wanted = route.route.method;
      if (wanted === '*' || wanted === method || (wanted === 'GET' && method === 'HEAD'))
        return { kind: 'found', route, params };
      (allowed ??= new Set()).add(wanted);
    }
    return allowed ? { kind: 'wrongMethod', allowed: [...allowed] } : { kind: 'none' };
  };
}

/** Whether the pattern could take this path. */
export function overlaps(pattern: Pattern, path: string): boolean {
  const wanted = path.split('/').slice(1);
  const { segments, rest } = pattern;
  if (rest && segments.length < wanted.length)
    return segments.every((segment, index) => couldBe(segment, wanted[index] ?? ''));
  // A path below the same beginning, however long, lies in it too.
  return (
    segments.length >= wanted.length &&
    wanted.slice(0, -1).every((text, index) => couldBe(segments[index], text))
  );
}

/** Whether there is a path that both patterns take. */
export function intersect(a: Pattern, b: Pattern): boolean {
  const [short, long] = a.segments.length <= b.segments.length ? [a, b] : [b, a];
  // A last `*` stands for one segment at least.
  const longer = short.segments.length < long.segments.length || long.rest;
  if (longer ? !short.rest : short.rest) return false;
  return short.segments.every((segment, index) => meet(segment, long.segments[index]));
}

/** Whether there is a text for both: a parameter stands for one character at least. */
function meet(a: Segment, b: Segment | undefined): boolean {
  if (!b) return false;
  if (a.param === null) return b.param === null ? a.before === b.before : takes(b, a.before);
  if (b.param === null) return takes(a, b.before);
  const before = a.before.startsWith(b.before) || b.before.startsWith(a.before);
  return before && (a.after.endsWith(b.after) || b.after.endsWith(a.after));
}

function takes({ before, after }: Segment, text: string): boolean {
  const room = text.length > before.length + after.length;
  return room && text.startsWith(before) && text.endsWith(after);
}

function couldBe(segment: Segment | undefined, text: string): boolean {
  if (!segment) return false;
  if (segment.param === null) return segment.before === text;
  return text.startsWith(segment.before) && text.endsWith(segment.after);
}

function match(pattern: Pattern, segments: readonly string[]): Record<string, string> | null {
  const { length } = pattern.segments;
  if (pattern.rest ? segments.length <= length : segments.length !== length) return null;
  const params: Record<string, string> = {};
  let index = 0;
  for (const { before, param, after } of pattern.segments) {
    const text = segments[index++] ?? '';
    if (param === null) {
      if (text !== before) return null;
      continue;
    }
    if (!takes({ before, param, after }, text)) return null;
    params[param] = text.slice(before.length, text.length - after.length);
  }
  if (pattern.rest) params['rest'] = segments.slice(length).join('/');
  return params;
}

/** Literal before mixed before parameter, segment by segment; the longer literal first. */
function moreSpecific(a: Pattern, b: Pattern): number {
  for (let i = 0; i < Math.max(a.segments.length, b.segments.length); i += 1) {
    const left = a.segments[i];
    const right = b.segments[i];
    if (!left || !right) break;
    const byKind = Number(left.param !== null) - Number(right.param !== null);
    if (byKind !== 0) return byKind;
    const byText =
      right.before.length + right.after.length - (left.before.length + left.after.length);
    if (left.param !== null && byText !== 0) return byText;
  }
  return Number(a.rest) - Number(b.rest) || b.segments.length - a.segments.length;
}

function refuseTies<Target>(routes: readonly Route<Target>[]): void {
  const seen = new Map<string, Route<Target>>();
  for (const entry of routes) {
    const key = `${entry.route.method} ${entry.pattern.shape}`;
    if (seen.has(key))
      throw new HostError(
        'BUNDLE_INVALID',
        `two routes match the same calls: ${entry.route.method} ${entry.route.path} and ${seen.get(key)?.route.path}`,
      );
    seen.set(key, entry);
  }
}
