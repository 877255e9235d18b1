/**
 * A tiny prelude that keeps the guest ABI, bundles made of one line, and a sandbox for tests.
 */
import { createHash, randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { createLog } from '../../../host/kernel/log.ts';
import { createMetrics, type Metrics } from '../../../host/kernel/metrics.ts';
import { defaultLimits, type Limits } from '../../../host/quotas/limits.ts';
import { openSandbox } from '../../../host/sandbox/open.ts';
import type { SandboxOptions } from '../../../host/sandbox/options.ts';
import type { GuestBundle, Invocation, Outcome, Sandbox } from '../../../host/sandbox/sandbox.ts';

/** What the real prelude does, less all comfort: handlers get `(input, host, ctx)` and return any JSON. */
const PRELUDE = `{
  const post = globalThis.__vcx_post, random = globalThis.__vcx_random;
  delete globalThis.__vcx_post; delete globalThis.__vcx_random; delete globalThis.__vcx_domainToASCII;
  delete globalThis.WebAssembly; delete globalThis.SharedArrayBuffer; delete globalThis.Atomics;
  const { stringify, parse } = JSON;
  const pending = new Map(), timers = new Map();
  let seq = 0, plugin, kept = '', keeping = false;
  const say = (kind, id, text) => {
    if (keeping) kept += kind + '\\n' + id + '\\n' + text.length + '\\n' + text;
    else post(kind, id, text);
  };
  globalThis.setTimeout = (run, ms = 0) => { timers.set(++seq, run); say('timer', seq, String(ms)); return seq; };
  globalThis.console = { log: (text) => say('log', 0, stringify(['info', String(text)])) };
  globalThis.randomBase64 = (count) => random(count);
  const host = (binding, method, args) => new Promise((resolve) => {
    pending.set(++seq, resolve);
    say('host', seq, stringify({ binding, method, args }));
  });
  const begin = async (id, text) => {
    const work = [];
    try {
      const input = parse(text);
      const value = await plugin[input.handler](input, host, { waitUntil: (p) => work.push(p) });
      say('reply', id, stringify(value === undefined ? null : value));
    } catch (error) {
      let message = 'unprintable';
      try { message = String(error.message ?? error); } catch {}
      say('threw', id, stringify({ reason: 'threw', message, stack: '' }));
    }
    try { await Promise.allSettled(work); } catch {}
    say('settled', id, '');
  };
  globalThis.__vcx_enter = (kind, id, text, keep) => {
    if (kind === 'call') { keeping = keep; void begin(id, text); }
    else if (kind === 'take') { const all = kept; kept = ''; return all; }
    else if (kind === 'hostReply') { const done = pending.get(id); pending.delete(id); done?.(parse(text)); }
    else if (kind === 'timer') { const run = timers.get(id); timers.delete(id); run?.(); }
    else if (kind === 'load') {
      plugin = globalThis.__vcx_plugin; delete globalThis.__vcx_plugin;
      if (typeof plugin !== 'object' || plugin === null) post('refused', 0, 'the default export is no object');
      else post('loaded', 0, stringify(Object.keys(plugin)));
    }
  };
};0`;

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');

export const tinyPrelude = { source: PRELUDE, digest: sha256(PRELUDE) };

export interface BundleOptions {
  readonly plugin?: string;
  readonly isolation?: GuestBundle['isolation'];
  readonly limits?: Partial<Limits>;
  /** Statements before the export. */
  readonly before?: string;
}

/** A bundle whose `fetch` has this body; `input`, `host`, `ctx` are in scope. */
export function bundleOf(body: string, options: BundleOptions = {}): GuestBundle {
  const handler = `async fetch(input, host, ctx) { ${body} }`;
  return scriptBundle(
    `${options.before ?? ''};globalThis.__vcx_plugin = { ${handler} };0`,
    options,
  );
}

export function scriptBundle(source: string, options: BundleOptions = {}): GuestBundle {
  return {
    plugin: options.plugin ?? 'probe',
    version: '1.0.0',
    digest: sha256(source),
    source,
    limits: { ...defaultLimits(), ...options.limits },
    isolation: options.isolation ?? 'plugin',
    bindings: [],
  };
}

export interface Kit extends AsyncDisposable {
  readonly sandbox: Sandbox;
  readonly metrics: Metrics;
  /** Events of the log with their fields. */
  readonly events: Record<string, unknown>[];
  call(bundle: GuestBundle, options?: CallOptions): Promise<Outcome>;
  /** All processes that the sandbox had, seen by `status` so far. */
  pids(): number[];
}

export interface CallOptions {
  /** What the host takes the call for; the guest runs `fetch` for all. @default fetch */
  readonly handler?: Invocation['handler'];
  readonly org?: string;
  readonly input?: Record<string, unknown>;
  /** Time until the deadline, ms. */
  readonly withinMs?: number;
  readonly idempotent?: boolean;
  readonly hostCall?: Invocation['hostCall'];
  readonly log?: Invocation['log'];
  readonly charge?: (cpuMs: number) => void;
}

/** A sandbox with the tiny prelude and generous times: tests must not fail because the machine is busy. */
export function openKit(options: Partial<SandboxOptions> = {}): Kit {
  const events: Record<string, unknown>[] = [];
  const metrics = createMetrics();
  const log = createLog({
    level: 'debug',
    write: (line) => events.push(JSON.parse(line) as Record<string, unknown>),
  });
  const sandbox = openSandbox({
    prelude: tinyPrelude,
    metrics,
    log,
    readyMs: 30_000,
    heartbeatMs: 5_000,
    disposeGraceMs: 1_000,
    drainMs: 1_000,
    ...options,
  });
  const seen = new Set<number>();
  return {
    sandbox,
    metrics,
    events,
    pids() {
      for (const runner of sandbox.status().runners) seen.add(runner.pid);
      return [...seen];
    },
    call: (bundle, call = {}) => sandbox.invoke(invocationOf(bundle, call)),
    [Symbol.asyncDispose]: () => sandbox[Symbol.asyncDispose](),
  };
}

export function invocationOf(bundle: GuestBundle, options: CallOptions = {}): Invocation {
  return {
    callId: randomUUID(),
    bundle,
    org: options.org ?? 'acme',
    handler: options.handler ?? 'fetch',
    payload: JSON.stringify({ handler: 'fetch', ...options.input }),
    deadline: performance.now() + (options.withinMs ?? 15_000),
    idempotent: options.idempotent ?? false,
    hostCall: options.hostCall ?? (async () => JSON.stringify({ ok: true, value: null })),
    log: options.log ?? (() => undefined),
    ...(options.charge ? { charge: options.charge } : {}),
  };
}

/** The code of a failure, or what the guest replied. */
export function resultOf(outcome: Outcome): unknown {
  return outcome.kind === 'failed' ? outcome.code : JSON.parse(outcome.reply);
}

/** Wait until a condition holds; fails after a time that only a defect can use up. */
export async function until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  const end = performance.now() + 15_000;
  while (!(await holds())) {
    if (performance.now() > end) throw new Error(`never happened: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

export function isAlive(pid: number): boolean {
  return existsSync(`/proc/${pid}`) || signalReaches(pid);
}

function signalReaches(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
