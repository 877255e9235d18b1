/**
 * The local cloud's own address for tests: `POST /_local/events`.
 * May import: caller, emit, fault, store; hono.
 */
import { Hono } from 'hono';

import { VcloudFault } from '../documents/fault.ts';
import { type CellEnv, requireProvider } from '../sessions/caller.ts';
import type { Store } from '../store.ts';
import { emit } from './emit.ts';

/** Routes that a real cell does not have, for the system administrator. */
export function localRoutes(store: Store): Hono<CellEnv> {
  const app = new Hono<CellEnv>();
  app.post('/_local/events', async (c) => {
    requireProvider(c.get('caller'));
    let body: unknown;
    try {
      body = JSON.parse(await c.req.text());
    } catch {
      throw new VcloudFault(400, 'Event: the body is not JSON');
    }
    const eventIds = emit(store, body);
    const published = store.settings.notifications;
    return c.json({ eventId: eventIds[0], eventIds, count: eventIds.length, published });
  });
  return app;
}
