/**
 * Reads a java.util.regex pattern character by character, and its escapes.
 * May import: properties.
 */
import { PREDEFINED, propertyClass } from './properties.ts';

/** The pattern is not valid in Java, or says something that JavaScript cannot. */
export class Refusal extends Error {}

export interface JavaSource {
  done(): boolean;
  /** The character that comes next, or the one `ahead` places after it; empty at the end. */
  peek(ahead?: number): string;
  startsWith(text: string): boolean;
  next(count?: number): string;
  /** One whole code point. */
  nextPoint(): number;
  /** Take what matches a sticky expression, or the empty string. */
  take(pattern: RegExp): string;
  /** Take up to the terminator, which is skipped; the rest when it never comes. */
  takeUntil(terminator: string): string;
  refuse(what: string): Refusal;
}

export function createSource(text: string): JavaSource {
  let at = 0;
  const source: JavaSource = {
    done: () => at >= text.length,
    peek: (ahead = 0) => text.charAt(at + ahead),
    startsWith: (prefix) => text.startsWith(prefix, at),
    next(count = 1) {
      at += count;
      return text.slice(at - count, at);
    },
    nextPoint() {
      const point = text.codePointAt(at);
      if (point === undefined) throw source.refuse('a pattern that ends too early');
      at += point > 0xffff ? 2 : 1;
      return point;
    },
    take(pattern) {
      const sticky = new RegExp(pattern, 'y');
      sticky.lastIndex = at;
      const found = sticky.exec(text)?.[0] ?? '';
      at += found.length;
      return found;
    },
    takeUntil(terminator) {
      const end = text.indexOf(terminator, at);
      const found = text.slice(at, end < 0 ? undefined : end);
      at = end < 0 ? text.length : end + terminator.length;
      return found;
    },
    refuse: (what) => new Refusal(`${what}, at index ${at}`),
  };
  return source;
}

/** A code point as JavaScript's `v` flag takes it inside and outside of classes. */
export function literal(point: number): string {
  const char = String.fromCodePoint(point);
  if (/^[0-9a-zA-Z]$/.test(char)) return char;
  if (point < 0x100) return String.raw`\x${point.toString(16).padStart(2, '0')}`;
  return String.raw`\u{${point.toString(16)}}`;
}

const isLower = (point: number) => point >= 0x61 && point <= 0x7a;
const isUpper = (point: number) => point >= 0x41 && point <= 0x5a;

/**
 * Members of a class for a range, and for its letters in the other case when `fold` is set: like Java,
 * for ASCII only. (V8's own modifier groups, `(?i:…)`, leak the flag into what follows.)
 */
export function range(first: number, last: number, fold: boolean): string {
  const own = first === last ? literal(first) : `${literal(first)}-${literal(last)}`;
  if (!fold) return own;
  const other = (low: number, high: number, shift: number) => {
    const [from, to] = [Math.max(first, low), Math.min(last, high)];
    return from > to ? '' : range(from + shift, to + shift, false);
  };
  return own + other(0x61, 0x7a, -32) + other(0x41, 0x5a, 32);
}

/** One character outside of classes, in both cases when `fold` is set. */
export function character(point: number, fold: boolean): string {
  const folds = fold && (isLower(point) || isUpper(point));
  return folds ? `[${range(point, point, true)}]` : literal(point);
}

const CONTROL: Readonly<Record<string, number>> = { t: 9, n: 10, r: 13, f: 12, a: 7, e: 27 };

function hexPoint(source: JavaSource, pattern: RegExp): number {
  const digits = source.take(pattern).replaceAll(/[{}]/g, '');
  const point = Number.parseInt(digits, 16);
  if (digits === '' || point > 0x10ffff) throw source.refuse('an illegal hexadecimal escape');
  return point;
}

function octalPoint(source: JavaSource): number {
  const digits = source.take(/[0-3][0-7]{0,2}|[4-7][0-7]?/);
  if (digits === '') throw source.refuse('an illegal octal escape');
  return Number.parseInt(digits, 8);
}

function property(source: JavaSource, negated: boolean): { readonly set: string } {
  const name = source.peek() === '{' ? source.take(/\{[^}]*\}/).slice(1, -1) : source.next();
  const set = propertyClass(name, negated);
  if (set === undefined)
    throw source.refuse(`the character property '${name}', which JavaScript does not have`);
  return { set };
}

/** The two escapes that pair up into one character above the basic plane. */
function utf16Point(source: JavaSource): number {
  const high = hexPoint(source, /[0-9a-fA-F]{4}/);
  const isHigh = high >= 0xd800 && high <= 0xdbff;
  const low = isHigh ? source.take(/\\u[dD][c-fC-F][0-9a-fA-F]{2}/) : '';
  if (low === '') return high;
  return 0x10000 + ((high - 0xd800) << 10) + (Number.parseInt(low.slice(2), 16) - 0xdc00);
}

/** An escape that stands for characters; the backslash has been taken. */
export function escapeOf(
  source: JavaSource,
  inClass: boolean,
): { readonly set: string } | { readonly point: number } {
  const char = source.next();
  const set = Object.hasOwn(PREDEFINED, char) ? PREDEFINED[char] : undefined;
  if (set !== undefined) return { set };
  const control = Object.hasOwn(CONTROL, char) ? CONTROL[char] : undefined;
  if (control !== undefined) return { point: control };
  if (char === 'p' || char === 'P') return property(source, char === 'P');
  if (char === '0') return { point: octalPoint(source) };
  if (char === 'x') return { point: hexPoint(source, /\{[0-9a-fA-F]+\}|[0-9a-fA-F]{2}/) };
  if (char === 'u') return { point: utf16Point(source) };
  // Java takes the next character, whatever it is, and flips its seventh bit.
  if (char === 'c') return { point: source.nextPoint() ^ 64 };
  if (char === '') throw source.refuse('a backslash at the end');
  if (/[a-zA-Z1-9]/.test(char))
    throw source.refuse(`the escape \\${char}${inClass ? ' in a character class' : ''}`);
  return { point: char.codePointAt(0) ?? 0 };
}
