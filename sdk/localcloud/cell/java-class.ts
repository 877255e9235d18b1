/**
 * Translates a character class in square brackets from java.util.regex to JavaScript's `v` flag.
 * May import: java-source, java-properties.
 */
import { type JavaSource, escapeOf, literal } from './java-source.ts';

/** One member: a set in JavaScript's words, or a single code point that may begin a range. */
type Member = { readonly set: string } | { readonly point: number };

function readMember(source: JavaSource): Member {
  if (source.peek() === '[') {
    source.next();
    return { set: readClass(source) };
  }
  if (source.peek() !== '\\') return { point: source.nextPoint() };
  source.next();
  return escapeOf(source, true);
}

/** After `a`, is there `-b`? Not when the dash is the last of the class or a nested class follows. */
function rangeFollows(source: JavaSource): boolean {
  return source.peek() === '-' && source.peek(1) !== ']' && source.peek(1) !== '[';
}

function readItem(source: JavaSource): string {
  const first = readMember(source);
  if ('set' in first) return first.set;
  if (!rangeFollows(source)) return literal(first.point);
  source.next();
  const last = readMember(source);
  if ('set' in last) throw source.refuse('a range that ends in a class');
  if (last.point < first.point) throw source.refuse('a range that runs backwards');
  return `${literal(first.point)}-${literal(last.point)}`;
}

function readQuoted(source: JavaSource): string {
  source.next(2);
  return Array.from(source.takeUntil(String.raw`\E`), (char) =>
    literal(char.codePointAt(0) ?? 0),
  ).join('');
}

/** Read up to the closing bracket; the opening one has been taken. Intersection binds weakest. */
export function readClass(source: JavaSource): string {
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
    } else if (source.startsWith(String.raw`\Q`)) items += readQuoted(source);
    else items += readItem(source);
  }
  source.next();
  operands.push(items);
  // An empty operand is no restriction: Java reads `[a-z&&]` as `[a-z]`.
  const sets = operands.filter((text) => text !== '').map((text) => `[${text}]`);
  return `[${negated ? '^' : ''}${sets.length === 1 ? (sets[0] ?? '').slice(1, -1) : sets.join('&&')}]`;
}
