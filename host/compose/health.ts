/**
 * What the host says of itself: ready or not, and why.
 * May import: everything below.
 */
import type { Broker } from '../broker/broker.ts';
import type { Plugins } from '../bundles/live/open.ts';
import type { HeldOperations } from '../bundles/registration/held-operations.ts';
import type { Registrar } from '../bundles/registration/registrar.ts';
import type { HealthReport } from '../operator/server.ts';
import type { Corridor } from '../pipeline/corridor.ts';
import type { EventCorridor } from '../pipeline/notifications/corridor.ts';
import type { Sandbox } from '../sandbox/sandbox.ts';

import type { Cluster } from './cluster.ts';

export interface Rooms {
  readonly broker: Broker;
  readonly sandbox: Sandbox;
  readonly plugins: Plugins;
  readonly corridor: Corridor;
  readonly events: EventCorridor;
  readonly registrar: Registrar | null;
  readonly held: HeldOperations | null;
  /** Null when this host works alone. */
  readonly cluster: Cluster | null;
}

export function healthOf({
  broker,
  sandbox,
  plugins,
  corridor,
  registrar,
  held,
  cluster,
}: Rooms): HealthReport {
  const transport = transportOf(broker, plugins);
  const guests = sandbox.status();
  const vcloudProblem = registrar === null ? null : registrar.problem();
  const skew = corridor.status().clockSkewMs;
  const on = (reason: string | null) => ({ ok: reason === null, reason });
  const dependencies = {
    broker: on(transport.reason),
    sandbox: on(guests.ready ? null : (guests.reason ?? 'no runner is ready')),
    vcloud: on(vcloudProblem),
    plugins: on(pluginProblem(plugins)),
    ...(cluster ? { cluster: on(cluster.reason()) } : {}),
    notifications: on(broker.events.status().reason ?? held?.problem() ?? null),
    clock: on(skew === null ? null : `CLOCK_SKEW: the cells' clocks are ${skew} ms behind ours`),
  };
  // A broken plug-in or a wrong clock is shown, but takes nobody else's calls away.
  const ready = transport.consuming && guests.ready && vcloudProblem === null;
  return { ready, dependencies };
}

/** A host without any service has nothing to consume, and is as ready as can be once the broker answers. */
function transportOf(broker: Broker, { catalogue }: Plugins) {
  const { consuming, reason, connections } = broker.status();
  if (catalogue.services.length > 0) return { consuming, reason };
  const away = connections.consume ?? connections.publish;
  return { consuming: away === null, reason: away };
}

/** Of plug-ins that are not live, or not in the version that they should be; and of files in the inbox. */
function pluginProblem({ keeper, inbox }: Plugins): string | null {
  const lines = [
    ...keeper.states.flatMap(({ name, reason }) => (reason === null ? [] : [`${name}: ${reason}`])),
    ...(inbox?.problems() ?? []).map(({ file, code, reason }) => `${file}: ${code}: ${reason}`),
  ];
  return lines.length > 0 ? lines.join('; ') : null;
}

export function statusOf(rooms: Rooms): unknown {
  return {
    pid: process.pid,
    ...healthOf(rooms),
    corridor: rooms.corridor.status(),
    notifications: { ...rooms.events.status(), ...rooms.broker.events.status() },
    plugins: rooms.plugins.keeper.states,
    sandbox: rooms.sandbox.status(),
    cluster: rooms.cluster?.status() ?? null,
    broker: rooms.broker.status(),
    topology: rooms.broker.topologyReport(),
  };
}
