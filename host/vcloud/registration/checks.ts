/**
 * Looks a service over before anything is sent: what vCloud would refuse is an error, what surprises a warning.
 * May import: vcloud. re2js decides whether an expression can be read at all, in linear time.
 */
import { RE2JS } from 're2js';
import type { AclRuleSpec, ResourceClassSpec, ServiceSpec } from '../service-spec.ts';

export interface Finding {
  /** Errors keep the service from being registered. */
  readonly level: 'error' | 'warning';
  readonly code:
    | 'FILTER_TOO_LONG'
    | 'FILTER_NOT_ANCHORED'
    | 'FILTER_KIND'
    | 'PATTERN_INVALID'
    | 'PATTERN_UNCHECKED'
    | 'RIGHT_TWICE'
    | 'RIGHT_UNKNOWN'
    | 'RIGHT_DIFFERS'
    | 'RESOURCE_UNKNOWN'
    | 'ACTION_WITHOUT_ID'
    | 'AUTHORIZATION_WITHOUT_CLASSES'
    | 'FIELD_INVALID';
  /** Path in the manifest. */
  readonly where: string;
  readonly message: string;
}

/** vCloud's limits: a pattern, a field of a link, and a media type of a class. */
const MAX_PATTERN = 1_024;
const MAX_FIELD = 255;

/** Everything that can be said without asking vCloud. */
export function checkSpec(spec: ServiceSpec): Finding[] {
  return [
    ...checkFields(spec),
    ...checkFilters(spec),
    ...checkRights(spec),
    ...checkLinks(spec),
    ...checkAuthorization(spec),
  ];
}

function checkFields(spec: ServiceSpec): Finding[] {
  const empty = (['name', 'namespace', 'exchange', 'routingKey'] as const)
    .filter((field) => !spec[field])
    .map((field) => error('FIELD_INVALID', field, 'is empty'));
  const { priority = 50 } = spec;
  if (Number.isInteger(priority) && priority >= 0 && priority <= 100) return empty;
  return [...empty, error('FIELD_INVALID', 'priority', 'must be a whole number from 0 to 100')];
}

function checkFilters({ apiFilters = [] }: ServiceSpec): Finding[] {
  return apiFilters.flatMap(({ urlPattern, responseContentType }, at) => {
    const where = `apiFilters[${at}]`;
    if ((urlPattern === undefined) === (responseContentType === undefined))
      return [error('FILTER_KIND', where, 'needs urlPattern or responseContentType, not both')];
    return urlPattern === undefined ? [] : checkPattern(urlPattern, `${where}.urlPattern`);
  });
}

function checkPattern(pattern: string, where: string): Finding[] {
  const findings: Finding[] = [];
  if (pattern.length > MAX_PATTERN)
    findings.push(
      error('FILTER_TOO_LONG', where, `${pattern.length} characters, vCloud takes ${MAX_PATTERN}`),
    );
  findings.push(...checkExpression(pattern, where));
  if (!isAnchored(pattern))
    findings.push(
      warning('FILTER_NOT_ANCHORED', where, 'an alternative does not begin with a literal "/"'),
    );
  return findings;
}

/** Faults in any dialect. The rest RE2 only lacks: lookaround, back references, possessive and atomic groups, large counts. */
const CERTAIN =
  /missing closing|unexpected \)|missing argument|trailing backslash|duplicate capture|class range: `[^\\]|named capture: `\(\?<(?![=!])/;

function checkExpression(pattern: string, where: string): Finding[] {
  try {
    RE2JS.compile(pattern);
    return [];
  } catch (problem) {
    const reason = problem instanceof Error ? problem.message : String(problem);
    return CERTAIN.test(reason)
      ? [error('PATTERN_INVALID', where, reason)]
      : [
          warning(
            'PATTERN_UNCHECKED',
            where,
            `only vCloud can tell whether it is valid: ${reason}`,
          ),
        ];
  }
}

/** Whether every alternative begins with a literal slash, whatever way vCloud matches. */
export function isAnchored(pattern: string): boolean {
  const inner = unwrap(pattern);
  const alternatives = splitAlternatives(inner);
  if (alternatives.length > 1) return alternatives.every(isAnchored);
  if (inner !== pattern) return isAnchored(inner);
  return /^\^?\\?\//.test(pattern) || startsWithAnchoredGroup(pattern);
}

/** `(/a|/b)/c`: the leading group decides. */
function startsWithAnchoredGroup(pattern: string): boolean {
  const bare = pattern.replace(/^\^/, '');
  const end = bare.startsWith('(') ? closingOf(bare, 0) : -1;
  if (end <= 0 || /^[?*{]/.test(bare.slice(end + 1))) return bare !== pattern && isAnchored(bare);
  return end < bare.length - 1 && isAnchored(bare.slice(0, end + 1));
}

/** Without one group around the whole. */
function unwrap(pattern: string): string {
  const bare = pattern.replace(/^\^/, '').replace(/\$$/, '');
  if (!bare.startsWith('(') || closingOf(bare, 0) !== bare.length - 1) return pattern;
  return bare.slice(1, -1).replace(/^\?(?::|<[A-Za-z]\w*>)/, '');
}

function splitAlternatives(pattern: string): string[] {
  const parts: string[] = [];
  let from = 0;
  walk(pattern, (at, depth) => {
    if (pattern[at] !== '|' || depth !== 0) return;
    parts.push(pattern.slice(from, at));
    from = at + 1;
  });
  return [...parts, pattern.slice(from)];
}

function closingOf(pattern: string, open: number): number {
  let closing = -1;
  walk(pattern, (at, depth) => {
    if (at > open && closing === -1 && depth === 0 && pattern[at] === ')') closing = at;
  });
  return closing;
}

/** Visit what is neither escaped nor in a character class, with the depth of groups after it. */
function walk(pattern: string, visit: (at: number, depth: number) => void): void {
  let depth = 0;
  let inClass = false;
  for (let at = 0; at < pattern.length; at += 1) {
    const character = pattern[at];
    if (character === '\\') at += 1;
    else if (inClass) inClass = character !== ']';
    else if (character === '[') inClass = true;
    else {
      if (character === '(') depth += 1;
      if (character === ')') depth -= 1;
      visit(at, depth);
    }
  }
}

function checkRights({ rights = [] }: ServiceSpec): Finding[] {
  const seen = new Set<string>();
  return rights.flatMap(({ name }, at) => {
    const where = `rights[${at}].name`;
    if (!name) return [error('FIELD_INVALID', where, 'is empty')];
    if (seen.has(name)) return [error('RIGHT_TWICE', where, `"${name}" is named twice`)];
    seen.add(name);
    return [];
  });
}

function checkLinks({ serviceLinks = [] }: ServiceSpec): Finding[] {
  return serviceLinks.flatMap((link, at) =>
    Object.entries(link)
      .filter(([, value]) => typeof value === 'string' && value.length > MAX_FIELD)
      .map(([field]) =>
        error('FIELD_INVALID', `serviceLinks[${at}].${field}`, `longer than ${MAX_FIELD}`),
      ),
  );
}

function checkAuthorization(spec: ServiceSpec): Finding[] {
  const { authorizationEnabled = false, resourceClasses = [] } = spec;
  const findings = resourceClasses.flatMap((resourceClass, at) =>
    checkClass(resourceClass, `resourceClasses[${at}]`, spec),
  );
  if (authorizationEnabled && resourceClasses.length === 0)
    findings.push(
      warning(
        'AUTHORIZATION_WITHOUT_CLASSES',
        'authorizationEnabled',
        'without resource classes, actions and rules vCloud rejects every call',
      ),
    );
  return findings;
}

function checkClass(resourceClass: ResourceClassSpec, where: string, spec: ServiceSpec): Finding[] {
  const rights = new Set((spec.rights ?? []).map(({ name }) => name));
  const resources = new Set((resourceClass.resources ?? []).map(({ name }) => name));
  return (resourceClass.actions ?? []).flatMap(({ urlPattern, aclRules = [] }, at) => {
    const here = `${where}.actions[${at}]`;
    const findings = checkExpression(urlPattern, `${here}.urlPattern`);
    if (urlPattern.length > MAX_PATTERN)
      findings.push(error('FILTER_TOO_LONG', `${here}.urlPattern`, `over ${MAX_PATTERN}`));
    if (!urlPattern.includes('(?<id>'))
      findings.push(
        warning('ACTION_WITHOUT_ID', here, 'without a group named "id" it authorizes nobody'),
      );
    for (const rule of aclRules)
      findings.push(...checkRule(rule, `${here}: rule ${rule.name}`, { rights, resources }));
    return findings;
  });
}

function checkRule(
  { principal, serviceResource }: AclRuleSpec,
  where: string,
  known: { readonly rights: ReadonlySet<string>; readonly resources: ReadonlySet<string> },
): Finding[] {
  const findings: Finding[] = [];
  if (typeof principal === 'object' && 'right' in principal && !known.rights.has(principal.right))
    findings.push(error('RIGHT_UNKNOWN', where, `no right "${principal.right}"`));
  if (typeof serviceResource === 'object' && !known.resources.has(serviceResource.resource))
    findings.push(error('RESOURCE_UNKNOWN', where, `no resource "${serviceResource.resource}"`));
  return findings;
}

function error(code: Finding['code'], where: string, message: string): Finding {
  return { level: 'error', code, where, message };
}

function warning(code: Finding['code'], where: string, message: string): Finding {
  return { level: 'warning', code, where, message };
}
