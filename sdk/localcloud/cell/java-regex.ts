/**
 * Translates java.util.regex patterns, in which API filters are written, to JavaScript.
 * May import: java-source, java-class.
 */
import { readClass } from './java-class.ts';
import { type JavaSource, Refusal, createSource, escapeOf, literal } from './java-source.ts';

export type Translation =
  | { readonly ok: true; readonly regexp: RegExp }
  | { readonly ok: false; readonly reason: string };

/** Embedded flags that are on: i, d (Unix lines), m, s, x. `u` only widens what `i` folds. */
type Flags = ReadonlySet<string>;

interface Reader {
  readonly source: JavaSource;
  /** Java's number or name of a group to its JavaScript name. */
  readonly names: Map<string, string>;
  /** Groups that may be skipped by a match: a reference to them means other things in the two languages. */
  readonly skippable: Set<number>;
  readonly references: number[];
  groups: number;
  helpers: number;
  lookbehinds: number;
}

const END = String.raw`(?![\s\S])`;
const START = String.raw`(?<![\s\S])`;
const TERMINATOR = String.raw`(?:\r\n|[\n\r\x85\u2028\u2029])`;
/** Between the two characters of CR LF there is no line end. */
const WHOLE = String.raw`(?<!\r(?=\n))`;
const BEFORE_END = (flags: Flags) =>
  flags.has('d') ? `(?:(?=\\n?${END}))` : `(?:(?=${TERMINATOR}?${END})${WHOLE})`;

function dot(flags: Flags): string {
  if (flags.has('s')) return String.raw`[\s\S]`;
  return flags.has('d') ? String.raw`[^\n]` : String.raw`[^\n\r\x85\u2028\u2029]`;
}

function anchor(char: '^' | '$', flags: Flags): string {
  if (!flags.has('m')) return char === '^' ? `(?:${START})` : BEFORE_END(flags);
  const line = flags.has('d') ? String.raw`\n` : String.raw`[\n\r\x85\u2028\u2029]`;
  const crlf = flags.has('d') ? '' : WHOLE;
  // After the last terminator no line begins.
  return char === '^'
    ? `(?:(?:${START}|(?<=${line})${crlf})(?!${END}))`
    : `(?:(?=${line}|${END})${crlf})`;
}

function skipComments(source: JavaSource, flags: Flags): void {
  if (flags.has('x')) source.take(/(?:[ \t\n\x0B\f\r]|#[^\n]*)+/);
}

/** Fold case around one leaf only: an inner group may have switched it off. */
const fold = (flags: Flags, leaf: string) => (flags.has('i') ? `(?i:${leaf})` : leaf);

/** Mark groups from one number to another as skippable. */
function skip(reader: Reader, from: number, to: number): void {
  for (let group = from + 1; group <= to; group += 1) reader.skippable.add(group);
}

function atomic(reader: Reader, body: string): string {
  // A look-behind is matched backwards in JavaScript: the helper would be read before it is set.
  if (reader.lookbehinds > 0)
    throw reader.source.refuse('an atomic group or possessive quantifier in a look-behind');
  reader.helpers += 1;
  return `(?:(?=(?<h${reader.helpers}>${body}))\\k<h${reader.helpers}>)`;
}

function readQuantifier(reader: Reader, atom: string, before: number, flags: Flags): string {
  const { source } = reader;
  skipComments(source, flags);
  const range = source.take(/[*+?]|\{\d+(?:,\d*)?\}/);
  if (range === '') {
    if (source.peek() === '{') throw source.refuse('an illegal repetition');
    return atom;
  }
  const [min = 0, max = Infinity] = (range.match(/\d+/g) ?? []).map(Number);
  if (range.includes(',') && min > max) throw source.refuse('an illegal repetition range');
  const atMost =
    range === '?' ? 1 : range.startsWith('{') && !range.endsWith(',}') ? max : Infinity;
  if (reader.lookbehinds > 0 && atMost === Infinity && !/^\{\d+\}$/.test(range))
    throw source.refuse('a look-behind without an obvious maximum length');
  if (range === '*' || range === '?' || (range.startsWith('{') && min === 0))
    skip(reader, before, reader.groups);
  const mode = source.take(/[?+]/);
  if (/[*+?{]/.test(source.peek())) throw source.refuse(`a dangling '${source.peek()}'`);
  return mode === '+' ? atomic(reader, atom + range) : atom + range + mode;
}

function readReference(reader: Reader, key: string): string {
  const name = reader.names.get(key);
  if (name === undefined)
    throw reader.source.refuse(`a reference to the group '${key}', not defined before it`);
  reader.references.push(Number(name.slice(1)));
  return `(?:\\k<${name}>)`;
}

/** As many digits as name a group that exists, but one at least. */
function readNumber({ source, groups }: Reader): string {
  let digits = source.next();
  while (/\d/.test(source.peek()) && Number(digits + source.peek()) <= groups)
    digits += source.next();
  return digits;
}

function readEscape(reader: Reader, flags: Flags): string {
  const { source } = reader;
  const char = source.peek();
  if (/[1-9]/.test(char)) return readReference(reader, readNumber(reader));
  if (source.startsWith('b{')) throw source.refuse(String.raw`the boundary \b{g}`);
  const fixed: Record<string, string> = {
    A: `(?:${START})`,
    z: `(?:${END})`,
    Z: BEFORE_END(flags),
    b: String.raw`(?:\b)`,
    B: String.raw`(?:\B)`,
    R: String.raw`(?:\r\n|[\n\x0B\f\r\x85\u2028\u2029])`,
  };
  if (Object.hasOwn(fixed, char)) {
    source.next();
    return fixed[char] ?? '';
  }
  const name = source.take(/k<[a-zA-Z][a-zA-Z0-9]*>/);
  if (name !== '') return readReference(reader, name.slice(2, -1));
  if (char === 'X' || char === 'G' || char === 'N')
    throw source.refuse(`the escape \\${char}, which JavaScript does not have`);
  const found = escapeOf(source, false);
  return 'set' in found ? found.set : literal(found.point);
}

function withFlags(source: JavaSource, flags: Flags, letters: string): Flags {
  const result = new Set(flags);
  let on = true;
  for (const letter of letters) {
    if (letter === '-') on = false;
    else if (letter === 'U') throw source.refuse('the flag U (Unicode classes)');
    else if (on) result.add(letter);
    else result.delete(letter);
  }
  return result;
}

function openGroup(reader: Reader, name?: string): string {
  reader.groups += 1;
  const own = `g${reader.groups}`;
  if (name !== undefined && reader.names.has(name))
    throw reader.source.refuse(`the group name '${name}' twice`);
  if (name !== undefined) reader.names.set(name, own);
  reader.names.set(String(reader.groups), own);
  return own;
}

/** A look-around; what a negative one captured is not there afterwards. */
function readLook(reader: Reader, flags: Flags, head: string): string {
  const before = reader.groups;
  const behind = head.startsWith('?<') ? 1 : 0;
  reader.lookbehinds += behind;
  const body = readUntilClosed(reader, flags);
  reader.lookbehinds -= behind;
  if (head.endsWith('!')) skip(reader, before, reader.groups);
  return `(?:(${head}${body}))`;
}

function readGroup(reader: Reader, flags: Flags): string {
  const { source } = reader;
  const look = source.take(/\?(?:=|!|<=|<!)/);
  if (look !== '') return readLook(reader, flags, look);
  if (source.take(/\?>/) !== '') return atomic(reader, readUntilClosed(reader, flags));
  const name = source.take(/\?<[a-zA-Z][a-zA-Z0-9]*>/);
  if (name !== '')
    return `(?<${openGroup(reader, name.slice(2, -1))}>${readUntilClosed(reader, flags)})`;
  const letters = source.take(/\?[idmsuxU]*(?:-[idmsuxU]*)?:/);
  if (letters !== '')
    return `(?:${readUntilClosed(reader, withFlags(source, flags, letters.slice(1, -1)))})`;
  if (source.peek() === '?') throw source.refuse('an unknown kind of group');
  return `(?<${openGroup(reader)}>${readUntilClosed(reader, flags)})`;
}

function readUntilClosed(reader: Reader, flags: Flags): string {
  const body = readAlternatives(reader, flags);
  if (reader.source.next() !== ')') throw reader.source.refuse('an unclosed group');
  return body;
}

function readAtom(reader: Reader, flags: Flags): string {
  const { source } = reader;
  const char = source.peek();
  if (/[*+?]/.test(char)) throw source.refuse(`a dangling '${char}'`);
  if (char === '{') throw source.refuse('an illegal repetition');
  if (!/[\\[.^$(]/.test(char)) return fold(flags, literal(source.nextPoint()));
  source.next();
  if (char === '\\') return fold(flags, readEscape(reader, flags));
  if (char === '[') {
    if (flags.has('x')) throw source.refuse('a character class in comments mode');
    return fold(flags, readClass(source));
  }
  if (char === '(') return readGroup(reader, flags);
  return char === '.' ? dot(flags) : anchor(char as '^' | '$', flags);
}

/** Quoted text is one literal after the other: a quantifier behind it repeats only the last. */
function readQuoted(reader: Reader, flags: Flags): string {
  reader.source.next(2);
  const chars = Array.from(reader.source.takeUntil(String.raw`\E`), (char) =>
    fold(flags, literal(char.codePointAt(0) ?? 0)),
  );
  const last = chars.pop();
  if (last === undefined) return '';
  return chars.join('') + readQuantifier(reader, last, reader.groups, flags);
}

/** Flags set in the middle hold up to the end of the group, across its alternatives. */
function readAlternatives(reader: Reader, outer: Flags): string {
  const { source } = reader;
  const before = reader.groups;
  let flags = outer;
  let result = '';
  let alternatives = false;
  for (;;) {
    skipComments(source, flags);
    const letters = source.take(/\(\?[idmsuxU]*(?:-[idmsuxU]*)?\)/);
    const start = reader.groups;
    if (letters !== '') flags = withFlags(source, flags, letters.slice(2, -1));
    else if (source.done() || source.peek() === ')') break;
    else if (source.peek() === '|') {
      result += source.next();
      alternatives = true;
    } else if (source.startsWith(String.raw`\Q`)) result += readQuoted(reader, flags);
    else result += readQuantifier(reader, readAtom(reader, flags), start, flags);
  }
  if (alternatives) skip(reader, before, reader.groups);
  return result;
}

/**
 * A regular expression that is true for exactly the texts on which Java's `matches()` is: the whole
 * text, not a part. What JavaScript has no words for is refused with the reason, never approximated;
 * the one liberty is that `(?i)` folds some non-ASCII letters, which no request path contains.
 */
export function translateJavaRegex(pattern: string): Translation {
  const source = createSource(pattern);
  const reader: Reader = {
    source,
    names: new Map(),
    skippable: new Set(),
    references: [],
    groups: 0,
    helpers: 0,
    lookbehinds: 0,
  };
  try {
    const body = readAlternatives(reader, new Set());
    if (!source.done()) throw source.refuse("an unmatched ')'");
    if (reader.references.some((group) => reader.skippable.has(group)))
      throw new Refusal('a reference to a group that may not take part in the match');
    return { ok: true, regexp: new RegExp(`${START}(?:${body})${END}`, 'v') };
  } catch (error) {
    return { ok: false, reason: error instanceof Error ? error.message : String(error) };
  }
}
