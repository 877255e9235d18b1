/**
 * The host services that plug-ins may be granted.
 * May import: everything below.
 */
import { readFileSync } from 'node:fs';

import type { Binding } from '../bindings/binding.ts';
import {
  openNotificationBindings,
  type NotificationBindings,
} from '../bindings/blocking-task/open.ts';
import { createFetchBinding } from '../bindings/fetch/index.ts';
import type { FetchOptions } from '../bindings/fetch/index.ts';
import { createKvBinding } from '../bindings/kv/index.ts';
import { createSecretsBinding } from '../bindings/secrets/index.ts';
import { openVcloudBindings, VCLOUD_BINDINGS } from '../bindings/vcloud-bindings.ts';
import type { Manifest } from '../bundles/manifest/manifest.ts';
import type { Config } from '../config.ts';
import { HostError } from '../kernel/errors.ts';
import type { VcloudClient } from '../vcloud/client.ts';
import type { Base } from './base.ts';
import type { Store } from './store.ts';

/** What manifests may name; the others come with the event in hand, and with nothing else. */
export const MANIFEST_BINDINGS: readonly string[] = ['kv', 'secrets', 'fetch', ...VCLOUD_BINDINGS];

export interface BindingParts {
  readonly store: Store;
  readonly vcloud: VcloudClient | null;
  /** The plug-ins, once they are loaded: bindings are needed before. Null for what is not loaded. */
  readonly manifestOf: (plugin: string, version: string | null) => Manifest | null;
  /** Port of the operator endpoint, once it listens. */
  readonly operatorPort: () => number;
}

export interface HostBindings {
  readonly all: readonly Binding[];
  /** What a delivery of a notification needs of them. */
  readonly notifications: NotificationBindings;
}

export function openBindings(
  stack: AsyncDisposableStack,
  { config, log, metrics }: Base,
  { store, vcloud, manifestOf, operatorPort }: BindingParts,
): HostBindings {
  const maySweep = () => store.cluster?.cleaner.held ?? true;
  const forVcloud = openVcloudBindings({
    client: vcloud,
    openTasks: store.openTasks,
    namespaceOf: (plugin) => manifestOf(plugin, null)?.vcloud.namespace ?? null,
    approved: (plugin) => approvedPaths(config, manifestOf(plugin, null)),
    maySweep,
    log,
    metrics,
  });
  stack.use(forVcloud);
  const fetching = createFetchBinding({
    addresses: config.fetch.addresses,
    forbidden: () => ownServers(config, operatorPort()),
    grantOf: (plugin, version) => manifestOf(plugin, version)?.fetch ?? null,
    ...certificateAuthorities(config),
    log,
  });
  const notifications = stack.use(
    openNotificationBindings({ client: vcloud, store: store.openBlocking, maySweep, log, metrics }),
  );
  const all = [
    createKvBinding(store.kv),
    createSecretsBinding(store.tenants, { log }),
    fetching,
    ...forVcloud.bindings,
    ...notifications.bindings,
  ];
  return { all, notifications };
}

/** What the plug-in wants and the operator allowed, word for word. */
function approvedPaths(config: Config, manifest: Manifest | null): string[] {
  if (!manifest) return [];
  const { vcloudPaths } = config.plugins;
  // `constructor` is a name that a plug-in may have.
  const allowed = Object.hasOwn(vcloudPaths, manifest.name) ? vcloudPaths[manifest.name] : null;
  if (!allowed) return [];
  return manifest.vcloudPaths.filter((path) => allowed.includes(path));
}

const DEFAULT_PORTS: Readonly<Record<string, number>> = {
  'http:': 80,
  'https:': 443,
  'amqp:': 5_672,
  'amqps:': 5_671,
  'nats:': 4_222,
  'tls:': 4_222,
};

/** The cell, the brokers, NATS and the operator endpoint: no plug-in may ever fetch from them. */
export function ownServers(
  { vcloud, amqp, operator, cluster }: Pick<Config, 'vcloud' | 'amqp' | 'operator' | 'cluster'>,
  operatorPort: number,
) {
  const all = [vcloud.url, amqp.url, ...amqp.urls, ...cluster.servers];
  const urls = all.filter((url) => url !== undefined);
  const servers = urls.map((text) => {
    const { hostname, port, protocol } = new URL(text);
    return { host: hostname, port: port === '' ? (DEFAULT_PORTS[protocol] ?? 0) : Number(port) };
  });
  return [...servers, { host: operator.host, port: operatorPort }];
}

function certificateAuthorities({ fetch }: Config): Pick<FetchOptions, 'ca'> {
  if (fetch.caFile === undefined) return {};
  try {
    return { ca: [readFileSync(fetch.caFile, 'utf8')] };
  } catch (error) {
    throw new HostError('CONFIG_INVALID', 'fetch.caFile: the file can not be read', {
      cause: error,
    });
  }
}
