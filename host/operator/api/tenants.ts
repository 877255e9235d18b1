/**
 * `/plugins/NAME/tenants`: which orgs have a plug-in, and what is set for each.
 * May import: kernel and everything below operator.
 */
import { Hono, type Context } from 'hono';
import { z } from 'zod';

import type { PluginAdmin, TenantView } from '../../bundles/change/admin.ts';
import { HostError } from '../../kernel/errors.ts';
import { operatorOnly, type ApiEnv } from '../identify.ts';
import { bodyOf, orgSchema, pluginOf, scopeOf, versionSchema } from './input.ts';

/** A list of many orgs is larger than other bodies. */
const ORGS_BYTES = 8_388_608;

const orgsSchema = z.strictObject({
  orgs: z.union([z.literal('all'), z.array(orgSchema).max(100_000)], {
    error: '"all", or a list of ids of orgs',
  }),
});
const pinSchema = z.strictObject({ version: versionSchema.nullable() });
const configSchema = z.json();
const limitsSchema = z.record(z.string().max(64), z.int().min(0));
const secretSchema = z.strictObject({ value: z.string().min(1) });
const nothingSchema = z.strictObject({}).optional();

export function tenantRoutes(admin: PluginAdmin): Hono<ApiEnv> {
  const app = new Hono<ApiEnv>();
  app.get('/', async (c) => {
    const plugin = pluginOf(c);
    const { orgs } = await admin.show(plugin, c.var.caller);
    return c.json({ orgs, tenants: await admin.tenants(plugin, c.var.caller) });
  });
  app.put('/', async (c) => {
    const { orgs } = await bodyOf(c, orgsSchema, ORGS_BYTES);
    await admin.setOrgs(pluginOf(c), orgs, c.var.caller);
    return c.body(null, 204);
  });
  app.get('/:org', async (c) => c.json(await tenantOf(c, admin)));
  for (const [verb, enabled] of [
    ['enable', true],
    ['disable', false],
  ] as const)
    app.post(`/:org/${verb}`, async (c) => {
      await bodyOf(c, nothingSchema);
      await admin.setOrg(scopeOf(c), enabled, c.var.caller);
      return c.body(null, 204);
    });
  addSettings(app, admin);
  addSecrets(app, admin);
  return app;
}

function addSettings(app: Hono<ApiEnv>, admin: PluginAdmin): void {
  app.put('/:org/version', async (c) => {
    const { version } = await bodyOf(c, pinSchema);
    await admin.pin(scopeOf(c), version, c.var.caller);
    return c.body(null, 204);
  });
  app.put('/:org/config', async (c) => {
    await admin.setConfig(scopeOf(c), await bodyOf(c, configSchema), c.var.caller);
    return c.body(null, 204);
  });
  app.delete('/:org/config', async (c) => {
    await admin.setConfig(scopeOf(c), null, c.var.caller);
    return c.body(null, 204);
  });
  app.put('/:org/limits', operatorOnly(), async (c) => {
    await admin.setLimits(scopeOf(c), await bodyOf(c, limitsSchema), c.var.caller);
    return c.body(null, 204);
  });
  app.delete('/:org/limits', operatorOnly(), async (c) => {
    await admin.setLimits(scopeOf(c), null, c.var.caller);
    return c.body(null, 204);
  });
}

/** Values go in and never come out. */
function addSecrets(app: Hono<ApiEnv>, admin: PluginAdmin): void {
  app.get('/:org/secrets', async (c) => c.json({ secrets: (await tenantOf(c, admin)).secrets }));
  app.put('/:org/secrets/:key', async (c) => {
    const { value } = await bodyOf(c, secretSchema);
    await admin.setSecret(scopeOf(c), { name: keyOf(c), value }, c.var.caller);
    return c.body(null, 204);
  });
  app.delete('/:org/secrets/:key', async (c) => {
    if (!(await admin.deleteSecret(scopeOf(c), keyOf(c), c.var.caller)))
      throw new HostError('OPERATOR_NOT_FOUND', 'there is no secret of this name');
    return c.body(null, 204);
  });
}

/** An org for which nothing is kept has a view too. */
async function tenantOf(c: Context<ApiEnv>, admin: PluginAdmin): Promise<TenantView> {
  const { plugin, org } = scopeOf(c);
  const found = (await admin.tenants(plugin, c.var.caller)).find((one) => one.org === org);
  if (found) return found;
  const { orgs } = await admin.show(plugin, c.var.caller);
  const enabled = orgs === 'all' || orgs.includes(org);
  return { org, enabled, config: null, limits: {}, version: null, secrets: [] };
}

/** What a name of a secret may look like the store decides. */
function keyOf(c: Context): string {
  return c.req.param('key') ?? '';
}
