/**
 * Opens everything that decides what is live: folders, installed bundles, the inbox; and follows their changes.
 * May import: kernel, storage, sandbox.
 */
import { watch } from 'node:fs';

import { codeOf, HostError, messageOf } from '../../kernel/errors.ts';
import { pause } from '../../kernel/time.ts';
import type { InstalledPlugin } from '../../storage/installed.ts';
import type { PluginAdmin } from '../change/admin.ts';
import { createCatalogue, type Catalogue } from './catalogue.ts';
import { pluginFolders, readFolder } from '../source/folder.ts';
import { openInbox, type Inbox } from '../change/inbox.ts';
import { createKeeper, type Halt, type Keeper, type KeeperOptions } from './keeper.ts';
import { createManager, type ManagerOptions } from '../change/manager.ts';
import type { PluginSource } from './plugin.ts';
import * as records from '../change/record.ts';

export interface PluginsOptions
  extends
    Omit<KeeperOptions, 'catalogue' | 'onHalt' | 'onGone'>,
    Pick<ManagerOptions, 'tenants' | 'kv' | 'logbook'> {
  readonly tenants: ManagerOptions['tenants'];
  /** Folders of plug-ins, or that hold such. */
  readonly folders: readonly string[];
  /** Reload a folder when a file in it changes. */
  readonly watchFolders: boolean;
  /** Folder for bundles, or null. */
  readonly inbox: string | null;
  /** Whether there are other hosts on the same queues. */
  readonly othersServe: boolean;
  /** Of this host, for others to read why a roll-out stopped. */
  readonly hostName: string;
}

export interface Plugins extends AsyncDisposable {
  readonly catalogue: Catalogue;
  readonly keeper: Keeper;
  readonly admin: PluginAdmin;
  readonly inbox: Inbox | null;
}

/** How often pins, which other hosts may change, are compared with what is loaded, ms. */
const PINS_MS = 1_000;

/** Loads all there is; a broken plug-in stops only itself. Throws CONFIG_INVALID for folders that can't be read. */
export async function openPlugins(options: PluginsOptions): Promise<Plugins> {
  await using stack = new AsyncDisposableStack();
  const { othersServe } = options;
  const catalogue = createCatalogue(options.tenants, { othersServe });
  const onHalt = (record: InstalledPlugin, why: Halt) => halt(options, record, why);
  const onGone = (plugin: string) => options.logbook.forget(plugin);
  const keeper = stack.use(createKeeper({ ...options, catalogue, onHalt, onGone }));
  const admin = createManager({ ...options, catalogue, keeper });
  for (const folder of await pluginFolders(options.folders)) {
    await loadFolder({ keeper, catalogue }, folder, options);
    if (options.watchFolders) stack.use(watchFolder({ keeper, catalogue }, folder, options));
  }
  await keeper.settleAll();
  stack.use(follow(options, keeper));
  const inbox =
    options.inbox === null
      ? null
      : stack.use(await openInbox({ folder: options.inbox, admin, log: options.log }));
  const opened = stack.move();
  return {
    catalogue,
    keeper,
    admin,
    inbox,
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  };
}

/** Load one folder in place of what it held before; what can't be loaded leaves that in place. */
async function loadFolder(
  { keeper, catalogue }: Pick<Plugins, 'keeper' | 'catalogue'>,
  folder: string,
  { log, tenants, installed }: Pick<PluginsOptions, 'log' | 'tenants' | 'installed'>,
): Promise<void> {
  const started = performance.now();
  const loadMs = () => performance.now() - started;
  let name = folder.split('/').at(-1) ?? folder;
  let source: PluginSource | null = null;
  try {
    source = await readFolder(folder);
    ({ name } = source.manifest);
    if (await installed.get(name))
      throw new HostError(
        'BUNDLE_NAME_TAKEN',
        `${name} is installed as a bundle; remove that first`,
      );
    const { version, tenants: who } = source.manifest;
    const orgs = who === 'all' ? ('all' as const) : [];
    await tenants.adopt(name, { owner: 'provider', orgs }, 'folder');
    keeper.place(await keeper.prepare(source));
    keeper.note({ name, version, state: 'live', reason: null, loadMs: loadMs() });
    log.info('plugin.loaded', { plugin: name, version, loadMs: loadMs() });
  } catch (error) {
    const reason = messageOf(error);
    const before = keeper.states.find((state) => state.name === name && state.state === 'live');
    const version = before?.version ?? null;
    keeper.note({ name, version, state: before ? 'live' : 'failed', reason, loadMs: loadMs() });
    // Calls that come for it get an answer; a name or service that another holds stays theirs.
    const taken = codeOf(error) === 'BUNDLE_NAME_TAKEN';
    if (source && !taken && source.manifest.extends === undefined)
      catalogue.reserve(name, {
        address: source.manifest.vcloud,
        version: source.manifest.version,
      });
    log.error('plugin.failed', { plugin: name, code: codeOf(error), reason });
  }
}

/** Editors save in several steps: a change is acted on when nothing came after it for a moment. */
const QUIET_MS = 50;

function watchFolder(
  parts: Pick<Plugins, 'keeper' | 'catalogue'>,
  folder: string,
  options: PluginsOptions,
): AsyncDisposable {
  let timer: NodeJS.Timeout | undefined;
  let loading = Promise.resolve();
  // Installed packages are thousands of files: they are not even listened to.
  const ignore = /(?:^|\/)(?:node_modules|\.[^/]*)(?:\/|$)/;
  const watcher = watch(folder, { recursive: true, ignore }, () => {
    clearTimeout(timer);
    timer = setTimeout(() => {
      loading = loading.then(() => loadFolder(parts, folder, options));
    }, QUIET_MS);
  });
  watcher.on('error', (error) => {
    options.log.warn('plugin.unwatched', { folder, reason: messageOf(error) });
  });
  return {
    async [Symbol.asyncDispose]() {
      watcher.close();
      clearTimeout(timer);
      await loading;
    },
  };
}

/** Records and pins that other processes changed, and what could not be loaded for a reason that passes. */
function follow({ installed, tenants, log }: PluginsOptions, keeper: Keeper): AsyncDisposable {
  const stopped = new AbortController();
  let work = Promise.resolve();
  const settleAll = () => {
    work = work
      .then(() => keeper.settleAll())
      .catch((error: unknown) => log.error('plugins.settle', { reason: messageOf(error) }));
  };
  const watching = installed.watch(settleAll);
  const pinsOf = async () => {
    const list = await installed.list();
    return JSON.stringify(
      list.map(({ plugin }) =>
        tenants.orgsOf(plugin).map((org) => tenants.view(plugin, org).version),
      ),
    );
  };
  async function comparePins(): Promise<void> {
    let known = await pinsOf().catch(() => '');
    while (!stopped.signal.aborted) {
      await pause(PINS_MS, stopped.signal);
      const now = await pinsOf().catch(() => known);
      if (now !== known) settleAll();
      known = now;
      await keeper.settleAgain();
    }
  }
  const comparing = comparePins();
  return {
    async [Symbol.asyncDispose]() {
      watching[Symbol.dispose]();
      stopped.abort();
      await comparing;
      await work;
    },
  };
}

/** A version that can't run here must not go on to the next host: the one before is put back for all. */
async function halt(
  { installed, hostName, log }: PluginsOptions,
  record: InstalledPlugin,
  { reason, back: version }: Halt,
): Promise<void> {
  const back = records.haltedAt(record, { host: hostName, reason, back: version });
  if (back && (await installed.save(back)) !== null)
    log.error('plugin.halted', { plugin: record.plugin, version: record.current, reason });
}
