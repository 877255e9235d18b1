/**
 * Plug-ins come and go while traffic flows: queues are consumed and services registered for those that are live.
 * May import: everything below.
 */
import type { Broker } from '../broker/broker.ts';
import type { Catalogue, ServiceAddress } from '../bundles/live/catalogue.ts';
import type { Registrar } from '../bundles/registration/registrar.ts';
import { messageOf } from '../kernel/errors.ts';
import type { Log } from '../kernel/log.ts';

export interface FollowOptions {
  readonly catalogue: Catalogue;
  readonly broker: Broker;
  readonly registrar: Registrar | null;
  readonly log: Log;
}

/** Until disposed. */
export function followCatalogue({ catalogue, broker, registrar, log }: FollowOptions): Disposable {
  /** A service that was consumed once is consumed until the end: a late call gets its 404, not silence. */
  const services = new Map<string, ServiceAddress>();
  const add = () => {
    const before = services.size;
    for (const { exchange, routingKey } of catalogue.services)
      services.set(JSON.stringify([exchange, routingKey]), { exchange, routingKey });
    return services.size > before;
  };
  add();
  return catalogue.watch(() => {
    if (!add()) return registrar?.refresh();
    broker
      .setServices([...services.values()])
      .then(() => registrar?.refresh())
      .catch((error: unknown) => log.error('plugins.services', { reason: messageOf(error) }));
  });
}
