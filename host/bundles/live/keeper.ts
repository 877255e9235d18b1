/**
 * Keeps what is live in step with what is installed: loads, swaps in one step, lets the old versions go.
 * May import: kernel, storage, sandbox.
 */
import { codeOf, HostError, messageOf } from '../../kernel/errors.ts';
import type { Log } from '../../kernel/log.ts';
import type { Metrics } from '../../kernel/metrics.ts';
import type { InstalledPlugin, InstalledStore } from '../../storage/installed.ts';
import type { TenantStore } from '../../storage/tenants.ts';
import type { TrustPolicy } from '../source/bundle.ts';
import type { Catalogue } from './catalogue.ts';
import { createLoader, type Loader } from './loader.ts';
import type { LivePlugin, PluginSource, Workshop } from './plugin.ts';
import { pinsOf } from '../change/record.ts';
import { createRetiring, type Retiring } from './retiring.ts';
import { assemble, sameShelf, versionsOf, type Loaded, type Shelf } from './shelf.ts';
import type { Manifest } from '../manifest/manifest.ts';
import { createTurns } from './turns.ts';
import { manifestOf } from './kept.ts';

export interface PluginState {
  readonly name: string;
  readonly version: string | null;
  readonly state: 'live' | 'failed' | 'waiting' | 'disabled';
  /** Why it, or a version of it, could not be loaded. */
  readonly reason: string | null;
  readonly loadMs: number;
}

/** The version that should be current can't run here. */
export interface Halt {
  readonly reason: string;
  /** The version that goes on in its place. */
  readonly back: string;
}

export interface KeeperOptions {
  readonly installed: InstalledStore;
  readonly tenants: Pick<TenantStore, 'view' | 'orgsOf'>;
  readonly catalogue: Catalogue;
  readonly workshop: Workshop;
  readonly policy: TrustPolicy;
  readonly log: Log;
  readonly metrics: Metrics;
  /** A plug-in that was removed, here or by another host, has ended its last call. */
  readonly onGone?: (plugin: string) => void;
  readonly onHalt?: (record: InstalledPlugin, halt: Halt) => Promise<void>;
}

export interface Keeper extends AsyncDisposable {
  /** Bring one plug-in in line with its record; resolves when that was tried. Never throws. Of one that was removed the last calls are awaited. */
  settle(plugin: string): Promise<void>;
  /** Bring all in line. */
  settleAll(): Promise<void>;
  /** Try again what failed for reasons of this host, which pass. */
  settleAgain(): Promise<void>;
  /** Load these bytes without making them live, so that `settle` finds them ready. Throws BUNDLE_*. */
  prepare(source: PluginSource): Promise<LivePlugin>;
  /** The same for a version of a record. Throws BUNDLE_*, PLUGIN_UNKNOWN or STORE_BLOB_ALTERED. */
  load(record: InstalledPlugin, version: string): Promise<LivePlugin>;
  /** Make what a folder of the configuration holds live, in place of what it held before. Throws BUNDLE_*. */
  place(plugin: LivePlugin): void;
  /** Resolves once no call is under way in a version of the plug-in that is not live any more. */
  drained(plugin: string): Promise<void>;
  /**
   * Of a version that was loaded lately, live or not, since calls under way may still need it. Null as version: of
   * the current one.
   */
  manifestOf(plugin: string, version: string | null): Manifest | null;
  note(state: PluginState): void;
  readonly states: readonly PluginState[];
}

export function createKeeper(options: KeeperOptions): Keeper {
  return new LiveKeeper(options);
}

class LiveKeeper implements Keeper {
  readonly #options: KeeperOptions;
  readonly #loader: Loader;
  readonly #states = new Map<string, PluginState>();
  readonly #turns = createTurns();
  readonly #retiring: Retiring;
  /** By plug-in: what was brought in line without any problem, so that it is not read again for nothing. */
  readonly #settled = new Map<string, string>();
  readonly #again = new Set<string>();

  constructor(options: KeeperOptions) {
    this.#options = options;
    this.#retiring = createRetiring(options.workshop.sandbox, options.log);
    this.#loader = createLoader({ ...options, live: (name) => this.#live(name) });
  }

  get states(): readonly PluginState[] {
    const states = [...this.#states.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
    return states.map((state) => this.#shown(state));
  }

  note(state: PluginState): void {
    this.#states.set(state.name, state);
  }

  manifestOf(plugin: string, version: string | null): Manifest | null {
    const shelf = this.#options.catalogue.shelf(plugin);
    if (version === null) return shelf?.current?.manifest ?? null;
    const live = this.#live(plugin).find(({ manifest }) => manifest.version === version);
    return (live ?? this.#loader.find(plugin, version))?.manifest ?? null;
  }

  prepare(source: PluginSource): Promise<LivePlugin> {
    return this.#loader.prepare(source);
  }

  load(record: InstalledPlugin, version: string): Promise<LivePlugin> {
    return this.#loader.load(record, version);
  }

  place(plugin: LivePlugin): void {
    const { name } = plugin.manifest;
    this.#swap(name, { name, current: plugin, pinned: new Map() });
  }

  drained(plugin: string): Promise<void> {
    return this.#retiring.drained(plugin);
  }

  settle(plugin: string): Promise<void> {
    return this.#turns.run(plugin, () => this.#settleNow(plugin));
  }

  async settleAll(): Promise<void> {
    const records = await this.#options.installed.list();
    const names = new Set(records.map(({ plugin }) => plugin));
    // Removed by another host. What a folder holds has no record.
    for (const name of this.#options.catalogue.names) names.add(name);
    for (const name of this.#settled.keys()) names.add(name);
    await Promise.all([...names].map((name) => this.settle(name)));
  }

  async settleAgain(): Promise<void> {
    await Promise.all([...this.#again].map((name) => this.settle(name)));
  }

  async #settleNow(name: string): Promise<void> {
    const { installed, catalogue, log } = this.#options;
    this.#again.delete(name);
    try {
      const record = await installed.get(name);
      const folder = catalogue.shelf(name)?.current?.source === 'folder';
      if (record && folder)
        throw new HostError(
          'BUNDLE_NAME_TAKEN',
          `${name} is source in a folder, and installed too`,
        );
      if (record) await this.#follow(record);
      // What a folder failed to load has a state and nothing else.
      else if (!folder && this.#settled.delete(name)) await this.#remove(name);
    } catch (error) {
      log.error('plugin.settle', { plugin: name, code: codeOf(error), reason: messageOf(error) });
      this.#noteTrouble(name, error);
    }
  }

  async #remove(name: string): Promise<void> {
    this.#swap(name, null);
    this.#states.delete(name);
    await this.#retiring.drained(name);
    this.#loader.forget(name);
    this.#options.onGone?.(name);
  }

  /** What can be loaded of the record goes live; what can't leaves what was live in its place. */
  async #follow(record: InstalledPlugin): Promise<void> {
    const { plugin: name, current: wanted } = record;
    const pins = pinsOf(this.#options.tenants, record);
    const mark = JSON.stringify([record.revision, ...pins]);
    if (this.#settled.get(name) === mark) return;
    this.#settled.set(name, '');
    const started = performance.now();
    if (!record.enabled || wanted === null) {
      this.#swap(name, null);
      const state = record.enabled ? 'waiting' : 'disabled';
      this.#states.set(name, { name, version: wanted, state, reason: null, loadMs: 0 });
      this.#settled.set(name, mark);
      await this.#reserve(record, null);
      return;
    }
    const current = await this.#load(record, wanted);
    const pinned: Loaded[] = [];
    for (const pin of pins) if (pin !== wanted) pinned.push(await this.#load(record, pin));
    await this.#warm(name, current);
    // What was put back while it loaded, as when another host can't run it, must not go live after that.
    if ((await this.#options.installed.get(name))?.revision !== record.revision)
      return this.#settleNow(name);
    // Nothing may come between this look at what others hold and the swap.
    const loaded = {
      current: this.#claimed(current),
      pinned: pinned.map((pin) => this.#claimed(pin)),
    };
    const { shelf, problems } = assemble(name, this.#options.catalogue.shelf(name), loaded);
    this.#swap(name, shelf);
    this.#states.set(name, {
      name,
      version: shelf?.current?.manifest.version ?? null,
      state: shelf?.current ? 'live' : 'failed',
      reason: problems.length > 0 ? problems.join('; ') : null,
      loadMs: performance.now() - started,
    });
    if (problems.length === 0) this.#settled.set(name, mark);
    if (!shelf) await this.#reserve(record, wanted);
    const { result } = loaded.current;
    if (result instanceof Error) await this.#failed(record, result);
  }

  /** Calls of a plug-in that is not live are answered all the same; vCloud would wait for them in vain. */
  async #reserve(record: InstalledPlugin, version: string | null): Promise<void> {
    const { installed, catalogue } = this.#options;
    const any = record.current ?? record.history[0];
    if (any === undefined) return;
    // What is wrong with its bytes is told where they are loaded.
    const manifest = await manifestOf(installed, record, any).catch(() => null);
    if (manifest && manifest.extends === undefined)
      catalogue.reserve(record.plugin, { address: manifest.vcloud, version });
  }

  async #load(record: InstalledPlugin, version: string): Promise<Loaded> {
    const result = await this.#loader
      .load(record, version)
      .catch((error: unknown) => (error instanceof Error ? error : new Error(messageOf(error))));
    return { version, result };
  }

  /** Orgs that call now find their isolates ready after the swap. */
  async #warm(name: string, { result }: Loaded): Promise<void> {
    const { catalogue, workshop } = this.#options;
    const before = catalogue.shelf(name)?.current;
    if (before && before !== result && !(result instanceof Error))
      await workshop.sandbox?.warm(before.guest, result.guest);
  }

  #claimed({ version, result }: Loaded): Loaded {
    const refusal = result instanceof Error ? null : this.#options.catalogue.refusal(result);
    return { version, result: refusal ?? result };
  }

  async #failed(record: InstalledPlugin, error: Error): Promise<void> {
    const { log, metrics, catalogue, onHalt } = this.#options;
    const { plugin, current: version } = record;
    const reason = messageOf(error);
    const code = codeOf(error);
    metrics.count('vcx_plugin_load_failures_total', { plugin, code });
    log.error('plugin.failed', { plugin, version, code, reason });
    const back = catalogue.shelf(plugin)?.current?.manifest.version;
    // What is wrong with this host is no reason to stop a roll-out on all.
    if (!code.startsWith('BUNDLE_')) this.#again.add(plugin);
    // With nothing else to run, as at a start, there is nothing to go back to.
    else if (back !== undefined) await onHalt?.(record, { reason, back });
  }

  #shown(state: PluginState): PluginState {
    const reason = this.#options.catalogue.unfit(state.name);
    return reason === null ? state : { ...state, state: 'failed', reason };
  }

  #live(name: string): LivePlugin[] {
    const shelf = this.#options.catalogue.shelf(name);
    return shelf ? versionsOf(shelf) : [];
  }

  /** In one step; calls under way end on the version they began with, and its isolates are freed after them. */
  #swap(name: string, shelf: Shelf | null): void {
    const { catalogue, log, metrics } = this.#options;
    const before = catalogue.shelf(name);
    if (sameShelf(before, shelf)) return;
    catalogue.replace(name, shelf);
    const after = shelf ? versionsOf(shelf) : [];
    for (const plugin of after.toReversed()) this.#loader.touch(plugin);
    const version = shelf?.current?.manifest.version ?? null;
    if (version !== before?.current?.manifest.version) {
      log.info('plugin.live', { plugin: name, version });
      metrics.count('vcx_plugin_swaps_total', { plugin: name });
    }
    for (const plugin of before ? versionsOf(before) : [])
      if (!after.includes(plugin)) this.#retiring.retire(plugin);
  }

  #noteTrouble(name: string, error: unknown): void {
    const live = this.#options.catalogue.shelf(name)?.current?.manifest.version ?? null;
    const state = live === null ? 'failed' : 'live';
    this.#states.set(name, { name, version: live, state, reason: messageOf(error), loadMs: 0 });
    if (!codeOf(error).startsWith('BUNDLE_')) this.#again.add(name);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#turns.idle();
    await this.#retiring.drained(null);
  }
}
