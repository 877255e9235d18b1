/**
 * The operator API, version 1: the table in `host/README.md` as routes.
 * May import: kernel and everything below operator.
 */
import { Hono } from 'hono';
import { z } from 'zod';

import type { PluginAdmin } from '../../bundles/change/admin.ts';
import type { Logbook } from '../../bundles/live/logbook.ts';
import type { Clock } from '../../kernel/time.ts';
import type { ChangeQuery } from '../../storage/changes.ts';
import type { TokenStore } from '../../storage/tokens.ts';
import type { ApiEnv } from '../identify.ts';
import { addCluster, type ClusterSource } from './cluster.ts';
import { eventRoutes, type EventsSource } from './events.ts';
import { orgSchema, pluginSchema, queryOf } from './input.ts';
import { createLogs } from './logs.ts';
import { pluginRoutes } from './plugins.ts';
import { tenantRoutes } from './tenants.ts';
import { tokenRoutes } from './tokens.ts';

/** What is null has no routes; but a host without a cluster says so. */
export interface ApiParts {
  readonly admin: PluginAdmin | null;
  readonly logbook: Logbook | null;
  readonly tokens: TokenStore | null;
  readonly cluster: ClusterSource | null;
  readonly events: EventsSource | null;
  readonly clock: Clock;
}

const changesSchema = z.strictObject({
  plugin: pluginSchema.optional(),
  org: orgSchema.optional(),
  before: z.coerce.number().pipe(z.int().min(1)).optional(),
  limit: z.coerce.number().pipe(z.int().min(1).max(1_000)).optional(),
});

/** Whoever mounts it has set `c.var.caller`, and answers errors. */
export function createApi({ admin, events, ...parts }: ApiParts): Hono<ApiEnv> {
  const { logbook, tokens, cluster, clock } = parts;
  const app = new Hono<ApiEnv>();
  app.get('/me', (c) => {
    const { who, role, owner } = c.var.caller;
    return c.json({ who, role, owner });
  });
  if (tokens) app.route('/tokens', tokenRoutes(tokens, clock));
  addCluster(app, cluster, admin);
  if (!admin) return app;
  app.get('/changes', async (c) => {
    const query = queryOf(c, changesSchema) as ChangeQuery;
    return c.json({ changes: await admin.changes(query, c.var.caller) });
  });
  if (events) app.route('/events', eventRoutes(events));
  if (logbook) app.get('/plugins/:name/logs', createLogs(admin, logbook, clock));
  app.route('/plugins', pluginRoutes(admin));
  app.route('/plugins/:name/tenants', tenantRoutes(admin));
  return app;
}
