/**
 * What a translation in progress remembers, and how parts of a pattern are repeated.
 * May import: source.
 */
import type { JavaSource } from './source.ts';

/** Embedded flags that are on: i, d (Unix lines), m, s, x. */
export type Flags = ReadonlySet<string>;

/** A translated part, and whether it can match the empty text. */
export interface Piece {
  readonly text: string;
  readonly empty: boolean;
}

export interface Reader {
  readonly source: JavaSource;
  /** Number or name of a group that is closed to its JavaScript name. */
  readonly names: Map<string, string>;
  /** Groups that a match may pass by: a reference to one of them means other things in the two languages. */
  readonly skippable: Set<number>;
  readonly references: number[];
  groups: number;
  helpers: number;
  lookbehinds: number;
  /** Repetitions of what may be empty, so far. */
  emptyLoops: number;
}

/** Parts that need text, and parts that may do without. */
export const solid = (text: string): Piece => ({ text, empty: false });
export const hollow = (text: string): Piece => ({ text, empty: true });

/** In comments mode, pass blanks and comments. */
export function skipComments(source: JavaSource, flags: Flags): void {
  if (flags.has('x')) source.take(/(?:[ \t\n\x0B\f\r]|#[^\n]*)+/);
}

/** Mark the groups from one number to another as skippable. */
export function skip(reader: Reader, from: number, to: number): void {
  for (let group = from + 1; group <= to; group += 1) reader.skippable.add(group);
}

/** What JavaScript lacks is built from a look-ahead, which never backtracks, and a reference to it. */
export function atomic(reader: Reader, body: Piece, emptyLoopsBefore: number): Piece {
  // A look-behind is matched backwards in JavaScript: the helper would be read before it is set.
  if (reader.lookbehinds > 0)
    throw reader.source.refuse('an atomic group or possessive quantifier in a look-behind');
  // The languages end such a loop in another order, which shows when there is no way back.
  if (reader.emptyLoops > emptyLoopsBefore)
    throw reader.source.refuse('an atomic or possessive repetition of what may be empty');
  reader.helpers += 1;
  const name = `h${reader.helpers}`;
  return { text: `(?:(?=(?<${name}>${body.text}))\\k<${name}>)`, empty: body.empty };
}

/** Least and most times of a quantifier as it is written. */
function timesOf(range: string): readonly [number, number] {
  if (range === '*') return [0, Infinity];
  if (range === '+') return [1, Infinity];
  if (range === '?') return [0, 1];
  const [least = 0, most] = (range.match(/\d+/g) ?? []).map(Number);
  return [least, most ?? (range.includes(',') ? Infinity : least)];
}

interface Before {
  readonly groups: number;
  readonly emptyLoops: number;
}

/** The atom with the quantifier that follows it, if any. */
export function readQuantifier(reader: Reader, atom: Piece, flags: Flags, before: Before): Piece {
  const { source } = reader;
  skipComments(source, flags);
  const range = source.take(/[*+?]|\{\d+(?:,\d*)?\}/);
  if (range === '') {
    if (source.peek() === '{') throw source.refuse('an illegal repetition');
    return atom;
  }
  const [least, most] = timesOf(range);
  if (least > most) throw source.refuse('an illegal repetition range');
  if (reader.lookbehinds > 0 && most === Infinity)
    throw source.refuse('a look-behind without an obvious maximum length');
  if (least === 0) skip(reader, before.groups, reader.groups);
  if (atom.empty && most !== least) reader.emptyLoops += 1;
  const mode = source.take(/[?+]/);
  if (/[*+?{]/.test(source.peek())) throw source.refuse(`a dangling '${source.peek()}'`);
  const empty = atom.empty || least === 0;
  if (mode !== '+') return { text: atom.text + range + mode, empty };
  return atomic(reader, { text: atom.text + range, empty }, before.emptyLoops);
}
