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
    const found = await createLog(env.kv).read(new URL(request.url).searchParams.get('behind'));
    if (!found) return problem(400, 'Take the address of the next page from the page before it.');
    const { entries, older } = found;
    const next = older === null ? null : `/api/org/${orgId}/audit?behind=${older}`;
    return Response.json({ entries, older: next });
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
