/**
 * The composition root: opens every room in order, hands each what it needs, and closes them in reverse.
 * May import: everything below.
 */
import { join } from 'node:path';

import { buildPrelude } from '#sdk/guest';

import type { Config } from './config.ts';
import type { Binding } from './bindings/binding.ts';
import { createKvBinding } from './bindings/kv/index.ts';
import { createRegistry } from './bindings/registry.ts';
import { openVcloudBindings, VCLOUD_BINDINGS } from './bindings/vcloud-bindings.ts';
import { openBroker, type Broker } from './broker/broker.ts';
import { loadCatalogue, type Catalogue, type PluginState } from './bundles/live/catalogue.ts';
import { openRegistrar, type Registrar } from './bundles/registration/registrar.ts';
import { createDeadlineSignals } from './kernel/deadline-signals.ts';
import { silentLog, type Log } from './kernel/log.ts';
import { createMetrics, type Metrics } from './kernel/metrics.ts';
import { openOperator, type HealthReport } from './operator/server.ts';
import { loadToken } from './operator/token.ts';
import { createAuthority } from './pipeline/authority.ts';
import {
  createAuthorizationCheck,
  type AuthorizationCheck,
} from './pipeline/authorization-check.ts';
import { createCorridor, type Corridor } from './pipeline/corridor.ts';
import { createLimitsBook } from './quotas/limits-book.ts';
import { createMeter } from './quotas/meter.ts';
import { openSandbox } from './sandbox/open.ts';
import type { Sandbox } from './sandbox/sandbox.ts';
import { openMemoryKv } from './storage/memory-kv.ts';
import { loadSeal } from './storage/seal.ts';
import { openDatabase } from './storage/sqlite/database.ts';
import { openSqliteJournal } from './storage/sqlite/journal.ts';
import { openSqliteKv } from './storage/sqlite/kv.ts';
import { createSqliteOpenTasks } from './storage/sqlite/open-tasks.ts';
import { openVcloud, type VcloudClient } from './vcloud/client.ts';
import { createDigestFile } from './vcloud/registration/digests.ts';
import { admissionOptions, brokerOptions, sandboxOptions, vcloudOptions } from './wiring.ts';

export interface Host extends AsyncDisposable {
  readonly operatorUrl: string;
  readonly tokenFile: string;
  health(): HealthReport;
  /** Processes in which guests have run or stand ready to. */
  runnerPids(): number[];
}

/** Used until vCloud's own settings have been read. */
const DEFAULT_REPLY_EXCHANGE = 'vcd.replyExchange';

/** Open the host. Returns when it is set up, not when it is ready: broker and vCloud may be away. Disposing drains. */
export async function openHost(config: Config, { log }: { log: Log }): Promise<Host> {
  await using stack = new AsyncDisposableStack();
  const metrics = createMetrics({ process: true });
  const token = loadToken(config.stateDir);
  const base = { config, log, metrics };
  const store = openStore(stack, base);
  // Before the sandbox, so that they close after it: calls that end with it end their tasks in vCloud.
  const vcloud = stack.use(openVcloudIfConfigured(base));
  const live: Live = { catalogue: null };
  const bindings = createRegistry(openBindings(stack, base, { store, vcloud, live }), base);
  const sandbox = stack.use(await openGuests(base));
  const limits = createLimitsBook(config.quotas);
  const catalogue = await loadCatalogue({
    folders: config.plugins.folders,
    isolation: config.sandbox.isolation,
    bindings: bindings.names,
    limits,
    sandbox,
    log,
  });
  live.catalogue = catalogue;
  const broker = stack.use(await openBroker(brokerOptions(config, catalogue, base)));
  const check = vcloud && createAuthorizationCheck({ client: vcloud, log, metrics });
  const registrar = vcloud && stack.use(register(base, vcloud, { broker, catalogue, check }));

  const corridor = createCorridor({
    ...corridorOptions(base, registrar),
    authority: createAuthority(check),
    transport: broker,
    signals: stack.use(createDeadlineSignals()),
    journal: store.journal,
    meter: createMeter(),
    catalogue: () => catalogue,
    bindings,
    sandbox,
    limits,
  });
  stack.defer(() => drain(broker, corridor, base));
  broker.consume((delivery) => corridor.accept(delivery));

  const rooms: Rooms = { broker, sandbox, catalogue, corridor, registrar };
  const health = () => healthOf(rooms);
  const answers = { token, metrics, health, status: () => statusOf(rooms) };
  const operator = stack.use(await openOperator({ ...config.operator, ...answers }));

  const opened = stack.move();
  return {
    operatorUrl: operator.url,
    tokenFile: token.file,
    health,
    runnerPids: () => sandbox.status().runners.map(({ pid }) => pid),
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  };
}

/** Load every plug-in as `openHost` would, and nothing else. */
export async function checkPlugins(config: Config): Promise<readonly PluginState[]> {
  const base = { config, log: silentLog, metrics: createMetrics() };
  await using kv = openMemoryKv();
  const bindings = createRegistry([createKvBinding(kv)], base);
  await using sandbox = await openGuests(base);
  const catalogue = await loadCatalogue({
    folders: config.plugins.folders,
    isolation: config.sandbox.isolation,
    bindings: [...bindings.names, ...VCLOUD_BINDINGS],
    limits: createLimitsBook(config.quotas),
    sandbox,
    log: silentLog,
  });
  return catalogue.states;
}

/** What nearly every room is given. */
interface Base {
  readonly config: Config;
  readonly log: Log;
  readonly metrics: Metrics;
}

function openStore(stack: AsyncDisposableStack, { config, log }: Base) {
  const database = openDatabase(join(config.stateDir, 'vcx.sqlite'));
  stack.defer(() => database.close());
  const seal = loadSeal(join(config.stateDir, 'journal.key'));
  const journal = stack.use(openSqliteJournal({ database, seal, log }));
  const openTasks = createSqliteOpenTasks(database);
  return { journal, openTasks, kv: stack.use(openSqliteKv(database)) };
}

/** The plug-ins, once they are loaded: bindings are needed before. */
interface Live {
  catalogue: Catalogue | null;
}

function openBindings(
  stack: AsyncDisposableStack,
  { config, log, metrics }: Base,
  parts: { store: ReturnType<typeof openStore>; vcloud: VcloudClient | null; live: Live },
): Binding[] {
  const { store, vcloud, live } = parts;
  const forVcloud = openVcloudBindings({
    client: vcloud,
    openTasks: store.openTasks,
    namespaceOf: (plugin) => namespaceOf(live.catalogue, plugin),
    approved: (plugin) => approvedPaths(config, live.catalogue, plugin),
    log,
    metrics,
  });
  stack.use(forVcloud);
  return [createKvBinding(store.kv), ...forVcloud.bindings];
}

function namespaceOf(catalogue: Catalogue | null, plugin: string): string | null {
  const found = catalogue?.live.find(({ manifest }) => manifest.name === plugin);
  return found?.manifest.vcloud.namespace ?? null;
}

/** What the plug-in wants and the operator allowed, word for word. */
function approvedPaths(config: Config, catalogue: Catalogue | null, plugin: string): string[] {
  const found = catalogue?.live.find(({ manifest }) => manifest.name === plugin);
  const allowed = config.plugins.vcloudPaths[plugin] ?? [];
  return (found?.manifest.vcloudPaths ?? []).filter((path) => allowed.includes(path));
}

async function openGuests({ config, log, metrics }: Base): Promise<Sandbox> {
  const prelude = await buildPrelude();
  return openSandbox({ ...sandboxOptions(config), prelude, log, metrics });
}

function openVcloudIfConfigured({ config, log, metrics }: Base): VcloudClient | null {
  const options = vcloudOptions(config);
  if (!options) log.warn('vcloud.unset', { reason: 'no vcloud.url: rights can not be resolved' });
  return options && openVcloud({ ...options, log, metrics });
}

function register(
  { config, log }: Base,
  client: VcloudClient,
  {
    broker,
    catalogue,
    check,
  }: { broker: Broker; catalogue: Catalogue; check: AuthorizationCheck | null },
): Registrar {
  return openRegistrar({
    client,
    plugins: catalogue.live,
    registration: config.vcloud.registration,
    topologyReady: (signal) => broker.ready(signal),
    digests: createDigestFile(join(config.stateDir, 'registration.json')),
    onChange: () => check?.clear(),
    log,
  });
}

/** Those options of the corridor that come from the configuration and from vCloud. */
function corridorOptions({ config, log, metrics }: Base, registrar: Registrar | null) {
  return {
    log,
    metrics,
    envelope: config.amqp.replyEnvelope,
    parkMs: 5_000,
    decode: {
      maxMessageBytes: config.limits.messageBytes,
      systemOrg: `urn:vcloud:org:${config.vcloud.systemOrgId}`,
    },
    deadlines: { extensionTimeoutMs: config.vcloud.extensionTimeoutMs, marginMs: 300 },
    admission: admissionOptions(config),
    rights: { rightsOf: (plugin: string) => registrar?.rightsOf(plugin) ?? null },
    mayReplyTo: (exchange: string) => allowedReplyExchanges(config, registrar).includes(exchange),
  };
}

function allowedReplyExchanges(config: Config, registrar: Registrar | null): readonly string[] {
  if (config.amqp.replyExchanges.length > 0) return config.amqp.replyExchanges;
  return [registrar?.replyExchange() ?? DEFAULT_REPLY_EXCHANGE];
}

/** No new calls; what was not begun goes back to the broker, what is in flight is finished. Then the rooms close. */
async function drain(broker: Broker, corridor: Corridor, { config, log }: Base): Promise<void> {
  const signal = AbortSignal.timeout(config.drainMs);
  await broker.cancel();
  corridor.close();
  await corridor.idle(signal);
  const { inFlight } = corridor.status();
  if (inFlight > 0) log.warn('host.drained.partly', { inFlight });
}

interface Rooms {
  readonly broker: Broker;
  readonly sandbox: Sandbox;
  readonly catalogue: Catalogue;
  readonly corridor: Corridor;
  readonly registrar: Registrar | null;
}

function healthOf({ broker, sandbox, catalogue, corridor, registrar }: Rooms): HealthReport {
  const transport = broker.status();
  const guests = sandbox.status();
  const failed = catalogue.states.filter((plugin) => plugin.state === 'failed');
  const vcloudProblem = registrar === null ? null : registrar.problem();
  const skew = corridor.status().clockSkewMs;
  const on = (reason: string | null) => ({ ok: reason === null, reason });
  const dependencies = {
    broker: on(transport.reason),
    sandbox: on(guests.ready ? null : (guests.reason ?? 'no runner is ready')),
    vcloud: on(vcloudProblem),
    plugins: on(
      failed.length > 0 ? failed.map(({ name, reason }) => `${name}: ${reason}`).join('; ') : null,
    ),
    clock: on(skew === null ? null : `CLOCK_SKEW: the cells' clocks are ${skew} ms behind ours`),
  };
  // A broken plug-in or a wrong clock is shown, but takes nobody else's calls away.
  const ready = transport.consuming && guests.ready && vcloudProblem === null;
  return { ready, dependencies };
}

function statusOf(rooms: Rooms): unknown {
  return {
    pid: process.pid,
    ...healthOf(rooms),
    corridor: rooms.corridor.status(),
    plugins: rooms.catalogue.states,
    sandbox: rooms.sandbox.status(),
    broker: rooms.broker.status(),
    topology: rooms.broker.topologyReport(),
  };
}
