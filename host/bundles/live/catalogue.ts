/**
 * The plug-ins that are live, and those that could not be loaded.
 * May import: kernel, quotas, sandbox.
 */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';

import { HostError, messageOf } from '../../kernel/errors.ts';
import type { Log } from '../../kernel/log.ts';
import type { HandlerName, Sandbox } from '../../sandbox/sandbox.ts';
import { loadFolder, type FolderOptions, type LoadedPlugin } from './folder.ts';
import { createRouteTable, type RouteMatch } from './routes.ts';

export interface LivePlugin extends LoadedPlugin {
  readonly match: (method: string, path: string) => RouteMatch<null>;
  /** Those that its module has; as the manifest promises when it was not run. */
  readonly handlers: readonly HandlerName[];
}

export interface PluginState {
  readonly name: string;
  readonly version: string | null;
  readonly state: 'live' | 'failed';
  /** Why it could not be loaded. */
  readonly reason: string | null;
  readonly loadMs: number;
}

export interface Catalogue {
  /** The plug-in that holds this service, or null. */
  find(exchange: string, routingKey: string): LivePlugin | null;
  readonly live: readonly LivePlugin[];
  readonly states: readonly PluginState[];
}

export interface CatalogueOptions extends FolderOptions {
  /** Folders that hold one plug-in folder each below them. */
  readonly folders: readonly string[];
  /** Without it bundles are validated and built, but not run. */
  readonly sandbox: Sandbox | null;
  readonly log: Log;
}

const ALL_HANDLERS = ['fetch', 'response', 'notification'] as const;

/** Load every plug-in; a broken one stops only itself. */
export async function loadCatalogue(options: CatalogueOptions): Promise<Catalogue> {
  const live = new Map<string, LivePlugin>();
  const states: PluginState[] = [];
  for (const folder of await pluginFolders(options.folders)) {
    const started = performance.now();
    const name = folder.split('/').at(-1) ?? folder;
    try {
      const plugin = await loadOne(folder, options);
      claim(live, plugin);
      const loadMs = performance.now() - started;
      const { version } = plugin.manifest;
      states.push({ name: plugin.manifest.name, version, state: 'live', reason: null, loadMs });
      options.log.info('plugin.loaded', { plugin: plugin.manifest.name, version, loadMs });
    } catch (error) {
      const reason = messageOf(error);
      const loadMs = performance.now() - started;
      states.push({ name, version: null, state: 'failed', reason, loadMs });
      options.log.error('plugin.failed', { plugin: name, code: 'BUNDLE_INVALID', reason });
    }
  }
  return {
    find: (exchange, routingKey) => live.get(serviceKey(exchange, routingKey)) ?? null,
    live: [...live.values()],
    states,
  };
}

async function loadOne(folder: string, options: CatalogueOptions): Promise<LivePlugin> {
  const plugin = await loadFolder(folder, options);
  const match = createRouteTable([{ target: null, routes: plugin.manifest.routes }]);
  const handlers = options.sandbox ? await options.sandbox.probe(plugin.guest) : ALL_HANDLERS;
  if (plugin.manifest.routes.length > 0 && !handlers.includes('fetch'))
    throw new HostError('BUNDLE_INVALID', 'there are routes, but no `fetch` handler');
  return { ...plugin, match, handlers };
}

/** One plug-in a service: a second claim of a routing key or namespace is refused, naming the holder. */
function claim(live: Map<string, LivePlugin>, plugin: LivePlugin): void {
  const { exchange, routingKey, namespace } = plugin.manifest.vcloud;
  for (const holder of live.values()) {
    const held = holder.manifest.vcloud;
    const what =
      holder.manifest.name === plugin.manifest.name
        ? `the name ${holder.manifest.name}`
        : held.namespace === namespace
          ? `the namespace ${namespace}`
          : held.exchange === exchange && held.routingKey === routingKey
            ? `the routing key ${routingKey} of ${exchange}`
            : null;
    if (what)
      throw new HostError('BUNDLE_INVALID', `${what} is held by ${holder.manifest.name} already`);
  }
  live.set(serviceKey(exchange, routingKey), plugin);
}

function serviceKey(exchange: string, routingKey: string): string {
  return `${exchange}\n${routingKey}`;
}

async function pluginFolders(folders: readonly string[]): Promise<string[]> {
  const found: string[] = [];
  for (const folder of folders) {
    const entries = await readdir(folder, { withFileTypes: true }).catch((error: unknown) => {
      throw new HostError('CONFIG_INVALID', `plugins: ${folder} can not be read`, { cause: error });
    });
    for (const entry of entries)
      if (entry.isDirectory() && !entry.name.startsWith('.') && entry.name !== 'node_modules')
        found.push(join(folder, entry.name));
  }
  return found.sort();
}
