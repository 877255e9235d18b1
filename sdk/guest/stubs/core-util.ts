/**
 * Stands for undici's `core/util.js`, which drags in sockets; only what the class files use.
 * May import: platform/source-body.
 */
import { SourceBody, isDisturbed } from '../platform/source-body.ts';

export const kEnumerableProperty = { __proto__: null, enumerable: true };

const METHODS = ['DELETE', 'GET', 'HEAD', 'OPTIONS', 'POST', 'PUT', 'QUERY'];
const pairs = METHODS.flatMap((name) => [
  [name.toLowerCase(), name] as const,
  [name, name] as const,
]);

export const normalizedMethodRecordsBase: Record<string, string> = Object.assign(
  Object.create(null),
  Object.fromEntries(pairs),
);
export const normalizedMethodRecords: Record<string, string> = Object.assign(
  Object.create(null),
  normalizedMethodRecordsBase,
  { patch: 'patch', PATCH: 'PATCH' },
);

const TOKEN = /^[\^_`a-zA-Z\-0-9!#$%&'*+.|~]+$/;

export function isValidHTTPToken(text: string): boolean {
  return TOKEN.test(text);
}

export function bufferToLowerCasedHeaderName(bytes: {
  toString(encoding: string): string;
}): string {
  return bytes.toString('latin1').toLowerCase();
}

export function setHeader(target: Record<string, unknown>, key: string, value: unknown): void {
  Object.defineProperty(target, key, {
    value,
    enumerable: true,
    configurable: true,
    writable: true,
  });
}

interface Listening {
  addEventListener(type: string, listener: () => void, options?: object): void;
  removeEventListener(type: string, listener: () => void): void;
}

export function addAbortListener(signal: Listening, listener: () => void): () => void {
  signal.addEventListener('abort', listener, { once: true });
  return () => signal.removeEventListener('abort', listener);
}

export function isBodyDisturbed(body: { readonly stream: unknown }): boolean {
  return body instanceof SourceBody ? body.disturbed : isDisturbed(body.stream);
}

export { isDisturbed };
