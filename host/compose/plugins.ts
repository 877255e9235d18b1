/**
 * From the configuration to what is loaded: folders, bundles, trust.
 * May import: everything below.
 */
import { buildPrelude } from '#sdk/guest';

import type { PluginState } from '../bundles/live/keeper.ts';
import { createLogbook, type Logbook } from '../bundles/live/logbook.ts';
import { openPlugins, type PluginsOptions } from '../bundles/live/open.ts';
import { readTrust } from '../bundles/trust/trust.ts';
import type { Config } from '../config.ts';
import { HostError } from '../kernel/errors.ts';
import { silentLog } from '../kernel/log.ts';
import { createMetrics } from '../kernel/metrics.ts';
import { createLimitsBook } from '../quotas/limits-book.ts';
import { openSandbox } from '../sandbox/open.ts';
import type { Sandbox } from '../sandbox/sandbox.ts';
import { hostNameOf, type Base } from './base.ts';
import { MANIFEST_BINDINGS } from './bindings.ts';
import { sandboxOptions } from './options.ts';
import { openStore, type Store } from './store.ts';

export interface PluginParts {
  readonly store: Store;
  readonly logbook: Logbook;
  readonly workshop: PluginsOptions['workshop'];
}

export function pluginOptions(
  { config, log, metrics }: Base,
  { store, logbook, workshop }: PluginParts,
): PluginsOptions {
  const { plugins } = config;
  const { trustFile, allowUnsigned } = plugins;
  if (allowUnsigned)
    log.warn('plugins.unsigned', { reason: 'plugins.allowUnsigned: anybody can make a bundle' });
  const trust = () => {
    if (trustFile !== undefined) return readTrust(trustFile);
    throw new HostError(
      'CONFIG_INVALID',
      'plugins.trustFile: missing, so no signature can be trusted; `vcx plugin keygen --trust FILE` makes one',
    );
  };
  return {
    installed: store.installed,
    tenants: store.tenants,
    kv: store.kv,
    policy: { trust, allowUnsigned },
    folders: plugins.folders,
    watchFolders: plugins.watch,
    inbox: plugins.inbox ?? null,
    hostName: hostNameOf(config),
    othersServe: store.cluster !== null,
    workshop,
    logbook,
    log,
    metrics,
  };
}

export async function openGuests({ config, log, metrics }: Base): Promise<Sandbox> {
  const prelude = await buildPrelude();
  return openSandbox({ ...sandboxOptions(config), prelude, log, metrics });
}

/** Load every plug-in as `openHost` would, and nothing else. */
export async function checkPlugins(config: Config): Promise<readonly PluginState[]> {
  await using stack = new AsyncDisposableStack();
  const base = { config, log: silentLog, metrics: createMetrics() };
  const store = await openStore(stack, base);
  const sandbox = stack.use(await openGuests(base));
  const limits = createLimitsBook(config.quotas);
  const bindings = MANIFEST_BINDINGS;
  const workshop = { bindings, limits, isolation: config.sandbox.isolation, sandbox };
  const options = pluginOptions(base, { store, logbook: createLogbook(), workshop });
  const plugins = stack.use(await openPlugins({ ...options, inbox: null, watchFolders: false }));
  return plugins.keeper.states;
}
