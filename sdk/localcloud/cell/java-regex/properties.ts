/**
 * What java.util.regex calls a class of characters, written as JavaScript's `v` flag writes it.
 * May import: nothing of ours.
 */

/** Java's predefined classes are ASCII; JavaScript's `\s` is not, so each one is spelt out. */
export const PREDEFINED: Readonly<Record<string, string>> = {
  d: '[0-9]',
  D: '[^0-9]',
  w: '[a-zA-Z_0-9]',
  W: '[^a-zA-Z_0-9]',
  s: String.raw`[ \t\n\x0B\f\r]`,
  S: String.raw`[^ \t\n\x0B\f\r]`,
  h: String.raw`[ \t\xA0\u1680\u180E\u2000-\u200A\u202F\u205F\u3000]`,
  H: String.raw`[^ \t\xA0\u1680\u180E\u2000-\u200A\u202F\u205F\u3000]`,
  v: String.raw`[\n\x0B\f\r\x85\u2028\u2029]`,
  V: String.raw`[^\n\x0B\f\r\x85\u2028\u2029]`,
};

const POSIX: Readonly<Record<string, string>> = {
  Lower: '[a-z]',
  Upper: '[A-Z]',
  ASCII: String.raw`[\x00-\x7F]`,
  Alpha: '[a-zA-Z]',
  Digit: '[0-9]',
  Alnum: '[a-zA-Z0-9]',
  Punct: String.raw`[\x21-\x2F\x3A-\x40\x5B-\x60\x7B-\x7E]`,
  Graph: String.raw`[\x21-\x7E]`,
  Print: String.raw`[\x20-\x7E]`,
  Blank: String.raw`[ \t]`,
  Cntrl: String.raw`[\x00-\x1F\x7F]`,
  XDigit: '[0-9a-fA-F]',
  Space: String.raw`[ \t\n\x0B\f\r]`,
};

/** `java.lang.Character` methods. Identifier and ignorable classes have no JavaScript counterpart. */
const JAVA: Readonly<Record<string, string>> = {
  javaLowerCase: String.raw`\p{Lowercase}`,
  javaUpperCase: String.raw`\p{Uppercase}`,
  javaTitleCase: String.raw`\p{Lt}`,
  javaDigit: String.raw`\p{Nd}`,
  javaLetter: String.raw`\p{L}`,
  javaLetterOrDigit: String.raw`[\p{L}\p{Nd}]`,
  javaAlphabetic: String.raw`\p{Alphabetic}`,
  javaIdeographic: String.raw`\p{Ideographic}`,
  javaDefined: String.raw`\P{Cn}`,
  javaISOControl: String.raw`[\x00-\x1F\x7F-\x9F]`,
  javaMirrored: String.raw`\p{Bidi_Mirrored}`,
  javaSpaceChar: String.raw`\p{Z}`,
  javaWhitespace: String.raw`[[\p{Z}--[\xA0\u2007\u202F]]\t-\r\x1C-\x1F]`,
};

const EXTRA: Readonly<Record<string, string>> = {
  L1: String.raw`[\x00-\xFF]`,
  LD: String.raw`[\p{L}\p{Nd}]`,
  all: String.raw`[\s\S]`,
};

/** Java's binary properties (`Is…`), by their lower-case name without separators. */
const BINARY: Readonly<Record<string, string>> = {
  alphabetic: 'Alphabetic',
  ideographic: 'Ideographic',
  letter: 'L',
  lowercase: 'Lowercase',
  uppercase: 'Uppercase',
  titlecase: 'Lt',
  punctuation: 'P',
  control: 'Cc',
  whitespace: 'White_Space',
  digit: 'Nd',
  hexdigit: 'Hex_Digit',
  joincontrol: 'Join_Control',
  noncharactercodepoint: 'Noncharacter_Code_Point',
  emoji: 'Emoji',
};

function compiles(source: string): boolean {
  try {
    return new RegExp(source, 'v') instanceof RegExp;
  } catch {
    return false;
  }
}

function fromUnicode(name: string): string | undefined {
  const [key = '', value = ''] = name.includes('=') ? name.split('=', 2) : ['', name];
  const bare = value.replace(/^Is/, '');
  const binary = BINARY[bare.toLowerCase().replaceAll(/[_ ]/g, '')];
  const candidates =
    key === ''
      ? [
          binary,
          value === bare ? bare : undefined,
          `gc=${bare}`,
          value === bare ? undefined : `sc=${bare}`,
        ]
      : [{ sc: 'sc', script: 'sc', gc: 'gc', general_category: 'gc' }[key.toLowerCase()]].map(
          (short) => short && `${short}=${value}`,
        );
  // Java accepts any case in script names; JavaScript wants `Latin`.
  const spelt = candidates.flatMap((text) =>
    text
      ? [
          text,
          text.replace(/(^|=)(\w)(\w*)$/, (_, a, b, c) => a + b.toUpperCase() + c.toLowerCase()),
        ]
      : [],
  );
  const found = spelt.find((text) => compiles(String.raw`\p{${text}}`));
  return found === undefined ? undefined : String.raw`\p{${found}}`;
}

/** The set for `\p{name}`, negated or not; undefined when JavaScript has none (blocks, for instance). */
export function propertyClass(name: string, negated: boolean): string | undefined {
  const own = [POSIX, JAVA, EXTRA].find((table) => Object.hasOwn(table, name))?.[name];
  const set = own ?? fromUnicode(name);
  if (set === undefined) return undefined;
  return negated ? `[^${set}]` : set;
}
