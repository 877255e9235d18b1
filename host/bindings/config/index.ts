/**
 * `env.config`: what an org configured for a plug-in, fitting the schema of the manifest.
 * May import: kernel, storage.
 */
import { z } from 'zod';

import { HostError } from '../../kernel/errors.ts';
import type { TenantScope, TenantStore, TenantView } from '../../storage/tenants.ts';
import { readJsonSchema } from './schema.ts';

/** The manifest's key `config`; its schema is read at install, not by this. */
export const configGrantSchema = z.strictObject({
  /** JSON Schema of `env.config`: `type: "object"`, and the keywords that `schema.ts` lists. */
  schema: z.record(z.string(), z.unknown()),
});

export type ConfigGrant = z.infer<typeof configGrantSchema>;

export interface ConfigSchema {
  /** The value with defaults filled in. Throws TENANT_CONFIG_INVALID that names the place, not the value. */
  parse(value: unknown): unknown;
}

/** Throws BUNDLE_INVALID when the schema is not one we can check. Null, for no schema, takes no configuration. */
export function createConfigSchema(grant: ConfigGrant | null): ConfigSchema {
  if (grant === null)
    return {
      parse(value) {
        if (value === null) return null;
        throw new HostError('TENANT_CONFIG_INVALID', 'config: the plug-in takes none');
      },
    };
  if (grant.schema['type'] !== 'object')
    throw new HostError('BUNDLE_INVALID', 'config.schema.type: must be "object"');
  const schema = readJsonSchema(grant.schema);
  return {
    parse(value) {
      const result = schema.safeParse(value ?? {});
      if (result.success) return result.data;
      const places = result.error.issues.map(
        ({ path, message }) => `${['config', ...path.map(String)].join('.')}: ${message}`,
      );
      throw new HostError('TENANT_CONFIG_INVALID', places.slice(0, 10).join('; '));
    },
  };
}

export interface Configs {
  /** For `GuestRequest.config`. Throws TENANT_CONFIG_INVALID when what is set does not fit the schema of this version. */
  configOf(schema: ConfigSchema, scope: TenantScope): unknown;
  /** Check and keep; null takes it away. Rejects with TENANT_CONFIG_INVALID or TENANT_INVALID, and then nothing is changed. */
  setConfig(
    schema: ConfigSchema,
    change: { readonly scope: TenantScope; readonly config: unknown; readonly who: string },
  ): Promise<void>;
}

export function createConfigs(store: Pick<TenantStore, 'view' | 'setConfig'>): Configs {
  // A view is the same object until something changes: what was parsed once holds as long as it.
  const parsed = new WeakMap<ConfigSchema, WeakMap<TenantView, unknown>>();
  return {
    configOf(schema, { plugin, org }) {
      const view = store.view(plugin, org);
      let known = parsed.get(schema);
      if (!known) parsed.set(schema, (known = new WeakMap()));
      if (known.has(view)) return known.get(view);
      const config = schema.parse(view.config);
      known.set(view, config);
      return config;
    },
    async setConfig(schema, { scope, config, who }) {
      if (config !== null) schema.parse(config);
      await store.setConfig(scope, config, who);
    },
  };
}
