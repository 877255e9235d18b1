/**
 * Names of any kind as parts of a NATS key, so that no two differ in the name only and none reaches into another part.
 * May import: nothing.
 */
import { createHash } from 'node:crypto';

/** NATS holds a whole command line to 4 KB, and a key has several parts. */
const MAX_PART = 700;

/**
 * Letters, digits, `-` and `_` stand for themselves, any other byte is `=` and two hex digits: never a dot, which
 * would begin another part, and never a wildcard. A name that gets too long is `==` and its SHA-256.
 */
export function keyPart(name: string): string {
  const part = name.replaceAll(/[^A-Za-z0-9_-]/gu, escape);
  if (part === '') return '=';
  return part.length <= MAX_PART ? part : `==${createHash('sha256').update(name).digest('hex')}`;
}

function escape(char: string): string {
  return [...Buffer.from(char, 'utf8')]
    .map((byte) => `=${byte.toString(16).padStart(2, '0')}`)
    .join('');
}

/** Of several names, in this order. */
export function keyOf(...names: readonly string[]): string {
  return names.map(keyPart).join('.');
}
