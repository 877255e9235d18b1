/** Store, sandbox, plug-ins and corridor as a host has them, without a broker: for tests of what changes while calls come. */
import { randomUUID } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';

import { buildPrelude } from '#sdk/guest';

import { createConfigs } from '../../../host/bindings/config/index.ts';
import { createKvBinding } from '../../../host/bindings/kv/index.ts';
import { createRegistry } from '../../../host/bindings/registry.ts';
import { createSecretsBinding } from '../../../host/bindings/secrets/index.ts';
import type { Actor, Uploaded, UploadOptions } from '../../../host/bundles/change/admin.ts';
import { createLogbook, type Logbook } from '../../../host/bundles/live/logbook.ts';
import { openPlugins, type Plugins } from '../../../host/bundles/live/open.ts';
import type { Trust } from '../../../host/bundles/trust/trust.ts';
import { createDeadlineSignals } from '../../../host/kernel/deadline-signals.ts';
import { createLog, type Log } from '../../../host/kernel/log.ts';
import { createMetrics, type Metrics } from '../../../host/kernel/metrics.ts';
import type { OutgoingReply, Transport } from '../../../host/message/delivery.ts';
import { createAuthority } from '../../../host/pipeline/authorization/authority.ts';
import { createCorridor, type Corridor } from '../../../host/pipeline/corridor.ts';
import { createLimitsBook } from '../../../host/quotas/limits-book.ts';
import { createMeter } from '../../../host/quotas/meter.ts';
import { openSandbox } from '../../../host/sandbox/open.ts';
import type { SandboxOptions } from '../../../host/sandbox/options.ts';
import type { Sandbox } from '../../../host/sandbox/sandbox.ts';
import { loadSeal } from '../../../host/storage/seal.ts';
import { openDatabase } from '../../../host/storage/sqlite/database.ts';
import { openSqliteInstalled } from '../../../host/storage/sqlite/installed.ts';
import { openSqliteJournal } from '../../../host/storage/sqlite/journal.ts';
import { openSqliteKv } from '../../../host/storage/sqlite/kv.ts';
import { createSqliteTenants } from '../../../host/storage/sqlite/tenants.ts';
import type { InstalledStore } from '../../../host/storage/installed.ts';
import type { TenantStore } from '../../../host/storage/tenants.ts';
import { delivery, SYSTEM_ORG } from '../pipeline/messages.ts';

export const OPERATOR: Actor = { who: 'operator', owner: null };

export async function openTestSandbox(options: Partial<SandboxOptions> = {}): Promise<Sandbox> {
  return openSandbox({ prelude: await buildPrelude(), ...options });
}

export interface PluginKitOptions {
  /** State is kept here; opened again, it is all there again. */
  readonly dir: string;
  /** Not disposed with the kit. */
  readonly sandbox: Sandbox;
  readonly trust: () => Trust | Promise<Trust>;
  readonly allowUnsigned?: boolean;
  readonly folders?: readonly string[];
  readonly inbox?: string | null;
  readonly hostName?: string;
  readonly metrics?: Metrics;
  /** In place of `lines`. */
  readonly log?: Log;
}

export interface KitCall {
  /** URN. */
  readonly org: string;
  readonly path: string;
  readonly method?: string;
  /** Routing key. @default 'demo' */
  readonly key?: string;
  readonly body?: string;
}

export interface KitAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

export interface PluginKit
  extends AsyncDisposable, Pick<Plugins, 'admin' | 'catalogue' | 'keeper'> {
  readonly plugins: Plugins;
  readonly installed: InstalledStore;
  readonly tenants: TenantStore;
  readonly logbook: Logbook;
  readonly corridor: Corridor;
  readonly lines: string[];
  call(call: KitCall): Promise<KitAnswer>;
  upload(bundle: Uint8Array, options?: UploadOptions, actor?: Actor): Promise<Uploaded>;
}

export async function openPluginKit(options: PluginKitOptions): Promise<PluginKit> {
  await using stack = new AsyncDisposableStack();
  const { dir, sandbox, metrics = createMetrics() } = options;
  mkdirSync(dir, { recursive: true });
  const lines: string[] = [];
  const log = options.log ?? createLog({ level: 'debug', write: (line) => void lines.push(line) });
  const database = openDatabase(join(dir, 'vcx.sqlite'));
  stack.defer(() => database.close());
  const seal = loadSeal(join(dir, 'key'));
  const tenants = createSqliteTenants({ database, seal });
  const kv = stack.use(openSqliteKv(database));
  const installed = stack.use(openSqliteInstalled(database, { pollMs: 50 }));
  const bindings = createRegistry([createKvBinding(kv), createSecretsBinding(tenants, { log })], {
    log,
    metrics,
  });
  const limits = createLimitsBook({ ceilings: {}, plugins: {}, orgs: {} });
  const logbook = createLogbook();
  const plugins = stack.use(
    await openPlugins({
      folders: options.folders ?? [],
      watchFolders: false,
      inbox: options.inbox ?? null,
      hostName: options.hostName ?? 'test',
      othersServe: false,
      installed,
      tenants,
      kv,
      policy: {
        trust: async () => options.trust(),
        allowUnsigned: options.allowUnsigned ?? false,
      },
      workshop: { bindings: bindings.names, limits, isolation: 'plugin', sandbox },
      logbook,
      log,
      metrics,
    }),
  );
  const { catalogue } = plugins;
  const waiting = new Map<string, (out: OutgoingReply) => void>();
  const corridor = createCorridor({
    transport: transportInto(waiting),
    sandbox,
    bindings,
    log,
    metrics,
    envelope: 'array',
    parkMs: 1_000,
    signals: stack.use(createDeadlineSignals()),
    journal: stack.use(openSqliteJournal({ database, seal, log })),
    tenants,
    configs: createConfigs(tenants),
    logbook,
    limits,
    meter: createMeter(),
    authority: createAuthority(null),
    decode: { maxMessageBytes: 16_777_216, systemOrg: SYSTEM_ORG },
    deadlines: { extensionTimeoutMs: 10_000, marginMs: 300 },
    catalogue: () => catalogue,
    rights: { rightsOf: () => null },
    mayReplyTo: () => true,
  });
  stack.defer(async () => {
    corridor.close();
    await corridor.idle(AbortSignal.timeout(10_000));
  });
  const opened = stack.move();
  return {
    plugins,
    ...plugins,
    installed,
    tenants,
    logbook,
    corridor,
    lines,
    call: (call) => callThrough(corridor, waiting, call),
    upload: (bundle, upload = {}, actor = OPERATOR) => plugins.admin.upload(bundle, upload, actor),
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  };
}

function callThrough(
  corridor: Corridor,
  waiting: Map<string, (out: OutgoingReply) => void>,
  { org, path, method = 'GET', key = 'demo', body = '' }: KitCall,
): Promise<KitAnswer> {
  const id = randomUUID();
  const [requestUri, queryString = null] = path.split('?');
  const http = { id, method, requestUri, queryString, body: Buffer.from(body).toString('base64') };
  return new Promise((resolve) => {
    waiting.set(id, (out) => {
      waiting.delete(id);
      const [reply] = JSON.parse(Buffer.from(out.body).toString()) as [Record<string, unknown>];
      resolve({
        status: reply['statusCode'] as number,
        headers: reply['headers'] as Record<string, string>,
        body: Buffer.from(reply['body'] as string, 'base64').toString(),
      });
    });
    const message = delivery({ http, security: { org } }, { routingKey: key, correlationId: id });
    corridor.accept(message);
  });
}

function transportInto(waiting: Map<string, (out: OutgoingReply) => void>): Transport {
  return {
    async reply(out) {
      waiting.get(out.correlationId ?? '')?.(out);
      return { kind: 'confirmed' };
    },
    park: async () => true,
    consume() {},
    async cancel() {},
    status: () => ({ consuming: true, reason: null, blocked: false }),
    async [Symbol.asyncDispose]() {},
  };
}
