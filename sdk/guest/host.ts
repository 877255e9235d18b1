/**
 * The only doors to the outside: takes the runner's functions off the global object.
 * May import: abi.
 */
import type { PostKind } from './abi.ts';

type Global = Record<string, unknown>;

function take(name: string): unknown {
  const scope = globalThis as unknown as Global;
  const value = scope[name];
  if (typeof value !== 'function') throw new TypeError(`${name} is missing`);
  delete scope[name];
  return value;
}

const post = take('__vcx_post') as (kind: string, id: number, text: string) => void;
const random = take('__vcx_random') as (count: number) => string;
const toAscii = take('__vcx_domainToASCII') as (host: string) => string;

/** Nothing longer than this ever leaves, whatever a caller asks for. In UTF-16 units. */
export const MAX_TEXT = 32 * 1024 * 1024;

/**
 * Post one message. The raw function is never stored in an object, passed on or called through
 * `call`/`apply`, so a guest that patches prototypes can not get hold of it.
 */
export function send(kind: PostKind, id: number, text: string): void {
  if (typeof text !== 'string' || text.length > MAX_TEXT) throw new RangeError('message too long');
  post(kind, id, text);
}

/** Up to 1024 bytes of the runner's random numbers, base64. */
export function randomText(count: number): string {
  return random(count);
}

/** ASCII form of a host name, empty when it has none. */
export function domainToASCII(host: string): string {
  return toAscii(host);
}
