/**
 * The composition root: opens every room in order, hands each what it needs, and closes them in reverse.
 * May import: everything below.
 */
import { join } from 'node:path';

import { buildPrelude } from '#sdk/guest';

import type { Config } from './config.ts';
import { createKvBinding } from './bindings/kv/index.ts';
import { createRegistry } from './bindings/registry.ts';
import { openBroker, type Broker } from './broker/broker.ts';
import { loadCatalogue, type Catalogue, type PluginState } from './bundles/catalogue.ts';
import { openRegistrar, type Registrar } from './bundles/registrar.ts';
import { createDeadlineSignals } from './kernel/deadline-signals.ts';
import { silentLog, type Log } from './kernel/log.ts';
import { createMetrics, type Metrics } from './kernel/metrics.ts';
import { openOperator, type HealthReport } from './operator/server.ts';
import { loadToken } from './operator/token.ts';
import { createCorridor, type Corridor } from './pipeline/corridor.ts';
import { createLimitsBook } from './quotas/limits-book.ts';
import { createMeter } from './quotas/meter.ts';
import { openSandbox } from './sandbox/open.ts';
import type { Sandbox } from './sandbox/sandbox.ts';
import { openMemoryKv } from './storage/memory-kv.ts';
import { loadSeal } from './storage/seal.ts';
import { openDatabase } from './storage/sqlite.ts';
import { openSqliteJournal } from './storage/sqlite-journal.ts';
import { openSqliteKv } from './storage/sqlite-kv.ts';
import { openVcloud, type VcloudClient } from './vcloud/client.ts';
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
  const bindings = createRegistry([createKvBinding(store.kv)], base);
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
  const broker = stack.use(await openBroker(brokerOptions(config, catalogue, base)));
  const vcloud = openVcloudIfConfigured(base);
  if (vcloud) stack.use(vcloud);
  const registrar = vcloud && stack.use(register(config, vcloud, { broker, catalogue, log }));

  const corridor = createCorridor({
    ...corridorOptions(base, registrar),
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
  const status = () => statusOf(rooms);
  const operator = await openOperator({ ...config.operator, token, metrics, health, status });
  stack.use(operator);

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
    bindings: bindings.names,
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
  return { journal, kv: stack.use(openSqliteKv(database)) };
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
  config: Config,
  client: VcloudClient,
  { broker, catalogue, log }: { broker: Broker; catalogue: Catalogue; log: Log },
): Registrar {
  return openRegistrar({
    client,
    plugins: catalogue.live,
    registration: config.vcloud.registration,
    topologyReady: (signal) => broker.ready(signal),
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
    authority: null,
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
