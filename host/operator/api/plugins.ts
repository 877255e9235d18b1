/**
 * `/plugins`: what is installed, and its versions.
 * May import: kernel and everything below operator.
 */
import { Hono } from 'hono';
import { z } from 'zod';

import type { PluginAdmin } from '../../bundles/change/admin.ts';
import { operatorOnly, type ApiEnv } from '../identify.ts';
import { bodyOf, pluginOf, versionSchema } from './input.ts';
import { createUpload } from './upload.ts';

const approveSchema = z.strictObject({
  version: versionSchema,
  /** Of the bundle that was looked at; any when left out. */
  digest: z
    .string()
    .regex(/^[0-9a-f]{64}$/, 'a digest: 64 hex digits')
    .optional(),
});
const rollbackSchema = z
  .strictObject({ version: versionSchema.nullable().default(null) })
  .default({ version: null });
const nothingSchema = z.strictObject({}).optional();

export function pluginRoutes(admin: PluginAdmin): Hono<ApiEnv> {
  const app = new Hono<ApiEnv>();
  app.get('/', async (c) => c.json({ plugins: await admin.list(c.var.caller) }));
  app.post('/', createUpload(admin));
  app.get('/:name', async (c) => c.json(await admin.show(pluginOf(c), c.var.caller)));
  app.delete('/:name', async (c) => {
    await admin.remove(pluginOf(c), c.var.caller);
    return c.body(null, 204);
  });
  app.post('/:name/approve', operatorOnly(), async (c) => {
    const { version, digest } = await bodyOf(c, approveSchema);
    const wanted = digest === undefined ? version : { version, digest };
    return c.json(await admin.approve(pluginOf(c), wanted, c.var.caller));
  });
  app.post('/:name/rollback', async (c) => {
    const { version } = await bodyOf(c, rollbackSchema);
    return c.json(await admin.rollback(pluginOf(c), version, c.var.caller));
  });
  for (const [verb, enabled] of [
    ['enable', true],
    ['disable', false],
  ] as const)
    app.post(`/:name/${verb}`, async (c) => {
      await bodyOf(c, nothingSchema);
      return c.json(await admin.setEnabled(pluginOf(c), enabled, c.var.caller));
    });
  return app;
}
