/** Writes down the events of each organization; `GET /api/org/{id}/audit` shows them, the newest first. */
import { definePlugin, type NotificationEvent } from '#sdk';

import { createLog, type Entry } from './log.ts';

export default definePlugin({
  /** `env` is that of the event's organization: no entry ever reaches another one's log. */
  async notification(event, env) {
    await createLog(env.kv).add(entryOf(event));
  },

  async fetch(request, env, ctx) {
    const orgId = ctx.params['orgId'] ?? '';
    if (`urn:vcloud:org:${orgId}` !== ctx.caller.org)
      return problem(403, 'Each organization shows its log to its own members only.');
    const wanted = new URL(request.url).searchParams.get('page');
    if (wanted !== null && !/^[1-9]\d{0,8}$/.test(wanted))
      return problem(400, 'A page is a whole number.');
    const found = await createLog(env.kv).read(wanted === null ? null : Number(wanted));
    if (!found) return problem(404, 'There is no such page, or no longer.');
    const { page, entries, older } = found;
    const next = older === null ? null : `/api/org/${orgId}/audit?page=${older}`;
    return Response.json({ page, entries, older: next });
  },
});

function entryOf(event: NotificationEvent): Entry {
  const { eventId, timestamp: at, type, operationSuccess: success, user, entity } = event;
  return {
    eventId,
    at,
    type,
    success,
    user: user?.id ?? null,
    entity: entity.id,
    name: entity.name,
  };
}

function problem(status: number, message: string): Response {
  return Response.json({ message, majorErrorCode: status }, { status });
}
