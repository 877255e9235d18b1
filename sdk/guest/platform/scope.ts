/**
 * The names that undici and whatwg-url find in scope: what they were before a guest could change them.
 * The bundler puts these in front of their files. Published nowhere.
 * May import: platform, stubs.
 */
import { Bytes } from '../stubs/buffer.ts';
import { AbortController, AbortSignal } from './abort.ts';
import { Blob, File } from './blob.ts';
import { TextDecoder, TextDecoderStream, TextEncoder } from './encoding.ts';
import { DOMException } from './errors.ts';
import { MessagePort } from './message-port.ts';
import { ReadableStream, TransformStream } from './streams.ts';
import { queueMicrotask } from './timers.ts';
import { URL, URLSearchParams } from './url.ts';

/** @public One object, since a module's exports would be made three times over for each `require`. */
export const scope = {
  Buffer: Bytes,
  AbortController,
  AbortSignal,
  Blob,
  File,
  TextDecoder,
  TextDecoderStream,
  TextEncoder,
  DOMException,
  MessagePort,
  ReadableStream,
  TransformStream,
  queueMicrotask,
  URL,
  URLSearchParams,
  // Packages need these at call time, guests get none.
  WeakRef,
  FinalizationRegistry,
  SharedArrayBuffer,
};
