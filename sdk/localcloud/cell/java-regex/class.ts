/**
 * Translates a character class in square brackets from java.util.regex to JavaScript's `v` flag.
 * May import: source, properties.
 */
import { type JavaSource, escapeOf, range } from './source.ts';

/** One member: a set in JavaScript's words, or a single code point that may begin a range. */
type Member = { readonly set: string } | { readonly point: number };

function readMember(source: JavaSource, fold: boolean): Member {
  if (source.peek() === '[') {
    source.next();
    return { set: readClass(source, fold) };
  }
  if (source.peek() !== '\\') return { point: source.nextPoint() };
  source.next();
  return escapeOf(source, true);
}

/** After `a`, is there `-b`? Not when the dash is the last of the class or a nested class follows. */
function rangeFollows(source: JavaSource): boolean {
  return source.peek() === '-' && source.peek(1) !== ']' && source.peek(1) !== '[';
}

function readItem(source: JavaSource, fold: boolean): string {
  const first = readMember(source, fold);
  if ('set' in first) return first.set;
  if (!rangeFollows(source)) return range(first.point, first.point, fold);
  source.next();
  const last = readMember(source, fold);
  if ('set' in last) throw source.refuse('a range that ends in a class');
  if (last.point < first.point) throw source.refuse('a range that runs backwards');
  return range(first.point, last.point, fold);
}

function readQuoted(source: JavaSource, fold: boolean): string {
  source.next(2);
  return Array.from(source.takeUntil(String.raw`\E`), (char) => {
    const point = char.codePointAt(0) ?? 0;
    return range(point, point, fold);
  }).join('');
}

/**
 * Read up to the closing bracket; the opening one has been taken. Intersection binds weakest. `fold`
 * ignores the case of letters, but not of `\p{…}`, as Java does up to version 17.
 */
export function readClass(source: JavaSource, fold: boolean): string {
  const negated = source.peek() === '^';
  if (negated) source.next();
  const operands: string[] = [];
  let items = '';
  // A closing bracket that comes first is a literal in Java.
  for (let first = true; first || source.peek() !== ']'; first = false) {
    if (source.done()) throw source.refuse('an unclosed character class');
    if (source.startsWith('&&')) {
      source.next(2);
      while (source.peek() === '&') source.next();
      operands.push(items);
      items = '';
      if (source.peek() === ']') break;
    } else if (source.startsWith(String.raw`\Q`)) items += readQuoted(source, fold);
    else items += readItem(source, fold);
  }
  source.next();
  operands.push(items);
  // An empty operand is no restriction: Java reads `[a-z&&]` as `[a-z]`.
  const sets = operands.filter((text) => text !== '').map((text) => `[${text}]`);
  return `[${negated ? '^' : ''}${sets.length === 1 ? (sets[0] ?? '').slice(1, -1) : sets.join('&&')}]`;
}
