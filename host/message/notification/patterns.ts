/**
 * What a plug-in subscribes to: as AMQP binding patterns, which sieve coarsely at the broker, and as an exact
 * check on the decoded event. Whatever the check lets pass, the patterns let pass too.
 * May import: message.
 */
import type { CloudEvent } from './event.ts';
import { bareId, shortType } from './references.ts';

/** One subscription of a manifest, or what an operator or the host made of it. */
export interface EventFilter {
  /**
   * Event types, one of which must match. With slashes, or beginning with `com.` or `#`, a pattern is whole; `vm.create`
   * stands below `com/vmware/vcloud/event/`. `*` is one segment, `#` any number, none included (once a pattern at most).
   */
  readonly types: readonly string[];
  /** `only`: of operations that succeeded. */
  readonly success: 'only' | 'both';
  /** URNs or bare ids of the orgs whose events are wanted, an empty list for none. @default all */
  readonly orgs?: readonly string[] | undefined;
  /** Such as `vm` or `vcloud:vm`, in any case. The routing key does not have it: only the check knows. @default all */
  readonly entityTypes?: readonly string[] | undefined;
}

const VCLOUD = ['com', 'vmware', 'vcloud', 'event'] as const;
const SEGMENT = /^(?:[\w-]+|\*|#)$/;
const MAX_LENGTH = 255;
/** Of a type in a binding, so that the whole stays below the 255 bytes of AMQP; a longer one is cut to `#`. */
const MAX_BOUND_LENGTH = 150;
/** Bindings of one filter; above it the orgs are left to the check. */
const MAX_BINDINGS = 64;

/** What is wrong with a type pattern, for its author; null when it is fine. */
export function typePatternProblem(pattern: string): string | null {
  if (pattern.length > MAX_LENGTH) return `longer than ${MAX_LENGTH} characters`;
  const segments = segmentsOf(pattern);
  if (!segments.every((segment) => SEGMENT.test(segment)))
    return 'segments are letters, digits, "-" and "_", or "*" or "#", with dots or slashes between';
  return segments.filter((segment) => segment === '#').length > 1 ? '"#" at most once' : null;
}

/** Patterns for a topic exchange, without repetition. Types that have a problem are left out: they match nothing. */
export function bindingPatterns(filter: EventFilter): string[] {
  const types = validTypes(filter).map(boundType);
  const orgs = filter.orgs?.map(bareId).filter(isWord) ?? ['*'];
  const words = types.length * orgs.length > MAX_BINDINGS ? ['*'] : orgs;
  const success = filter.success === 'only' ? 'true' : '*';
  const all = words.flatMap((org) => types.map((type) => [success, '*', org, '*', type].join('.')));
  return [...new Set(all)];
}

/** The exact check. */
export function createEventMatcher(filter: EventFilter): (event: CloudEvent) => boolean {
  const types = validTypes(filter).map(segmentsOf);
  const orgs = filter.orgs && new Set(filter.orgs.map((org) => bareId(org).toLowerCase()));
  const kinds = filter.entityTypes && new Set(filter.entityTypes.map(kindOf));
  return (event) => {
    if (filter.success === 'only' && !event.operationSuccess) return false;
    if (orgs && !orgs.has(bareId(event.org.id).toLowerCase())) return false;
    if (kinds && !kinds.has(kindOf(event.entity.type))) return false;
    const words = event.type.split(/[./]/);
    return types.some((type) => matches(type, words));
  };
}

function validTypes({ types }: EventFilter): string[] {
  return types.filter((type) => typePatternProblem(type) === null);
}

/** No wildcard, and no dot that would make it two words. */
function isWord(text: string): boolean {
  return /^[\w-]+$/.test(text);
}

function kindOf(type: string): string {
  return (shortType(type) ?? type).toLowerCase();
}

/** The whole type as segments. */
function segmentsOf(pattern: string): string[] {
  const segments = pattern.split(/[./]/);
  const whole = pattern.includes('/') || segments[0] === 'com' || segments[0] === '#';
  return whole ? segments : [...VCLOUD, ...segments];
}

/** Behind the type of a task comes its name, which the pattern does not speak of. */
function boundType(pattern: string): string {
  const segments = segmentsOf(pattern);
  while (segments.join('.').length > MAX_BOUND_LENGTH) segments.pop();
  return [...segments, ...(segments.at(-1) === '#' ? [] : ['#'])].join('.');
}

/** `*` is one segment, `#` any number. One `#` at most: what is before it and behind it is compared. */
function matches(pattern: readonly string[], words: readonly string[]): boolean {
  const fits = (segment: string, word: string | undefined) =>
    word !== undefined && (segment === '*' || segment === word);
  const at = pattern.indexOf('#');
  if (at < 0)
    return pattern.length === words.length && pattern.every((one, i) => fits(one, words[i]));
  const tail = pattern.slice(at + 1);
  if (words.length < pattern.length - 1) return false;
  const end = words.slice(words.length - tail.length);
  return (
    pattern.slice(0, at).every((one, i) => fits(one, words[i])) &&
    tail.every((one, i) => fits(one, end[i]))
  );
}
