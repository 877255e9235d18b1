/**
 * The real sandbox with the real prelude, hostile plug-ins bundled from source text, and what the suite measures.
 * May import: host, sdk/guest/build.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import { randomUUID } from 'node:crypto';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { GuestReply, GuestRequest } from '../../../sdk/guest/abi.ts';
import { buildPrelude, bundlePlugin } from '../../../sdk/guest/build/bundle.ts';
import { createLog } from '../../../host/kernel/log.ts';
import { createMetrics, type Metrics } from '../../../host/kernel/metrics.ts';
import type { Code } from '../../../host/kernel/errors.ts';
import { defaultLimits, type Limits } from '../../../host/quotas/limits.ts';
import { openSandbox } from '../../../host/sandbox/open.ts';
import type { SandboxOptions } from '../../../host/sandbox/options.ts';
import type { GuestBundle, Invocation, Outcome, Sandbox } from '../../../host/sandbox/sandbox.ts';

/** One attack. `call` runs in the fetch handler when the request asks for it; `load` runs with the module. */
export interface HostileGuest {
  readonly name: string;
  /** Statements of an async handler; `request`, `env`, `ctx` are in scope. Ends with the reply `done` if it gets there. */
  readonly call?: string;
  /** Statements of the module, before its default export. */
  readonly load?: string;
  /** Codes that are right; `replied` for a reply. Several where the machine's load decides which limit is met first. */
  readonly expect: readonly (Code | 'replied')[];
  /** What a reply must hold. @default 'done' */
  readonly text?: string;
  readonly limits?: Partial<Limits>;
  readonly isolation?: GuestBundle['isolation'];
}

export interface CallOptions {
  readonly org?: string;
  /** Value of the query parameter `do`; the hostile part runs for all but `fine`; of many guests it names one. */
  readonly act?: string;
  readonly withinMs?: number;
  readonly idempotent?: boolean;
  readonly hostCall?: Invocation['hostCall'];
  readonly log?: Invocation['log'];
}

export interface HostileKit extends AsyncDisposable {
  readonly sandbox: Sandbox;
  readonly metrics: Metrics;
  /** Events of the sandbox's log with their fields. */
  readonly events: Record<string, unknown>[];
  call(bundle: GuestBundle, options?: CallOptions): Promise<Outcome>;
  /** Pids of all runners seen so far. */
  pids(): readonly number[];
}

/** Breakers that never open: one sandbox meets every killer of the suite. */
const PATIENT = { threshold: 1_000_000 };
/** Small, so that attacks end soon. Wall time is long: on a busy machine CPU time passes slowly. */
const LIMITS: Partial<Limits> = { cpuMs: 80, wallMs: 3_000, memoryMb: 32, hostCalls: 500 };

export const DEADLINE_MS = 8_000;

export async function openHostileKit(options: Partial<SandboxOptions> = {}): Promise<HostileKit> {
  const events: Record<string, unknown>[] = [];
  const metrics = createMetrics();
  const log = createLog({
    level: 'debug',
    write: (line) => events.push(JSON.parse(line) as Record<string, unknown>),
  });
  const sandbox = openSandbox({
    prelude: await buildPrelude(),
    metrics,
    log,
    spares: 2,
    readyMs: 30_000,
    heartbeatMs: 2_000,
    loadCpuMs: 400,
    loadWallMs: 4_000,
    drainMs: 2_000,
    orgBreaker: PATIENT,
    pluginBreaker: PATIENT,
    ...options,
  });
  const seen = new Set<number>();
  const look = (): void => {
    for (const { pid } of sandbox.status().runners) if (pid > 0) seen.add(pid);
  };
  return {
    sandbox,
    metrics,
    events,
    pids() {
      look();
      return [...seen];
    },
    async call(bundle, call = {}) {
      const outcome = await sandbox.invoke(invocationOf(bundle, call));
      look();
      return outcome;
    },
    async [Symbol.asyncDispose]() {
      look();
      await sandbox[Symbol.asyncDispose]();
    },
  };
}

/** The guest as an installed plug-in of its own. */
export async function bundleGuest(guest: Omit<HostileGuest, 'expect'>): Promise<GuestBundle> {
  return bundleOf(guest, await bundleText(moduleText(guest)));
}

/**
 * Many guests, each a plug-in of its own, in one text that holds all their handlers: it is bundled and compiled once.
 * They must have no `load`, since that would run in all of them.
 */
export async function bundleGuests(
  guests: readonly HostileGuest[],
): Promise<ReadonlyMap<HostileGuest, GuestBundle>> {
  const cases = guests.map(
    ({ name, call = '' }) => `${JSON.stringify(name)}: async (request, env, ctx) => { ${call} },\n`,
  );
  const load = `const EVIL = {\n${cases.join('')}};`;
  const call = 'const end = await EVIL[act](request, env, ctx); if (end !== undefined) return end;';
  const script = await bundleText(moduleText({ name: '', load, call }));
  return new Map(guests.map((guest) => [guest, bundleOf(guest, script)]));
}

/** Text to file, file through the bundler. */
async function bundleText(text: string): Promise<{ source: string; digest: string }> {
  const folder = await mkdtemp(join(tmpdir(), 'vcx-hostile-'));
  try {
    const entry = join(folder, 'main.js');
    await writeFile(entry, text);
    const { source, digest } = await bundlePlugin(entry);
    return { source, digest };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** A bundle of a source that no bundler has seen. */
export function bundleOf(
  { name, limits, isolation = 'plugin' }: Pick<HostileGuest, 'name' | 'limits' | 'isolation'>,
  script: { readonly source: string; readonly digest: string },
): GuestBundle {
  return {
    plugin: name,
    version: '1.0.0',
    ...script,
    limits: { ...defaultLimits(), ...LIMITS, ...limits },
    isolation,
    bindings: ['kv'],
  };
}

function moduleText({ call = '', load = '' }: Omit<HostileGuest, 'expect'>): string {
  return `${load}
export default {
  async fetch(request, env, ctx) {
    const act = new URL(request.url).searchParams.get('do');
    if (act === 'fine') return new Response('fine');
    ${call}
    return new Response('done');
  },
};
`;
}

export function payloadOf(org: string, act: string): string {
  return JSON.stringify({
    handler: 'fetch',
    method: 'GET',
    url: `https://vcloud.example.com/api/hello?do=${encodeURIComponent(act)}`,
    headers: [['accept', '*/*']],
    body: null,
    params: {},
    requestId: randomUUID(),
    caller: { user: 'user', org, rights: [], provider: false },
    remainingMs: DEADLINE_MS,
    config: null,
  } satisfies GuestRequest);
}

function invocationOf(bundle: GuestBundle, options: CallOptions): Invocation {
  const { org = 'acme', act = 'fine', withinMs = DEADLINE_MS } = options;
  return {
    callId: randomUUID(),
    bundle,
    org,
    handler: 'fetch',
    payload: payloadOf(org, act),
    deadline: performance.now() + withinMs,
    idempotent: options.idempotent ?? false,
    hostCall: options.hostCall ?? (async () => '{"ok":true,"value":1}'),
    log: options.log ?? (() => undefined),
  };
}

/** `replied`, or the code of the failure. */
export function codeOf(outcome: Outcome): Code | 'replied' {
  return outcome.kind === 'failed' ? outcome.code : 'replied';
}

/** Body of a reply as text, or code and message of the failure. */
export function textOf(outcome: Outcome): string {
  if (outcome.kind === 'failed') return `${outcome.code}: ${outcome.message}`;
  const { body } = JSON.parse(outcome.reply) as GuestReply;
  return Buffer.from(body, 'base64').toString();
}

/** Wait until a condition holds; fails after a time that only a defect can use up. */
export async function until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  const end = performance.now() + 20_000;
  while (!(await holds())) {
    if (performance.now() > end) throw new Error(`never happened: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

export function isAlive(pid: number): boolean {
  if (existsSync('/proc/self')) return existsSync(`/proc/${pid}`);
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
