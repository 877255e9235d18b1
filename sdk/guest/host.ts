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

type Collect = (options: object) => void;
/** V8's own, where the process was started with it. Its name can not be deleted. */
const collect = (globalThis as unknown as Global)['gc'] as Collect | undefined;
if (collect) Object.defineProperty(globalThis, 'gc', { value: undefined, writable: false });

/** Give back all memory that is not needed; takes some milliseconds. */
export function collectGarbage(): void {
  collect?.({ __proto__: null, type: 'major', flavor: 'last-resort' });
}

/** Nothing longer than this ever leaves, whatever a caller asks for. In UTF-16 units. */
export const MAX_TEXT = 32 * 1024 * 1024;

/** More than this is not kept: what the runner has not taken yet counts as memory of the guest. In UTF-16 units. */
const MAX_KEPT = 1_048_576;

let kept = '';
let keeping = false;

/** Whether the messages of the call that begins are kept until `takeKept` instead of being posted one by one. */
export function keepMessages(keep: boolean): void {
  keeping = keep;
}

/** The messages that were kept, in the form that `abi.ts` gives. */
export function takeKept(): string {
  const all = kept;
  kept = '';
  return all;
}

function keepOrPost(kind: PostKind, id: number, text: string): void {
  kept += `${kind}\n${id}\n${text.length}\n${text}`;
  if (kept.length <= MAX_KEPT) return;
  // For the rest of the call all messages take the one way, so that they stay in order.
  keeping = false;
  post('kept', 0, takeKept());
}

/**
 * Post one message. The raw function is never stored in an object, passed on or called through
 * `call`/`apply`, so a guest that patches prototypes can not get hold of it.
 */
export function send(kind: PostKind, id: number, text: string): void {
  if (typeof text !== 'string' || text.length > MAX_TEXT) throw new RangeError('message too long');
  if (keeping) keepOrPost(kind, id, text);
  else post(kind, id, text);
}

/** Up to 1024 bytes of the runner's random numbers, base64. */
export function randomText(count: number): string {
  return random(count);
}

/** ASCII form of a host name, empty when it has none. */
export function domainToASCII(host: string): string {
  return toAscii(host);
}
