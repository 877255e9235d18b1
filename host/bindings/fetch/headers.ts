/**
 * Headers of a fetch, both ways: what belongs to one connection or to us is taken out, what could break a
 * line is refused.
 * May import: kernel.
 */
import { HostError } from '../../kernel/errors.ts';

export type HeaderPairs = readonly (readonly [name: string, value: string])[];

const MAX_COUNT = 100;
const MAX_CHARS = 32_768;
const TOKEN = /^[!#$%&'*+.^_`|~0-9a-z-]+$/;

/** RFC 9110, 7.6.1. */
const HOP_BY_HOP = [
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
];
/** Ours to say: they follow from the address, the body and what we can decompress. */
const OURS = ['host', 'content-length', 'accept-encoding', 'expect'];
/** Of an answer whose body is handed on whole and decompressed. */
const OF_THE_WIRE = ['content-length', 'content-encoding'];
/** Go to another origin with nobody, whatever the header is called. */
const CREDENTIAL = /authorization|cookie|token|secret|password|api-?key|signature/;
const OF_THE_BODY = /^content-/;

/** What the guest asked for, in lower case and checked. Throws BINDING_ARGUMENT. */
export function requestHeaders(given: HeaderPairs): HeaderPairs {
  let chars = 0;
  const pairs = given.map(([rawName, value]): [string, string] => {
    const name = rawName.toLowerCase();
    chars += name.length + value.length;
    // A value is what fits into one line: visible characters, spaces, tabs and Latin-1.
    if (!TOKEN.test(name) || !/^[\t\x20-\x7e\x80-\xff]*$/.test(value))
      throw new HostError('BINDING_ARGUMENT', 'fetch: a header is not usable');
    return [name, value];
  });
  if (pairs.length > MAX_COUNT || chars > MAX_CHARS)
    throw new HostError('BINDING_ARGUMENT', 'fetch: too many headers');
  return without(pairs, [...HOP_BY_HOP, ...OURS]);
}

/** What the guest gets to see. `raw` is a flat list of names and values. */
export function answerHeaders(raw: readonly string[]): HeaderPairs {
  const pairs: [string, string][] = [];
  for (let i = 0; i + 1 < raw.length && pairs.length < MAX_COUNT; i += 2)
    pairs.push([(raw[i] ?? '').toLowerCase(), raw[i + 1] ?? '']);
  return without(pairs, [...HOP_BY_HOP, ...OF_THE_WIRE]);
}

export function withoutCredentials(pairs: HeaderPairs): HeaderPairs {
  return pairs.filter(([name]) => !CREDENTIAL.test(name));
}

/** For a redirect that turns the request into a GET. */
export function withoutBodyHeaders(pairs: HeaderPairs): HeaderPairs {
  return pairs.filter(([name]) => !OF_THE_BODY.test(name));
}

/** Without these, and without those that a `connection` header names. */
function without(pairs: HeaderPairs, names: readonly string[]): HeaderPairs {
  const named = pairs
    .filter(([name]) => name === 'connection')
    .flatMap(([, value]) => value.toLowerCase().split(','))
    .map((name) => name.trim());
  const gone = new Set([...names, ...named]);
  return pairs.filter(([name]) => !gone.has(name));
}
