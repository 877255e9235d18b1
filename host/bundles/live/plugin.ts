/**
 * One version of a plug-in made ready to take calls: limits, configuration, routes, a look at its handlers.
 * May import: kernel, quotas, storage, sandbox, bindings.
 */
import { createConfigSchema, type ConfigSchema } from '../../bindings/config/index.ts';
import { HostError } from '../../kernel/errors.ts';
import type { LimitsBook } from '../../quotas/limits-book.ts';
import type { GuestBundle, HandlerName, Sandbox } from '../../sandbox/sandbox.ts';
import type { Manifest } from '../manifest/manifest.ts';
import { subscriptionsOf } from '../manifest/notifications.ts';
import type { Owner } from '../trust/trust.ts';
import { checkHealth } from './health-check.ts';
import { createRouteTable, type RouteMatch } from './routes.ts';
import { mapPlaces } from '../source/source-map.ts';

export interface LivePlugin {
  readonly manifest: Manifest;
  readonly guest: GuestBundle;
  readonly owner: Owner;
  /** Tells contents apart: of a bundle its digest, of a folder that of manifest and script. */
  readonly digest: string;
  readonly source: 'folder' | 'bundle';
  readonly match: (method: string, path: string) => RouteMatch<null>;
  /** Those that its module has; as the manifest promises when it was not run. */
  readonly handlers: readonly HandlerName[];
  readonly config: ConfigSchema;
  /** JSON of a version 3 source map of the script, for log lines; null when there is none. */
  readonly sourceMap: string | null;
}

/** What a folder or a bundle holds. */
export interface PluginSource {
  readonly manifest: Manifest;
  /** One script that assigns its default export to `globalThis.__vcx_plugin`. */
  readonly script: string;
  /** SHA-256 of the script, hex. */
  readonly scriptDigest: string;
  readonly digest: string;
  readonly source: 'folder' | 'bundle';
  readonly sourceMap: string | null;
  readonly owner: Owner;
  /** False for code that the provider has not signed: each org gets a runner of its own. */
  readonly trusted: boolean;
}

export interface Workshop {
  /** Names of all bindings there are. */
  readonly bindings: readonly string[];
  readonly limits: LimitsBook;
  /** Least isolation, whatever the manifest says. */
  readonly isolation: Isolation;
  /** Without it plug-ins are validated, but not run. */
  readonly sandbox: Sandbox | null;
}

export type Isolation = GuestBundle['isolation'];

/** From the weakest to the strongest. */
const ISOLATIONS: readonly Isolation[] = ['plugin', 'org', 'request'];
const ALL_HANDLERS = ['fetch', 'response', 'notification'] as const;

/** Throws BUNDLE_INVALID or BUNDLE_UNHEALTHY with the reason; touches nothing that is live. */
export async function preparePlugin(source: PluginSource, shop: Workshop): Promise<LivePlugin> {
  const { manifest, owner, digest, sourceMap } = source;
  const unknown = manifest.bindings.find((name) => !shop.bindings.includes(name));
  if (unknown)
    throw new HostError(
      'BUNDLE_INVALID',
      `plugin.json: bindings: there is no ${JSON.stringify(unknown)} (there are: ${shop.bindings.join(', ')})`,
    );
  const guest = guestBundle(source, shop);
  const match = createRouteTable([{ target: null, routes: manifest.routes }]);
  const config = createConfigSchema(manifest.config ?? null);
  const { sandbox } = shop;
  const handlers = sandbox ? await placed(sourceMap, sandbox.probe(guest)) : ALL_HANDLERS;
  checkHandlers(manifest, handlers);
  if (sandbox) await placed(sourceMap, checkHealth(sandbox, { manifest, guest, match, config }));
  return {
    manifest,
    guest,
    owner,
    digest,
    source: source.source,
    match,
    handlers,
    config,
    sourceMap,
  };
}

/** What failed names files and lines of the author's own. */
async function placed<T>(sourceMap: string | null, work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    if (!(error instanceof HostError)) throw error;
    throw new HostError(error.code, mapPlaces(error.message, sourceMap), { cause: error });
  }
}

function guestBundle(
  { manifest, script, scriptDigest, trusted }: PluginSource,
  { limits, isolation }: Workshop,
): GuestBundle {
  const least = trusted ? isolation : stricter(isolation, 'org');
  return {
    plugin: manifest.name,
    version: manifest.version,
    digest: scriptDigest,
    source: script,
    limits: limits.resolve(manifest.name, manifest.limits),
    isolation: stricter(manifest.isolation, least),
    callsPerIsolate: manifest.callsPerIsolate,
    bindings: manifest.bindings,
  };
}

function stricter(one: Isolation, other: Isolation): Isolation {
  return ISOLATIONS.indexOf(one) > ISOLATIONS.indexOf(other) ? one : other;
}

function checkHandlers(manifest: Manifest, handlers: readonly HandlerName[]): void {
  if (manifest.routes.length > 0 && !handlers.includes('fetch'))
    throw new HostError('BUNDLE_INVALID', 'there are routes, but no `fetch` handler');
  if (subscriptionsOf(manifest).length > 0 && !handlers.includes('notification'))
    throw new HostError('BUNDLE_INVALID', 'there are subscriptions, but no `notification` handler');
}
