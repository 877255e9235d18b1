/**
 * A real isolate with the prelude and one plug-in in it, for tests and benchmarks of the guest runtime.
 * Plays the runner's part of `sdk/guest/abi.ts` in the simplest way; nothing here contains hostile code.
 * May import: host/runner's messages, sdk/guest.
 */
import { createHash, createHmac, randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { domainToASCII, fileURLToPath } from 'node:url';
import ivm from 'isolated-vm';
import { replyJson } from '../../../host/runner/messages.ts';
import { buildPrelude, bundlePlugin, type PluginScript } from '../../../sdk/guest/build/bundle.ts';
import type {
  GuestFailure,
  GuestHostCall,
  GuestReply,
  GuestRequest,
  GuestSetup,
} from '../../../sdk/guest/abi.ts';

export interface Posted {
  readonly kind: string;
  readonly id: number;
  readonly text: string;
}

export interface GuestOptions {
  readonly setup?: Partial<GuestSetup>;
  /** Answers host calls of bindings; what it throws becomes `{ok:false}`. */
  readonly host?: (call: GuestHostCall) => unknown;
}

export type Answer =
  | { readonly kind: 'reply'; readonly reply: GuestReply; readonly body: string }
  | { readonly kind: 'threw'; readonly failure: GuestFailure };

export interface Guest extends AsyncDisposable {
  readonly isolate: ivm.Isolate;
  readonly context: ivm.Context;
  readonly posted: Posted[];
  readonly logs: string[];
  readonly enter: (kind: string, id: number, text: string) => Promise<unknown>;
  /** Evaluate an expression and give back its value as text. */
  evaluate(code: string): Promise<string>;
  /** Run the script of a plug-in and load it; gives the handlers or the refusal. */
  load(source: string): Promise<string>;
  /** One call, until it is answered. */
  call(request?: Partial<GuestRequest>): Promise<Answer>;
  /** Wait for a posted message. */
  until(found: (message: Posted) => boolean): Promise<Posted>;
}

let prelude: Promise<{ source: string }> | null = null;

export function requestText(request: Partial<GuestRequest> = {}): string {
  return JSON.stringify({
    handler: 'fetch',
    method: 'GET',
    url: 'https://vcloud.example.com/api/hello?name=x',
    headers: [['accept', 'application/json']],
    body: null,
    params: {},
    requestId: 'r-1',
    caller: { user: 'u', org: 'o', rights: ['View'], provider: false },
    remainingMs: 5_000,
    config: null,
    ...request,
  } satisfies GuestRequest);
}

/** What the runner itself answers for `crypto.subtle`. */
export function runnerCrypto(method: string, args: Record<string, string>): string {
  const hash = String(args['algorithm']).replace('-', '').toLowerCase();
  const data = Buffer.from(String(args['data']), 'base64');
  if (method === 'digest') return createHash(hash).update(data).digest('base64');
  return createHmac(hash, Buffer.from(String(args['key']), 'base64'))
    .update(data)
    .digest('base64');
}

const root = fileURLToPath(new URL('../../../', import.meta.url));

/** Bundle plug-in code as an author's entry file; its folder has a space in its name. */
export async function bundleText(code: string): Promise<PluginScript> {
  const cache = path.join(root, '.cache');
  await mkdir(cache, { recursive: true });
  const folder = await mkdtemp(path.join(cache, 'guest plugin-'));
  try {
    await writeFile(path.join(folder, 'main.ts'), code);
    return await bundlePlugin(path.join(folder, 'main.ts'));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

const SETUP: GuestSetup = { bindings: [], responseBytes: 262_144, logLineChars: 2_000 };

export async function openGuest(options: GuestOptions = {}): Promise<Guest> {
  prelude ??= buildPrelude();
  const { source } = await prelude;
  const isolate = new ivm.Isolate({ memoryLimit: 64 });
  const context = await isolate.createContext();
  const posted: Posted[] = [];
  const logs: string[] = [];
  const waiting = new Set<{ found: (m: Posted) => boolean; resolve: (m: Posted) => void }>();
  const timers = new Map<number, NodeJS.Timeout>();
  let enterRef: ivm.Reference | null = null;

  const enter = (kind: string, id: number, text: string): Promise<unknown> =>
    isolate.isDisposed || enterRef === null
      ? Promise.resolve()
      : enterRef.apply(undefined, [kind, id, text], { timeout: 3_000 });

  const answerHost = async (id: number, text: string): Promise<void> => {
    const call = JSON.parse(text) as GuestHostCall;
    try {
      const value =
        call.binding === 'vcx:crypto'
          ? runnerCrypto(call.method, call.args as Record<string, string>)
          : await options.host?.(call);
      await enter('hostReply', id, JSON.stringify({ ok: true, value }));
    } catch (error) {
      const { code = 'FAILED', message } = error as Error & { code?: string };
      await enter('hostReply', id, JSON.stringify({ ok: false, code, message }));
    }
  };

  const receive = (kind: string, id: number, text: string): void => {
    const message = { kind, id, text };
    posted.push(message);
    if (kind === 'log') logs.push((JSON.parse(text) as [string, string]).join(': '));
    if (kind === 'host')
      void answerHost(id, text).catch((error: unknown) => {
        // The answer came after the test had closed its isolate.
        if (!isolate.isDisposed) throw error;
      });
    if (kind === 'timer')
      timers.set(
        id,
        setTimeout(() => void enter('timer', id, '').catch(() => {}), Number(text)),
      );
    if (kind === 'cancelTimer') clearTimeout(timers.get(id));
    for (const entry of waiting)
      if (entry.found(message)) {
        waiting.delete(entry);
        entry.resolve(message);
      }
  };
  const global = context.global;
  await global.set('__vcx_post', new ivm.Callback(receive, { ignored: true }));
  await global.set(
    '__vcx_random',
    new ivm.Callback((count: number) => randomBytes(Math.min(count, 1_024)).toString('base64')),
  );
  await global.set('__vcx_domainToASCII', new ivm.Callback((host: string) => domainToASCII(host)));
  const script = await isolate.compileScript(source, { filename: 'vcx:prelude' });
  await script.run(context);
  enterRef = await global.get('__vcx_enter', { reference: true });
  await global.delete('__vcx_enter');
  let sequence = 0;

  const until = (found: (message: Posted) => boolean): Promise<Posted> => {
    const { promise, resolve } = Promise.withResolvers<Posted>();
    waiting.add({ found, resolve });
    return promise;
  };

  return {
    isolate,
    context,
    posted,
    logs,
    enter,
    until,
    async evaluate(code) {
      return String(await context.eval(`String(${code})`, { timeout: 3_000 }));
    },
    async load(text) {
      const plugin = await isolate.compileScript(text, { filename: 'main.js' });
      await plugin.run(context, { timeout: 3_000 });
      const answer = until(({ kind }) => kind === 'loaded' || kind === 'refused');
      await enter('load', ++sequence, JSON.stringify({ ...SETUP, ...options.setup }));
      const { kind, text: names } = await answer;
      return `${kind} ${names}`;
    },
    async call(request) {
      const id = ++sequence;
      const answer = until((m) => m.id === id && (m.kind === 'reply' || m.kind === 'threw'));
      await enter('call', id, requestText(request)).catch(() => {});
      const { kind, text } = await answer;
      if (kind === 'threw') return { kind, failure: JSON.parse(text) as GuestFailure };
      const reply = JSON.parse(replyJson(text)) as GuestReply;
      return { kind: 'reply', reply, body: Buffer.from(reply.body, 'base64').toString() };
    },
    async [Symbol.asyncDispose]() {
      for (const timer of timers.values()) clearTimeout(timer);
      if (!isolate.isDisposed) isolate.dispose();
      await Promise.resolve();
    },
  };
}

/** A guest whose plug-in evaluates the request's body; `run` gives back what it returned, as JSON. */
export interface Probe extends AsyncDisposable {
  readonly guest: Guest;
  run(code: string): Promise<unknown>;
}

const PROBE = `globalThis.__vcx_plugin = { async fetch(request, env, ctx) {
  const work = new Function('request', 'env', 'ctx', 'return (async () => {' + await request.text() + '})()');
  const value = await work(request, env, ctx);
  return value instanceof Response ? value : Response.json({ value: value === undefined ? null : value });
} };0`;

export async function openProbe(options: GuestOptions = {}): Promise<Probe> {
  const guest = await openGuest(options);
  await guest.load(PROBE);
  return {
    guest,
    async run(code) {
      const body = Buffer.from(code).toString('base64');
      const answer = await guest.call({ method: 'POST', body });
      if (answer.kind === 'threw') throw new Error(answer.failure.message);
      return (JSON.parse(answer.body) as { value: unknown }).value;
    },
    [Symbol.asyncDispose]: () => guest[Symbol.asyncDispose](),
  };
}
