/**
 * How java.util.regex sees lines: the dot, the anchors, and the ends of the text.
 * May import: nothing of ours.
 */

type Flags = ReadonlySet<string>;

/** The end and the start of the text, whatever the flags. */
export const END = String.raw`(?![\s\S])`;
export const START = String.raw`(?<![\s\S])`;

const TERMINATOR = String.raw`(?:\r\n|[\n\r\x85\u2028\u2029])`;
/** Between the two characters of CR LF there is no line end. */
const WHOLE = String.raw`(?<!\r(?=\n))`;

/** The end, or before a line terminator that ends the text: `\Z`, and `$` outside of multi-line mode. */
export function beforeEnd(flags: Flags): string {
  if (flags.has('d')) return String.raw`(?:(?=\n?${END}))`;
  return `(?:(?=${TERMINATOR}?${END})${WHOLE})`;
}

export function dot(flags: Flags): string {
  if (flags.has('s')) return String.raw`[\s\S]`;
  return flags.has('d') ? String.raw`[^\n]` : String.raw`[^\n\r\x85\u2028\u2029]`;
}

export function anchor(char: '^' | '$', flags: Flags): string {
  if (!flags.has('m')) return char === '^' ? `(?:${START})` : beforeEnd(flags);
  const line = flags.has('d') ? String.raw`\n` : String.raw`[\n\r\x85\u2028\u2029]`;
  const crlf = flags.has('d') ? '' : WHOLE;
  // After the last terminator no line begins.
  return char === '^'
    ? `(?:(?:${START}|(?<=${line})${crlf})(?!${END}))`
    : `(?:(?=${line}|${END})${crlf})`;
}
