/**
 * Translates java.util.regex patterns, in which API filters are written, to JavaScript.
 * May import: class, lines, quantifier, source.
 */
import { readClass } from './class.ts';
import { END, START, anchor, beforeEnd, dot } from './lines.ts';
import {
  type Flags,
  type Piece,
  type Reader,
  atomic,
  hollow,
  readQuantifier,
  skip,
  skipComments,
  solid,
} from './quantifier.ts';
import { type JavaSource, Refusal, character, createSource, escapeOf } from './source.ts';

export type Translation =
  | {
      readonly ok: true;
      readonly regexp: RegExp;
      /** The pattern's groups, by name and by number, to the names they have in `regexp`. */
      readonly names: ReadonlyMap<string, string>;
    }
  | { readonly ok: false; readonly reason: string };

function readReference(reader: Reader, key: string, flags: Flags): Piece {
  const name = reader.names.get(key);
  if (name === undefined)
    throw reader.source.refuse(`a reference to the group '${key}', not defined before it`);
  if (flags.has('i')) throw reader.source.refuse('a reference that ignores case');
  reader.references.push(Number(name.slice(1)));
  return hollow(`(?:\\k<${name}>)`);
}

/** As many digits as name a group that exists, but one at least. */
function readNumber({ source, groups }: Reader): string {
  let digits = source.next();
  while (/\d/.test(source.peek()) && Number(digits + source.peek()) <= groups)
    digits += source.next();
  return digits;
}

/** Escapes that stand for a place in the text; undefined for all others. */
function readPlace(source: JavaSource, flags: Flags): Piece | undefined {
  if (source.startsWith('b{g}')) throw source.refuse(String.raw`the boundary \b{g}`);
  const char = source.take(/[AzZbB]/);
  if (char === '') return undefined;
  if (char === 'A') return hollow(`(?:${START})`);
  if (char === 'z') return hollow(`(?:${END})`);
  return hollow(char === 'Z' ? beforeEnd(flags) : `(?:\\${char})`);
}

function readEscape(reader: Reader, flags: Flags): Piece {
  const { source } = reader;
  if (/[1-9]/.test(source.peek())) return readReference(reader, readNumber(reader), flags);
  const name = source.take(/k<[a-zA-Z][a-zA-Z0-9]*>/);
  if (name !== '') return readReference(reader, name.slice(2, -1), flags);
  const place = readPlace(source, flags);
  if (place) return place;
  if (source.take(/R/) !== '') return solid(String.raw`(?:\r\n|[\n\x0B\f\r\x85\u2028\u2029])`);
  const found = escapeOf(source, false);
  return solid('set' in found ? found.set : character(found.point, flags.has('i')));
}

function withFlags(source: JavaSource, flags: Flags, letters: string): Flags {
  const result = new Set(flags);
  let on = true;
  for (const letter of letters) {
    if (letter === '-') on = false;
    else if (/u/i.test(letter)) throw source.refuse(`the flag ${letter} (Unicode)`);
    else if (on) result.add(letter);
    else result.delete(letter);
  }
  return result;
}

/** A capturing group; a reference inside the group itself always fails in Java, so it counts as undefined. */
function readCapture(reader: Reader, flags: Flags, name?: string): Piece {
  reader.groups += 1;
  const number = reader.groups;
  if (name !== undefined && reader.names.has(name))
    throw reader.source.refuse(`the group name '${name}' twice`);
  const body = readUntilClosed(reader, flags);
  reader.names.set(String(number), `g${number}`);
  if (name !== undefined) reader.names.set(name, `g${number}`);
  return { text: `(?<g${number}>${body.text})`, empty: body.empty };
}

/** A look-around; what a negative one captured is not there afterwards. */
function readLook(reader: Reader, flags: Flags, head: string): Piece {
  const before = reader.groups;
  const behind = head.startsWith('?<') ? 1 : 0;
  reader.lookbehinds += behind;
  const body = readUntilClosed(reader, flags);
  reader.lookbehinds -= behind;
  if (head.endsWith('!')) skip(reader, before, reader.groups);
  return hollow(`(?:(${head}${body.text}))`);
}

function readGroup(reader: Reader, flags: Flags): Piece {
  const { source, emptyLoops } = reader;
  const look = source.take(/\?(?:=|!|<=|<!)/);
  if (look !== '') return readLook(reader, flags, look);
  if (source.take(/\?>/) !== '') return atomic(reader, readUntilClosed(reader, flags), emptyLoops);
  const name = source.take(/\?<[a-zA-Z][a-zA-Z0-9]*>/);
  if (name !== '') return readCapture(reader, flags, name.slice(2, -1));
  const letters = source.take(/\?[idmsuxU]*(?:-[idmsuxU]*)?:/);
  if (letters !== '') {
    const body = readUntilClosed(reader, withFlags(source, flags, letters.slice(1, -1)));
    return { text: `(?:${body.text})`, empty: body.empty };
  }
  if (source.peek() === '?') throw source.refuse('an unknown kind of group');
  return readCapture(reader, flags);
}

function readUntilClosed(reader: Reader, flags: Flags): Piece {
  const body = readAlternatives(reader, flags);
  if (reader.source.next() !== ')') throw reader.source.refuse('an unclosed group');
  return body;
}

function readAtom(reader: Reader, flags: Flags): Piece {
  const { source } = reader;
  const char = source.peek();
  if (/[*+?]/.test(char)) throw source.refuse(`a dangling '${char}'`);
  if (char === '{') throw source.refuse('an illegal repetition');
  if (!/[\\[.^$(]/.test(char)) return solid(character(source.nextPoint(), flags.has('i')));
  source.next();
  if (char === '\\') return readEscape(reader, flags);
  if (char === '(') return readGroup(reader, flags);
  if (char === '.') return solid(dot(flags));
  if (char === '^' || char === '$') return hollow(anchor(char, flags));
  if (flags.has('x')) throw source.refuse('a character class in comments mode');
  return solid(readClass(source, flags.has('i')));
}

/** Quoted text is one literal after the other: a quantifier behind it repeats only the last. */
function readQuoted(reader: Reader, flags: Flags): Piece {
  const { source, groups, emptyLoops } = reader;
  source.next(2);
  const chars = Array.from(source.takeUntil(String.raw`\E`), (char) =>
    character(char.codePointAt(0) ?? 0, flags.has('i')),
  );
  const last = chars.pop();
  if (last === undefined) return hollow('');
  const end = readQuantifier(reader, solid(last), flags, { groups, emptyLoops });
  return { text: chars.join('') + end.text, empty: end.empty && chars.length === 0 };
}

function readTerm(reader: Reader, flags: Flags): Piece {
  if (reader.source.startsWith(String.raw`\Q`)) return readQuoted(reader, flags);
  const { groups, emptyLoops } = reader;
  return readQuantifier(reader, readAtom(reader, flags), flags, { groups, emptyLoops });
}

/** Flags set in the middle hold up to the end of the group, across its alternatives. */
function readAlternatives(reader: Reader, outer: Flags): Piece {
  const { source, groups } = reader;
  const alternatives: Piece[][] = [[]];
  let flags = outer;
  for (;;) {
    skipComments(source, flags);
    const letters = source.take(/\(\?[idmsuxU]*(?:-[idmsuxU]*)?\)/);
    if (letters !== '') flags = withFlags(source, flags, letters.slice(2, -1));
    else if (source.done() || source.peek() === ')') break;
    else if (source.take(/\|/) !== '') alternatives.push([]);
    else alternatives.at(-1)?.push(readTerm(reader, flags));
  }
  if (alternatives.length > 1) skip(reader, groups, reader.groups);
  return {
    text: alternatives.map((terms) => terms.map((term) => term.text).join('')).join('|'),
    empty: alternatives.some((terms) => terms.every((term) => term.empty)),
  };
}

/**
 * A regular expression that is true for exactly the texts on which Java's `matches()` is: the whole
 * text, not a part. What JavaScript has no words for is refused with the reason, never approximated.
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
    emptyLoops: 0,
  };
  try {
    const body = readAlternatives(reader, new Set());
    if (!source.done()) throw source.refuse("an unmatched ')'");
    if (reader.references.some((group) => reader.skippable.has(group)))
      throw new Refusal('a reference to a group that may not take part in the match');
    // What such a loop captured last depends on the order in which it ends.
    if (reader.references.length > 0 && reader.emptyLoops > 0)
      throw new Refusal('a reference beside a repetition of what may be empty');
    const regexp = new RegExp(`${START}(?:${body.text})${END}`, 'v');
    return { ok: true, regexp, names: reader.names };
  } catch (error) {
    return { ok: false, reason: error instanceof Error ? error.message : String(error) };
  }
}
