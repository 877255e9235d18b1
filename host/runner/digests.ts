/**
 * Digests and HMACs for guests, answered inside the runner: they need no grant and nothing from the host.
 * May import: nothing.
 */
import { createHash, createHmac } from 'node:crypto';

/** How the text of such a host call begins; the guest's wrapper writes the keys in this order. */
const BEGINNING = '{"binding":"vcx:crypto",';
const HASHES = new Map([
  ['SHA-1', 'sha1'],
  ['SHA-256', 'sha256'],
  ['SHA-384', 'sha384'],
  ['SHA-512', 'sha512'],
]);

export function isDigestCall(text: string): boolean {
  return text.startsWith(BEGINNING);
}

/** The answer to a digest call as JSON; never throws. */
export function answerDigest(text: string): string {
  try {
    return JSON.stringify({ ok: true, value: digestOf(JSON.parse(text) as DigestCall) });
  } catch {
    const message = 'the digest can not be made of this';
    return JSON.stringify({ ok: false, code: 'BINDING_ARGUMENT', message });
  }
}

/** Guest values: nothing is certain but the keys that are looked at. */
interface DigestCall {
  readonly method?: unknown;
  readonly args?: { readonly algorithm?: unknown; readonly data?: unknown; readonly key?: unknown };
}

function digestOf({ method, args }: DigestCall): string {
  const hash = HASHES.get(String(args?.algorithm));
  if (!hash || typeof args?.data !== 'string') throw new TypeError('not a digest call');
  const data = Buffer.from(args.data, 'base64');
  if (method === 'digest') return createHash(hash).update(data).digest('base64');
  if (method !== 'hmac' || typeof args.key !== 'string') throw new TypeError('not a digest call');
  return createHmac(hash, Buffer.from(args.key, 'base64')).update(data).digest('base64');
}
