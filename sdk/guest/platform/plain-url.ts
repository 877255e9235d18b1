/**
 * Usual URLs and queries without the parser, which looks at one character after the other: most calls parse one.
 * whatwg-url is patched to ask here first (see `build/patches.ts`).
 * May import: nothing.
 */

/** What whatwg-url keeps of a URL, in its order. */
export interface UrlRecord {
  scheme: string;
  username: string;
  password: string;
  host: string;
  port: null;
  path: string[];
  query: string | null;
  fragment: null;
}

/**
 * Lower case, no user, port or fragment, a host that ends in a letter's label (others may be addresses), and only
 * characters that the parser would leave as they are.
 */
const PLAIN =
  /^(https?):\/\/((?:[a-z\d-]+\.)*[a-z][a-z\d-]*)\/([\w\-.~!$&()*+,;=:@/%]*)(?:\?([\w\-.~!$&()*+,;=:@/%?]*))?$/;
/** Segments that may mean another place, and names that must be checked. */
const SPECIAL = /\/(?:\.|%2e)|xn--/i;
/** What decoding would change. */
const ENCODED = /[^\x00-\x24\x26-\x2a\x2c-\x7f]/;

/** The record of a plain URL, or null when the parser has to look at it. */
export function plainUrl(text: string): UrlRecord | null {
  const match = PLAIN.exec(text);
  if (match === null || SPECIAL.test(text)) return null;
  const [, scheme = '', host = '', path = '', query = null] = match;
  return {
    scheme,
    username: '',
    password: '',
    host,
    port: null,
    path: path.split('/'),
    query,
    fragment: null,
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
