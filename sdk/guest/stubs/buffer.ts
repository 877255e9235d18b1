/**
 * The part of Buffer that undici's class files use; never a guest global.
 * The npm package of that name is four times slower here.
 * May import: platform/encoding, primordials.
 */
import { TextDecoder, binary, utf8 } from '../platform/encoding.ts';
import { fromBase64 } from '../primordials.ts';

function bytesOf(value: unknown, encoding: string): Uint8Array {
  if (typeof value !== 'string') return value as Uint8Array;
  if (encoding === 'base64') return fromBase64(value);
  if (encoding === 'binary' || encoding === 'latin1')
    return Uint8Array.from(value, (char) => char.charCodeAt(0));
  return utf8(value);
}

export class Bytes extends Uint8Array<ArrayBuffer> {
  constructor(source: number | ArrayBuffer, byteOffset?: number, length?: number) {
    super(source as ArrayBuffer, byteOffset, length);
  }
  static override from(value: unknown, encoding: unknown = 'utf8'): Bytes {
    const bytes = bytesOf(value, String(encoding));
    const copy = new Bytes(bytes.length);
    copy.set(bytes);
    return copy;
  }
  /** The same bytes, not copied. */
  static view(bytes: Uint8Array<ArrayBuffer>): Bytes {
    return new Bytes(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }
  static allocUnsafe(length: number): Bytes {
    return new Bytes(length);
  }
  static byteLength(text: string): number {
    return utf8(text).length;
  }
  static concat(parts: readonly Uint8Array[], length: number): Bytes {
    const joined = new Bytes(length);
    let offset = 0;
    for (const part of parts) {
      joined.set(part, offset);
      offset += part.length;
    }
    return joined;
  }
  equals(other: Uint8Array): boolean {
    return this.length === other.length && this.every((byte, index) => byte === other[index]);
  }
  /** First place of a byte or of a run of bytes at or after `from`, or -1. */
  override indexOf(wanted: number | Uint8Array, from = 0): number {
    if (typeof wanted === 'number') return super.indexOf(wanted, from);
    const [first] = wanted;
    if (first === undefined) return from;
    for (let at = super.indexOf(first, from); at >= 0; at = super.indexOf(first, at + 1)) {
      let same = 1;
      while (same < wanted.length && this[at + same] === wanted[same]) same++;
      if (same === wanted.length) return at;
    }
    return -1;
  }
  override toString(encoding = 'utf8'): string {
    if (encoding === 'latin1' || encoding === 'binary') return binary(this);
    return new TextDecoder('utf-8', { ignoreBOM: true }).decode(this);
  }
}
