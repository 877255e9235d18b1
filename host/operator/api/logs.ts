/**
 * `/plugins/NAME/logs`: what a plug-in said lately and what its calls cost, once or as it happens.
 * May import: kernel and everything below operator.
 */
import { randomUUID } from 'node:crypto';

import type { Context } from 'hono';
import { z } from 'zod';

import type { PluginAdmin } from '../../bundles/change/admin.ts';
import type { Logbook } from '../../bundles/live/logbook.ts';
import type { Clock } from '../../kernel/time.ts';
import type { ApiEnv } from '../identify.ts';
import { followLines } from './follow.ts';
import { createGate } from './gate.ts';
import { flagSchema, orgSchema, pluginOf, queryOf } from './input.ts';

const whole = (max: number) => z.coerce.number().pipe(z.int().min(0).max(max));
const querySchema = z.strictObject({
  org: orgSchema.optional(),
  follow: flagSchema,
  limit: whole(2_000).default(200),
  after: whole(Number.MAX_SAFE_INTEGER).optional(),
  instance: z.string().max(64).optional(),
});

const FOLLOWERS = { each: 16, owners: 64 } as const;
const HEARTBEAT_MS = 10_000;

/**
 * With `follow` NDJSON, else `{instance, lines}`. Ids of lines begin anew with every host: `instance` goes with
 * `after`, and an `after` of another instance is not looked at.
 */
export function createLogs(
  admin: PluginAdmin,
  logbook: Logbook,
  clock: Clock,
): (c: Context<ApiEnv>) => Promise<Response> {
  const instance = randomUUID();
  const gate = createGate(FOLLOWERS);
  return async (c) => {
    const { caller } = c.var;
    const plugin = pluginOf(c);
    const { follow, instance: of = instance, after, ...rest } = queryOf(c, querySchema);
    const query = { plugin, ...rest, ...(of === instance ? { after } : {}) };
    // Refuses what this caller may not see.
    await admin.show(plugin, caller);
    c.header('Vcx-Instance', instance);
    // Nobody reads, and so nobody would end, the stream of a HEAD.
    if (!follow || c.req.method === 'HEAD') return c.json({ instance, lines: logbook.read(query) });

    const place = gate.enter(caller);
    const lines = followLines({
      logbook,
      query,
      mayGoOn: async () => {
        await admin.show(plugin, caller);
        return caller.stillValid();
      },
      onEnd: () => place[Symbol.dispose](),
      heartbeatMs: HEARTBEAT_MS,
      clock,
    });
    return c.body(lines, 200, { 'Content-Type': 'application/x-ndjson' });
  };
}
