/**
 * The plug-ins that are live: who serves a call of an org. Changed in one step while calls go on.
 * May import: kernel, storage.
 */
import { HostError, messageOf } from '../../kernel/errors.ts';
import type { TenantStore } from '../../storage/tenants.ts';
import { checkClaims } from './claims.ts';
import type { LivePlugin } from './plugin.ts';
import { versionsOf, type Shelf } from './shelf.ts';

export type { LivePlugin } from './plugin.ts';
export type { Shelf } from './shelf.ts';

export interface ServiceAddress {
  readonly exchange: string;
  readonly routingKey: string;
}

export type Serving =
  /** One or more that may have a route for the call, the provider's first. */
  | { readonly kind: 'found'; readonly plugins: readonly LivePlugin[] }
  /** Nobody serves this service, or the org does not have the plug-in: nobody can tell which. */
  | { readonly kind: 'none' }
  /** The version that the org stays with is not live. */
  | { readonly kind: 'unavailable'; readonly plugin: string; readonly version: string };

export interface Catalogue {
  serving(exchange: string, routingKey: string, org: string): Serving;
  /** The live version of this plug-in that the org gets, or null. */
  versionFor(plugin: string, org: string): LivePlugin | null;
  /** Current versions, in order of names. */
  readonly live: readonly LivePlugin[];
  /** Addresses of all services that a live version has, and of those that are reserved, each once. */
  readonly services: readonly ServiceAddress[];
  /** Of all that have a shelf. */
  readonly names: readonly string[];
  shelf(plugin: string): Shelf | null;
  /** Why a plug-in that extends a service is not served although it has a shelf, or null. */
  unfit(plugin: string): string | null;
  /** What others hold, of all their versions: the claims of a plug-in of this name are checked against these. */
  others(name: string): readonly LivePlugin[];
  /**
   * Why this one can not go live: another holds what it claims. A plug-in that extends a service that is not there
   * (yet) can: it is served as soon as that is.
   */
  refusal(plugin: LivePlugin): HostError | null;
  /** Put the shelf in place of what there was, or take the plug-in away. Throws what `refusal` says, and changes nothing then. */
  replace(name: string, shelf: Shelf | null): void;
  /**
   * Keep the service of a plug-in that is not live, so that its calls still come and get an answer: `unavailable`
   * when a version of it should be live, 404 when none should. Until it has a shelf. Where others serve, they get the
   * calls of what can't be loaded here.
   */
  reserve(name: string, absent: Absent): void;
  /** Called after every change, until disposed. */
  watch(changed: () => void): Disposable;
}

/** A service without its plug-in. */
export interface Absent {
  readonly address: ServiceAddress;
  /** The version that could not be loaded; null when none should be live. */
  readonly version: string | null;
}

const NONE: Serving = { kind: 'none' };

/** Whether an org has a plug-in, and which version it stays with, is the tenants' to say. */
export function createCatalogue(
  tenants: Pick<TenantStore, 'view'>,
  options: CatalogueOptions = {},
): Catalogue {
  return new LiveCatalogue(tenants, options.othersServe ?? false);
}

export interface CatalogueOptions {
  /** Other hosts take calls from the same queues: what can't be loaded here may run there. @default false */
  readonly othersServe?: boolean;
}

class LiveCatalogue implements Catalogue {
  readonly #tenants: Pick<TenantStore, 'view'>;
  readonly #shelves = new Map<string, Shelf>();
  readonly #watchers = new Set<() => void>();
  /** By exchange and routing key. Made anew at every change. */
  #services = new Map<string, readonly Shelf[]>();
  /** Shelves that are served, those that extend others last. */
  #fit: readonly Shelf[] = [];
  #unfit = new Map<string, string>();
  #live: readonly LivePlugin[] = [];
  /** By plug-in, in place of a shelf. */
  readonly #absent = new Map<string, Absent>();

  readonly #othersServe: boolean;

  constructor(tenants: Pick<TenantStore, 'view'>, othersServe: boolean) {
    this.#tenants = tenants;
    this.#othersServe = othersServe;
  }

  get live(): readonly LivePlugin[] {
    return this.#live;
  }

  get names(): readonly string[] {
    return [...this.#shelves.keys()];
  }

  get services(): readonly ServiceAddress[] {
    const absent = [...this.#absent.values()].map(({ address }) => serviceKey(address));
    return [...new Set([...this.#services.keys(), ...absent])].map((key) => {
      const [exchange = '', routingKey = ''] = key.split('\n');
      return { exchange, routingKey };
    });
  }

  serving(exchange: string, routingKey: string, org: string): Serving {
    const key = serviceKey({ exchange, routingKey });
    const shelves = this.#services.get(key);
    if (!shelves) return this.#missing(key, org);
    const plugins: LivePlugin[] = [];
    for (const shelf of shelves) {
      const view = this.#tenants.view(shelf.name, org);
      if (!view.enabled) continue;
      const plugin = pick(shelf, view.version);
      if (plugin) plugins.push(plugin);
      // The provider's come first: what an org brings itself takes neither them nor their filters away.
      else if (view.version !== null && plugins.length === 0)
        return { kind: 'unavailable', plugin: shelf.name, version: view.version };
    }
    return plugins.length === 0 ? NONE : { kind: 'found', plugins };
  }

  #missing(key: string, org: string): Serving {
    for (const [plugin, { address, version }] of this.#absent)
      if (
        version !== null &&
        serviceKey(address) === key &&
        this.#tenants.view(plugin, org).enabled
      )
        return { kind: 'unavailable', plugin, version };
    return NONE;
  }

  versionFor(plugin: string, org: string): LivePlugin | null {
    const shelf = this.#shelves.get(plugin);
    if (!shelf || this.#unfit.has(plugin)) return null;
    const view = this.#tenants.view(plugin, org);
    return view.enabled ? pick(shelf, view.version) : null;
  }

  shelf(plugin: string): Shelf | null {
    return this.#shelves.get(plugin) ?? null;
  }

  unfit(plugin: string): string | null {
    return this.#unfit.get(plugin) ?? null;
  }

  others(name: string): readonly LivePlugin[] {
    return currentFirst(this.#fit.filter((shelf) => shelf.name !== name));
  }

  refusal(plugin: LivePlugin): HostError | null {
    if (plugin.manifest.extends !== undefined) return null;
    try {
      checkClaims(plugin, this.others(plugin.manifest.name));
      return null;
    } catch (error) {
      if (error instanceof HostError) return error;
      throw error;
    }
  }

  replace(name: string, shelf: Shelf | null): void {
    if (shelf) {
      for (const plugin of versionsOf(shelf)) {
        const refusal = this.refusal(plugin);
        if (refusal) throw refusal;
      }
      this.#shelves.set(name, shelf);
      this.#absent.delete(name);
    } else this.#shelves.delete(name);
    this.#index();
    for (const watcher of this.#watchers) watcher();
  }

  reserve(name: string, absent: Absent): void {
    if (this.#shelves.has(name)) return;
    // Its calls go to those that have it, unless they are taken here already: then an answer is better than none.
    const isTaken = this.#absent.has(name);
    if (this.#othersServe && absent.version !== null && !isTaken) return;
    this.#absent.set(name, absent);
    for (const watcher of this.#watchers) watcher();
  }

  watch(changed: () => void): Disposable {
    this.#watchers.add(changed);
    return { [Symbol.dispose]: () => this.#watchers.delete(changed) };
  }

  #index(): void {
    const all = [...this.#shelves.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
    this.#fit = all.filter((shelf) => !extendsOther(shelf));
    this.#unfit = new Map();
    // What extends a service is served only while that service keeps a place for it.
    for (const shelf of all.filter(extendsOther)) {
      const why = misfit(shelf, currentFirst(this.#fit));
      if (why === null) this.#fit = [...this.#fit, shelf];
      else this.#unfit.set(shelf.name, why);
    }
    const services = new Map<string, Shelf[]>();
    for (const shelf of this.#fit)
      for (const key of new Set(versionsOf(shelf).map(keyOf)))
        services.set(key, [...(services.get(key) ?? []), shelf]);
    this.#services = services;
    this.#live = all.flatMap(({ name, current }) =>
      current && !this.#unfit.has(name) ? [current] : [],
    );
  }
}

function misfit(shelf: Shelf, others: readonly LivePlugin[]): string | null {
  try {
    for (const plugin of versionsOf(shelf)) checkClaims(plugin, others);
    return null;
  } catch (error) {
    return messageOf(error);
  }
}

/** Current versions count first: of a service that one extends, the current one is meant. */
function currentFirst(shelves: readonly Shelf[]): LivePlugin[] {
  return [
    ...shelves.flatMap(({ current }) => (current ? [current] : [])),
    ...shelves.flatMap(({ pinned }) => [...pinned.values()]),
  ];
}

function pick(shelf: Shelf, version: string | null): LivePlugin | null {
  if (version === null || version === shelf.current?.manifest.version) return shelf.current;
  return shelf.pinned.get(version) ?? null;
}

function extendsOther(shelf: Shelf): boolean {
  return versionsOf(shelf).some(({ manifest }) => manifest.extends !== undefined);
}

function keyOf({ manifest: { vcloud } }: LivePlugin): string {
  return serviceKey(vcloud);
}

function serviceKey({ exchange, routingKey }: ServiceAddress): string {
  return `${exchange}\n${routingKey}`;
}
