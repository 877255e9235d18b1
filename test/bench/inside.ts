/**
 * Corridor and sandbox in this process with a transport that is a function: for what needs no broker to be measured.
 * May import: host, sdk/guest, test/bench.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

import { buildPrelude } from '#sdk/guest';

import type { Binding } from '../../host/bindings/binding.ts';
import { createRegistry } from '../../host/bindings/registry.ts';
import { createConfigs } from '../../host/bindings/config/index.ts';
import type { Catalogue } from '../../host/bundles/live/catalogue.ts';
import { createLogbook } from '../../host/bundles/live/logbook.ts';
import { openPlugins } from '../../host/bundles/live/open.ts';
import { createDeadlineSignals } from '../../host/kernel/deadline-signals.ts';
import { silentLog } from '../../host/kernel/log.ts';
import { createMetrics } from '../../host/kernel/metrics.ts';
import type { Transport } from '../../host/message/delivery.ts';
import { createAuthority } from '../../host/pipeline/authorization/authority.ts';
import { createCorridor } from '../../host/pipeline/corridor.ts';
import { createLimitsBook } from '../../host/quotas/limits-book.ts';
import { createMeter } from '../../host/quotas/meter.ts';
import { openSandbox } from '../../host/sandbox/open.ts';
import type { SandboxOptions } from '../../host/sandbox/options.ts';
import type { Outcome, Sandbox } from '../../host/sandbox/sandbox.ts';
import { createSeal } from '../../host/storage/seal.ts';
import { openDatabase } from '../../host/storage/sqlite/database.ts';
import { openMemoryKv } from '../../host/storage/memory-kv.ts';
import { openSqliteInstalled } from '../../host/storage/sqlite/installed.ts';
import { openSqliteJournal } from '../../host/storage/sqlite/journal.ts';
import { createSqliteTenants } from '../../host/storage/sqlite/tenants.ts';
import { createMessage, idOf, orgUrn, statusOf } from './messages.ts';

export const PLUGINS = fileURLToPath(new URL('../../plugins', import.meta.url));
export const BENCH_PLUGINS = fileURLToPath(new URL('plugins', import.meta.url));
/** Needs a binding that only this file has. */
const WAITING = fileURLToPath(new URL('waiting', import.meta.url));

export interface Inside extends AsyncDisposable {
  readonly sandbox: Sandbox;
  readonly catalogue: Catalogue;
  /** One call through the whole corridor; resolves with the status of the reply. */
  call(key: string, method: string, uri: string, org: number): Promise<number>;
  /** One call of a plug-in at the seam of the sandbox. */
  invoke(options: InvokeOptions): Promise<Outcome>;
}

export interface InvokeOptions {
  readonly key: string;
  readonly org: number;
  /** Pretend that it is another plug-in with the same code. */
  readonly plugin?: string;
}

const BYTES = 1_024;

export async function openInside(options: Partial<SandboxOptions> = {}): Promise<Inside> {
  await using stack = new AsyncDisposableStack();
  const metrics = createMetrics();
  const log = silentLog;
  const prelude = await buildPrelude();
  const sandbox = stack.use(openSandbox({ prelude, metrics, ...options }));
  const limits = createLimitsBook({ ceilings: {}, plugins: {}, orgs: {} });
  const bindings = createRegistry([kvOfNothing, slow], { log, metrics });
  const database = openDatabase(':memory:');
  const seal = createSeal(Buffer.alloc(32));
  const tenants = createSqliteTenants({ database, seal });
  const logbook = createLogbook();
  const { catalogue } = stack.use(
    await openPlugins({
      folders: [PLUGINS, BENCH_PLUGINS, WAITING],
      watchFolders: false,
      inbox: null,
      hostName: 'bench',
      othersServe: false,
      installed: stack.use(openSqliteInstalled(database)),
      tenants,
      kv: openMemoryKv(),
      policy: { trust: () => Promise.reject(new Error('no bundles here')), allowUnsigned: false },
      workshop: { bindings: bindings.names, limits, isolation: 'plugin', sandbox },
      logbook,
      log,
      metrics,
    }),
  );
  const waiting = new Map<string, (status: number) => void>();
  const corridor = createCorridor({
    transport: transportInto(waiting),
    sandbox,
    bindings,
    log,
    metrics,
    envelope: 'array',
    parkMs: 1_000,
    signals: stack.use(createDeadlineSignals()),
    journal: openSqliteJournal({ database, seal, log }),
    tenants,
    configs: createConfigs(tenants),
    logbook,
    limits,
    meter: createMeter(),
    authority: createAuthority(null),
    decode: { maxMessageBytes: 16_777_216, systemOrg: 'urn:vcloud:org:system' },
    deadlines: { extensionTimeoutMs: 10_000, marginMs: 300 },
    catalogue: () => catalogue,
    rights: { rightsOf: () => null },
    mayReplyTo: () => true,
  });
  let serial = 0;
  const opened = stack.move();
  return {
    sandbox,
    catalogue,
    call: (key, method, uri, org) =>
      new Promise((resolve) => {
        const id = idOf((serial += 1));
        waiting.set(id, resolve);
        corridor.accept({
          exchange: 'sdkext',
          routingKey: key,
          body: messageOf(method, uri, org)(id),
          correlationId: id,
          replyTo: 'bench',
          headers: { replyToExchange: 'bench', replyByTimestamp: Date.now() + 10_000 },
          redelivered: false,
          arrivedAt: performance.now(),
          ack: () => undefined,
          requeue: () => undefined,
        });
      }),
    invoke: ({ key, org, plugin }) => {
      const found = catalogue.serving('sdkext', key, orgUrn(org));
      const bundle = found.kind === 'found' ? found.plugins[0]?.guest : undefined;
      if (!bundle) throw new Error(`no plug-in ${key}`);
      return sandbox.invoke({
        callId: idOf((serial += 1)),
        bundle: plugin ? { ...bundle, plugin } : bundle,
        org: orgUrn(org),
        handler: 'fetch',
        payload: PAYLOAD,
        deadline: performance.now() + 10_000,
        idempotent: true,
        hostCall: async () => '{"ok":true,"value":null}',
        log: () => undefined,
      });
    },
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  };
}

/** What `hello` is asked at the seam. */
const PAYLOAD = JSON.stringify({
  handler: 'fetch',
  method: 'GET',
  url: 'https://vcloud.example.com/api/hello?name=bench',
  headers: [['Accept', 'application/json']],
  body: null,
  params: {},
  requestId: 'r-1',
  caller: { user: 'u', org: 'o', rights: [], provider: false },
  remainingMs: 9_000,
  config: null,
});

const makers = new Map<string, ReturnType<typeof createMessage>>();

function messageOf(method: string, uri: string, org: number): ReturnType<typeof createMessage> {
  const key = `${method} ${uri} ${org}`;
  let maker = makers.get(key);
  if (!maker)
    makers.set(key, (maker = createMessage({ method, uri, org: orgUrn(org), bytes: BYTES })));
  return maker;
}

function transportInto(waiting: Map<string, (status: number) => void>): Transport {
  return {
    async reply({ correlationId, body }) {
      const id = correlationId ?? '';
      waiting.get(id)?.(statusOf(Buffer.from(body.buffer, body.byteOffset, body.byteLength)));
      waiting.delete(id);
      return { kind: 'confirmed' };
    },
    park: async () => true,
    consume() {},
    async cancel() {},
    status: () => ({ consuming: true, reason: null, blocked: false }),
    async [Symbol.asyncDispose]() {},
  };
}

const kvOfNothing: Binding = { name: 'kv', call: async () => null };

/** A service that takes 50 ms. */
const slow: Binding = {
  name: 'slow',
  call: async (_grant, _method, _args, signal) => delay(50, null, { signal }).catch(() => null),
};

/** Keep calls in flight for a while; resolves with how many ended and how long it took. */
export async function flood(
  inFlight: number,
  ms: number,
  call: (turn: number) => Promise<unknown>,
): Promise<{ calls: number; ms: number }> {
  const began = performance.now();
  let turn = 0;
  let calls = 0;
  async function one(): Promise<void> {
    while (performance.now() - began < ms) {
      await call((turn += 1));
      calls += 1;
    }
  }
  await Promise.all(Array.from({ length: inFlight }, one));
  return { calls, ms: performance.now() - began };
}
