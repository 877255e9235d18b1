/**
 * The names that undici and whatwg-url find in scope: what they were before a guest could change them.
 * The bundler puts these in front of their files. Published nowhere.
 * May import: platform.
 */
export { Bytes as Buffer } from '../stubs/buffer.ts';
export { AbortController, AbortSignal } from './abort.ts';
export { Blob, File } from './blob.ts';
export { TextDecoder, TextDecoderStream, TextEncoder } from './encoding.ts';
export { DOMException } from './errors.ts';
export { MessagePort } from './message-port.ts';
export { ReadableStream, TransformStream } from './streams.ts';
export { queueMicrotask } from './timers.ts';
export { URL, URLSearchParams } from './url.ts';

const kept = { WeakRef, FinalizationRegistry };
const keptWeakRef = kept.WeakRef;
const keptRegistry = kept.FinalizationRegistry;
/** undici needs both at call time, guests get neither. */
export { keptWeakRef as WeakRef, keptRegistry as FinalizationRegistry };
