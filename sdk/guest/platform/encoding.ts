/**
 * Text to bytes and back: TextEncoder, TextDecoder, their streams, atob, btoa.
 * May import: install, platform/errors.
 */
import {
  TextDecoder,
  TextDecoderStream,
  TextEncoder,
  TextEncoderStream,
} from '@exodus/bytes/encoding-lite.js';
import { publish } from '../install.ts';
import { charCodeAt, fromBase64, toBase64 } from '../primordials.ts';
import { DOMException } from './errors.ts';

const encoder = new TextEncoder();
const encode = encoder.encode.bind(encoder);

/** UTF-8 of a text; most of what plug-ins answer is ASCII, which a plain loop copies fastest. */
export function utf8(text: string): Uint8Array<ArrayBuffer> {
  const { length } = text;
  const bytes = new Uint8Array(length);
  for (let index = 0; index < length; index++) {
    const unit = charCodeAt(text, index);
    if (unit > 127) return encode(text);
    bytes[index] = unit;
  }
  return bytes;
}

function latin1(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length);
  for (let index = 0; index < text.length; index++) {
    const unit = text.charCodeAt(index);
    if (unit > 255)
      throw new DOMException('The string has characters outside Latin1', 'InvalidCharacterError');
    bytes[index] = unit;
  }
  return bytes;
}

/** One character a byte. */
export function binary(bytes: Uint8Array): string {
  let text = '';
  for (let start = 0; start < bytes.length; start += 8_192)
    text += String.fromCharCode(...bytes.subarray(start, start + 8_192));
  return text;
}

export function btoa(data: unknown): string {
  return toBase64(latin1(String(data)));
}

export function atob(data: unknown): string {
  try {
    return binary(fromBase64(String(data)));
  } catch {
    throw new DOMException('The string is not correctly encoded', 'InvalidCharacterError');
  }
}

export { TextDecoder, TextDecoderStream, TextEncoder, TextEncoderStream };

publish({ TextDecoder, TextDecoderStream, TextEncoder, TextEncoderStream, atob, btoa });
