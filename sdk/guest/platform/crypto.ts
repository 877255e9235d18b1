/**
 * `crypto`: random numbers from the runner; digests and HMAC done by the runner through a host call.
 * May import: host, hostcall, install, platform/errors, primordials.
 */
import { hostCall } from '../hostcall.ts';
import { randomText } from '../host.ts';
import { publish } from '../install.ts';
import { fromBase64, toBase64, toText, typedArrayName } from '../primordials.ts';
import { DOMException } from './errors.ts';

/** What one synchronous refill brings; each is a hop out of the isolate. */
const POOL_BYTES = 1_024;
const HASHES = new Set(['SHA-1', 'SHA-256', 'SHA-384', 'SHA-512']);
const INTEGERS = /^(?:Big)?(?:Uint|Int)(?:8|16|32|64)(?:Clamped)?Array$/;

let pool: Uint8Array = new Uint8Array(0);
let used = 0;

function fill(target: Uint8Array): void {
  for (let index = 0; index < target.length; index++) {
    if (used >= pool.length) {
      pool = fromBase64(randomText(POOL_BYTES));
      used = 0;
      if (pool.length === 0) throw new DOMException('No random numbers', 'OperationError');
    }
    target[index] = pool[used] as number;
    pool[used++] = 0;
  }
}

function getRandomValues<T>(view: T): T {
  const name = typedArrayName(view);
  if (name === undefined || !INTEGERS.test(name))
    throw new DOMException('An integer typed array is expected', 'TypeMismatchError');
  const { buffer, byteOffset, byteLength } = view as ArrayBufferView;
  if (byteLength > 65_536)
    throw new DOMException('At most 65536 bytes can be asked for', 'QuotaExceededError');
  fill(new Uint8Array(buffer, byteOffset, byteLength));
  return view;
}

function randomUUID(): string {
  const bytes = new Uint8Array(16);
  fill(bytes);
  bytes[6] = ((bytes[6] as number) & 0x0f) | 0x40;
  bytes[8] = ((bytes[8] as number) & 0x3f) | 0x80;
  const hex = bytes.toHex();
  const parts = [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20)];
  return `${parts.join('-')}-${hex.slice(20)}`;
}

/** A whole number below `max`, for libraries that want one; not uniform beyond 2^53. */
export function randomInt(max: number): number {
  const bytes = new Uint8Array(8);
  fill(bytes);
  let value = 0;
  for (let index = 0; index < 6; index++) value = value * 256 + (bytes[index] as number);
  return value % max;
}

function bytesOf(data: unknown): Uint8Array {
  if (data instanceof ArrayBuffer) return new Uint8Array(data);
  if (ArrayBuffer.isView(data))
    return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  throw new TypeError('An ArrayBuffer or a view of one is expected');
}

type Algorithm = string | { readonly name: string; readonly hash?: Algorithm };

function hashName(algorithm: Algorithm | undefined): string {
  const name = typeof algorithm === 'object' ? algorithm.name : algorithm;
  const upper = String(name).toUpperCase();
  if (!HASHES.has(upper))
    throw new DOMException(`Algorithm ${upper.slice(0, 40)} is not supported`, 'NotSupportedError');
  return upper;
}

async function ask(method: string, args: Record<string, string>): Promise<ArrayBuffer> {
  const value = await hostCall('vcx:crypto', method, args);
  return fromBase64(String(value)).buffer;
}

interface KeyState {
  readonly hash: string;
  readonly raw: string;
}
let keyState: (key: CryptoKey) => KeyState;

class CryptoKey {
  readonly #state: KeyState;
  readonly type = 'secret';
  readonly extractable: boolean;
  readonly usages: readonly string[];
  constructor(state: KeyState, extractable: boolean, usages: readonly string[]) {
    this.#state = state;
    this.extractable = extractable;
    this.usages = usages;
  }
  get algorithm(): object {
    return { name: 'HMAC', hash: { name: this.#state.hash } };
  }
  static {
    keyState = (key) => key.#state;
  }
}

function usable(key: CryptoKey, usage: string): KeyState {
  const state = keyState(key);
  if (!key.usages.includes(usage))
    throw new DOMException(`The key may not ${usage}`, 'InvalidAccessError');
  return state;
}

async function mac(key: CryptoKey, usage: string, data: unknown): Promise<ArrayBuffer> {
  const { hash, raw } = usable(key, usage);
  return ask('hmac', { algorithm: hash, key: raw, data: toBase64(bytesOf(data)) });
}

function equal(a: Uint8Array, b: Uint8Array): boolean {
  let difference = a.length ^ b.length;
  for (let index = 0; index < a.length; index++)
    difference |= (a[index] as number) ^ (b[index] ?? 0);
  return difference === 0;
}

const subtle = {
  async digest(algorithm: Algorithm, data: unknown): Promise<ArrayBuffer> {
    return ask('digest', { algorithm: hashName(algorithm), data: toBase64(bytesOf(data)) });
  },
  async importKey(format: string, data: unknown, ...rest: unknown[]): Promise<CryptoKey> {
    const [algorithm, extractable, usages] = rest as [Algorithm, boolean, string[]];
    const name = typeof algorithm === 'object' ? algorithm.name : algorithm;
    if (format !== 'raw' || toText(name).toUpperCase() !== 'HMAC')
      throw new DOMException('Only raw HMAC keys can be imported', 'NotSupportedError');
    const hash = hashName(typeof algorithm === 'object' ? algorithm.hash : undefined);
    const raw = toBase64(bytesOf(data));
    return new CryptoKey({ hash, raw }, extractable, [...usages]);
  },
  async sign(_algorithm: Algorithm, key: CryptoKey, data: unknown): Promise<ArrayBuffer> {
    return mac(key, 'sign', data);
  },
  async verify(_algorithm: Algorithm, key: CryptoKey, ...rest: unknown[]): Promise<boolean> {
    const [signature, data] = rest;
    const expected = new Uint8Array(await mac(key, 'verify', data));
    return equal(expected, bytesOf(signature));
  },
};

const crypto = { getRandomValues, randomUUID, subtle };

publish({ crypto, CryptoKey });
