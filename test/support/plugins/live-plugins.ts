/** Plug-ins as the catalogue holds them, without code or sandbox. */
import { createConfigSchema } from '../../../host/bindings/config/index.ts';
import type { LivePlugin } from '../../../host/bundles/live/plugin.ts';
import { createRouteTable } from '../../../host/bundles/live/routes.ts';
import { parseManifest } from '../../../host/bundles/manifest/manifest.ts';
import { defaultLimits } from '../../../host/quotas/limits.ts';

export interface LiveSpec {
  readonly name: string;
  readonly version?: string;
  /** Routing key. @default the name */
  readonly key?: string;
  readonly exchange?: string;
  readonly namespace?: string;
  readonly paths?: readonly string[];
  /** Expressions of its filters. @default that of the path of its name */
  readonly filters?: readonly string[];
  readonly owner?: LivePlugin['owner'];
  readonly extends?: string | undefined;
  readonly tenantRoutes?: { readonly prefix: string };
}

export function livePlugin(spec: LiveSpec): LivePlugin {
  const { name, version = '1.0.0', key = name, exchange = 'sdkext', tenantRoutes } = spec;
  const { paths = [`/api/${name}`], namespace = `org.example.${name}` } = spec;
  const { filters = [`/api/${name}`] } = spec;
  const manifest = parseManifest({
    name,
    version,
    vcloud: {
      name,
      namespace,
      exchange,
      routingKey: key,
      apiFilters: spec.extends === undefined ? filters.map((urlPattern) => ({ urlPattern })) : [],
    },
    routes: paths.map((path) => ({ method: 'GET', path })),
    ...(spec.extends === undefined ? {} : { extends: spec.extends }),
    ...(tenantRoutes ? { tenantRoutes } : {}),
  });
  return {
    manifest,
    guest: {
      plugin: name,
      version,
      digest: '',
      source: '',
      limits: defaultLimits(),
      isolation: 'plugin',
      bindings: [],
    },
    owner: spec.owner ?? { id: 'provider', kind: 'provider' },
    digest: `${name} ${version}`,
    source: 'bundle',
    match: createRouteTable([{ target: null, routes: manifest.routes }]),
    handlers: ['fetch'],
    config: createConfigSchema(null),
    sourceMap: null,
  };
}
