/**
 * The two corridors, for calls and for notifications, between the broker and the plug-ins.
 * May import: everything below.
 */
import { createConfigs } from '../bindings/config/index.ts';
import type { NotificationBindings } from '../bindings/blocking-task/open.ts';
import type { BindingRegistry } from '../bindings/registry.ts';
import type { Broker } from '../broker/broker.ts';
import type { Logbook } from '../bundles/live/logbook.ts';
import type { Plugins } from '../bundles/live/open.ts';
import type { Registrar } from '../bundles/registration/registrar.ts';
import type { Config } from '../config.ts';
import { createDeadlineSignals } from '../kernel/deadline-signals.ts';
import { createAuthority } from '../pipeline/authorization/authority.ts';
import type { AuthorizationCheck } from '../pipeline/authorization/check.ts';
import { createCorridor, type Corridor } from '../pipeline/corridor.ts';
import { createEventCorridor, type EventCorridor } from '../pipeline/notifications/corridor.ts';
import type { LimitsBook } from '../quotas/limits-book.ts';
import { createMeter } from '../quotas/meter.ts';
import type { Sandbox } from '../sandbox/sandbox.ts';
import type { Base } from './base.ts';
import { followSubscriptions } from './events.ts';
import { admissionOptions } from './options.ts';
import type { Store } from './store.ts';

export interface CorridorParts {
  readonly store: Store;
  readonly broker: Broker;
  readonly plugins: Plugins;
  readonly bindings: BindingRegistry;
  readonly notifications: NotificationBindings;
  readonly sandbox: Sandbox;
  readonly limits: LimitsBook;
  readonly logbook: Logbook;
  readonly check: AuthorizationCheck | null;
  readonly registrar: Registrar | null;
}

export interface Corridors {
  readonly corridor: Corridor;
  readonly events: EventCorridor;
}

/** Used until vCloud's own settings have been read. */
const DEFAULT_REPLY_EXCHANGE = 'vcd.replyExchange';

/** Calls and events are taken from now on; closing the stack drains them. */
export function openCorridors(
  stack: AsyncDisposableStack,
  base: Base,
  parts: CorridorParts,
): Corridors {
  const { config, log, metrics } = base;
  const { store, broker, plugins, bindings, sandbox, logbook, limits } = parts;
  const { catalogue } = plugins;
  const shared = {
    journal: store.journal,
    tenants: store.tenants,
    configs: createConfigs(store.tenants),
    meter: createMeter(),
    catalogue: () => catalogue,
    bindings,
    sandbox,
    logbook,
    limits,
    metrics,
    log,
  };
  const corridor = createCorridor({
    ...shared,
    ...corridorOptions(config, parts.registrar),
    authority: createAuthority(parts.check),
    transport: broker,
    signals: stack.use(createDeadlineSignals()),
  });
  const { notifications: forEvents } = parts;
  const { handledEvents } = store;
  const events = createEventCorridor({ ...shared, handledEvents, notifications: forEvents });
  stack.defer(() => drain(base, { broker, corridor, events }));
  broker.consume((delivery) => corridor.accept(delivery));
  broker.events.consume((delivery) => events.accept(delivery));
  const { tenants } = store;
  const { notifications } = config;
  const { keeper } = plugins;
  const { installed } = store;
  const follow = { catalogue, keeper, installed, tenants, notifications, broker, log };
  stack.use(followSubscriptions(follow));
  return { corridor, events };
}

/** Those options of the corridor that come from the configuration and from vCloud. */
function corridorOptions(config: Config, registrar: Registrar | null) {
  return {
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

interface Draining extends Corridors {
  readonly broker: Broker;
}

/** No new calls; what was not begun goes back to the broker, what is in flight is finished. Then the rooms close. */
async function drain({ config, log }: Base, { broker, corridor, events }: Draining): Promise<void> {
  const signal = AbortSignal.timeout(config.drainMs);
  await Promise.all([broker.cancel(), broker.events.cancel()]);
  corridor.close();
  events.close();
  await Promise.all([corridor.idle(signal), events.idle(signal)]);
  const { inFlight } = corridor.status();
  if (inFlight > 0) log.warn('host.drained.partly', { inFlight });
}
