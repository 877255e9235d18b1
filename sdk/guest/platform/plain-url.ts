/**
 * Usual URLs and queries without the parser, which looks at one character after the other: most calls parse one.
 * May import: nothing.
 */

/** The parts of a URL as they stand in it. */
export interface PlainUrl {
  /** Without the colon. */
  readonly scheme: string;
  readonly host: string;
  /** With its first slash. */
  readonly path: string;
  /** Without the question mark; undefined without one. */
  readonly query: string | undefined;
}

/**
 * Lower case, no user, port or fragment, a host that ends in a letter's label (others may be addresses), and only
 * characters that the parser would leave as they are.
 */
const PLAIN =
  /^(https?):\/\/((?:[a-z\d-]+\.)*[a-z][a-z\d-]*)(\/[\w\-.~!$&()*+,;=:@/%]*)(?:\?([\w\-.~!$&()*+,;=:@/%?]*))?$/;
/** Segments that may mean another place, and names that must be checked. */
const SPECIAL = /\/(?:\.|%2e)|xn--/i;
/** What decoding would change. */
const ENCODED = /[^\x00-\x24\x26-\x2a\x2c-\x7f]/;

/** The parts of a plain URL, or null when the parser has to look at it. */
export function plainUrl(text: string): PlainUrl | null {
  const match = PLAIN.exec(text);
  if (match === null || SPECIAL.test(text)) return null;
  return {
    scheme: match[1] as string,
    host: match[2] as string,
    path: match[3] as string,
    query: match[4],
  };
}

/** Names and values of a query without `%`, `+` and what is beyond ASCII, or null. */
export function plainPairs(query: string): [string, string][] | null {
  if (ENCODED.test(query)) return null;
  const pairs: [string, string][] = [];
  for (const part of query.split('&')) {
    if (part === '') continue;
    const at = part.indexOf('=');
    pairs.push(at < 0 ? [part, ''] : [part.slice(0, at), part.slice(at + 1)]);
  }
  return pairs;
}
