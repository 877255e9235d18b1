/**
 * What works on vCloud itself: the client, the registrar, the operations that are held.
 * May import: everything below.
 */
import { join } from 'node:path';

import type { Broker } from '../broker/broker.ts';
import type { Plugins } from '../bundles/live/open.ts';
import {
  openHeldOperations,
  type HeldOperations,
} from '../bundles/registration/held-operations.ts';
import { openRegistrar, type Registrar } from '../bundles/registration/registrar.ts';
import type { AuthorizationCheck } from '../pipeline/authorization/check.ts';
import { openVcloud, type VcloudClient } from '../vcloud/client.ts';
import { createDigestFile } from '../vcloud/registration/digests.ts';
import type { Cluster } from './cluster.ts';
import type { Base } from './base.ts';
import { vcloudOptions } from './options.ts';

export function openVcloudIfConfigured({ config, log, metrics }: Base): VcloudClient | null {
  const options = vcloudOptions(config);
  if (!options) log.warn('vcloud.unset', { reason: 'no vcloud.url: rights can not be resolved' });
  return options && openVcloud({ ...options, log, metrics });
}

export interface RegisterParts {
  readonly broker: Broker;
  readonly plugins: Plugins;
  readonly check: AuthorizationCheck | null;
  /** Null when this host works alone. */
  readonly cluster: Cluster | null;
}

export function register(
  { config, log }: Base,
  client: VcloudClient,
  { broker, plugins, check, cluster }: RegisterParts,
): Registrar {
  return openRegistrar({
    client,
    plugins: () => plugins.catalogue.live,
    mayRegister: () => config.vcloud.registration === 'auto' && (cluster?.registrar.held ?? true),
    topologyReady: async (signal) => {
      if (plugins.catalogue.services.length > 0) await broker.ready(signal);
    },
    digests: createDigestFile(join(config.stateDir, 'registration.json')),
    onChange: () => check?.clear(),
    log,
  });
}

/** Null where the operator does the registration. */
export function holdOperations(
  { config, log }: Base,
  client: VcloudClient,
  { broker, plugins, cluster }: Omit<RegisterParts, 'check'>,
): HeldOperations | null {
  if (config.vcloud.registration === 'off') return null;
  return openHeldOperations({
    client,
    // Of several hosts the registrar sees to it.
    plugins: () => ((cluster?.registrar.held ?? true) ? plugins.catalogue.live : []),
    timeouts: config.vcloud.blockingTasks,
    unheard: () => broker.events.status().reason,
    log,
  });
}
