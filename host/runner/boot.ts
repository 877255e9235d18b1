/**
 * Makes an isolate that holds the prelude and one plug-in, and nothing else of ours but three functions.
 * May import: isolated-vm.
 */
import { randomBytes } from 'node:crypto';
import { domainToASCII } from 'node:url';
import ivm from 'isolated-vm';

/** A script with its code cache, made once in a runner and used by all its isolates. */
export interface CachedScript {
  source: string;
  readonly filename: string;
  cache: ivm.ExternalCopy<ArrayBuffer> | null;
}

export type Enter = ivm.Reference<
  (kind: string, id: number, text: string, keep: boolean) => unknown
>;
export type Post = (kind: unknown, id: unknown, text: unknown) => void;

const MAX_RANDOM_BYTES = 1_024;
const MAX_HOST_NAME_CHARS = 1_024;

export function createIsolate(memoryMb: number, onCatastrophe: (text: string) => void) {
  return new ivm.Isolate({ memoryLimit: memoryMb, onCatastrophicError: onCatastrophe });
}

/** A context with the functions that `sdk/guest/abi.ts` promises to the prelude. */
export async function createGuestContext(isolate: ivm.Isolate, post: Post): Promise<ivm.Context> {
  const context = await isolate.createContext();
  const { global } = context;
  global.setIgnored('__vcx_post', new ivm.Callback(post, { ignored: true }));
  global.setIgnored('__vcx_random', new ivm.Callback(randomBase64, { sync: true }));
  await global.set('__vcx_domainToASCII', new ivm.Callback(toAscii, { sync: true }));
  return context;
}

/** Run a script to its end; returns whether its code cache was refused. */
export async function runScript(
  isolate: ivm.Isolate,
  context: ivm.Context,
  script: CachedScript,
  timeoutMs: number,
): Promise<boolean> {
  const compiled = await isolate.compileScript(script.source, {
    filename: script.filename,
    ...(script.cache ? { cachedData: script.cache } : {}),
  });
  await compiled.run(context, { timeout: timeoutMs });
  const rejected = (compiled as { cachedDataRejected?: boolean }).cachedDataRejected === true;
  compiled.release();
  return rejected;
}

/** Take the prelude's entry function away from the guest. */
export async function takeEnter(context: ivm.Context): Promise<Enter> {
  const enter = await context.global.get('__vcx_enter', { reference: true });
  if (enter?.typeof !== 'function') throw new Error('the prelude left no __vcx_enter');
  await context.global.delete('__vcx_enter');
  return enter as Enter;
}

function randomBase64(count: unknown): string {
  const bytes = typeof count === 'number' && count > 0 ? Math.min(count, MAX_RANDOM_BYTES) : 0;
  return randomBytes(Math.floor(bytes)).toString('base64');
}

function toAscii(host: unknown): string {
  return typeof host === 'string' && host.length <= MAX_HOST_NAME_CHARS ? domainToASCII(host) : '';
}
