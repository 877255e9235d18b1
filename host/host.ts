/**
 * The composition root: opens every room in order, hands each what it needs, and closes them in reverse.
 * May import: everything below.
 */
import { createRegistry } from './bindings/registry.ts';
import { openBroker } from './broker/broker.ts';
import type { Keeper } from './bundles/live/keeper.ts';
import { createLogbook, type Logbook } from './bundles/live/logbook.ts';
import { openPlugins } from './bundles/live/open.ts';
import type { Base } from './compose/base.ts';
import { followCluster } from './compose/cluster-report.ts';
import { MANIFEST_BINDINGS, openBindings } from './compose/bindings.ts';
import { openCorridors } from './compose/corridors.ts';
import { followCatalogue } from './compose/follow.ts';
import { healthOf, statusOf, type Rooms } from './compose/health.ts';
import { brokerOptions } from './compose/options.ts';
import { openGuests, pluginOptions } from './compose/plugins.ts';
import { openStore, type Store } from './compose/store.ts';
import { holdOperations, openVcloudIfConfigured, register } from './compose/vcloud-side.ts';
import type { Config } from './config.ts';
import type { Log } from './kernel/log.ts';
import { createMetrics } from './kernel/metrics.ts';
import { openOperator, type HealthReport } from './operator/server.ts';
import { loadToken } from './operator/token.ts';
import { writeOperatorUrl } from './operator/url-file.ts';
import { createAuthorizationCheck } from './pipeline/authorization/check.ts';
import { createLimitsBook } from './quotas/limits-book.ts';

export interface Host extends AsyncDisposable {
  readonly operatorUrl: string;
  readonly tokenFile: string;
  readonly logbook: Logbook;
  health(): HealthReport;
  /** Processes in which guests have run or stand ready to. */
  runnerPids(): number[];
}

export interface HostOptions {
  readonly log: Log;
  /** Ends the wait for NATS, which a host that has others can't be opened without. */
  readonly stop?: AbortSignal;
}

/** Open the host. Returns when it is set up, not when it is ready: broker and vCloud may be away. Disposing drains. */
export async function openHost(config: Config, { log, stop }: HostOptions): Promise<Host> {
  await using stack = new AsyncDisposableStack();
  const metrics = createMetrics({ process: true });
  const token = loadToken(config.stateDir);
  const base = { config, log, metrics, stop };
  const store = await openStore(stack, base);
  const logbook = createLogbook();
  const guests = await openGuestSide(stack, base, { store, logbook });
  const { vcloud, plugins, sandbox } = guests;
  const { catalogue } = plugins;
  const { cluster } = store;
  const broker = stack.use(
    await openBroker(brokerOptions(config, catalogue.services, { ...base, ...store })),
  );
  const check = vcloud && createAuthorizationCheck({ client: vcloud, log, metrics });
  const registrar =
    vcloud && stack.use(register(base, vcloud, { broker, plugins, check, cluster }));
  stack.use(followCatalogue({ catalogue, broker, registrar, log }));
  const parts = { ...guests, store, broker, logbook, check, registrar };
  const corridors = openCorridors(stack, base, parts);
  const held = vcloud && stack.use(holdOperations(base, vcloud, { broker, plugins, cluster }));
  stack.use(catalogue.watch(() => held?.refresh()));
  const { keeper } = plugins;
  if (cluster) stack.use(followCluster(cluster, { keeper, registrar, held, log }));

  const rooms: Rooms = { broker, sandbox, plugins, ...corridors, registrar, held, cluster };
  const health = () => healthOf(rooms);
  const status = () => statusOf(rooms);
  const { admin } = plugins;
  const own = { token, tokens: store.tokens, admin, logbook, log, metrics, cluster };
  const events = {
    parked: broker.events.parked,
    status: () => broker.events.status(),
    changes: store.tenants.changes,
  };
  const answers = { ...own, events, health, status };
  const operator = stack.use(await openOperator({ ...config.operator, ...answers }));
  guests.setOperatorPort(Number(new URL(operator.url).port));
  stack.use(writeOperatorUrl(config.stateDir, operator.url));

  const opened = stack.move();
  return {
    operatorUrl: operator.url,
    tokenFile: token.file,
    logbook,
    health,
    runnerPids: () => sandbox.status().runners.map(({ pid }) => pid),
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  };
}

/** Sandbox, bindings and the plug-ins in them: all that works without a broker. */
async function openGuestSide(
  stack: AsyncDisposableStack,
  base: Base,
  { store, logbook }: { store: Store; logbook: Logbook },
) {
  const { config } = base;
  // Before the sandbox, so that they close after it: calls that end with it end their tasks in vCloud.
  const vcloud = stack.use(openVcloudIfConfigured(base));
  const later: Later = { keeper: null, operatorPort: config.operator.port };
  const { all, notifications } = openBindings(stack, base, {
    store,
    vcloud,
    manifestOf: (plugin, version) => later.keeper?.manifestOf(plugin, version) ?? null,
    operatorPort: () => later.operatorPort,
  });
  const bindings = createRegistry(all, base);
  const sandbox = stack.use(await openGuests(base));
  const limits = createLimitsBook(config.quotas);
  const { isolation } = config.sandbox;
  const workshop = { bindings: MANIFEST_BINDINGS, limits, isolation, sandbox };
  const plugins = stack.use(await openPlugins(pluginOptions(base, { store, logbook, workshop })));
  later.keeper = plugins.keeper;
  const setOperatorPort = (port: number) => {
    later.operatorPort = port;
  };
  return { vcloud, bindings, notifications, sandbox, limits, plugins, setOperatorPort };
}

/** What rooms below need of rooms that are opened after them. */
interface Later {
  keeper: Keeper | null;
  operatorPort: number;
}
