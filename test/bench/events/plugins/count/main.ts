/** Counts how often it has handled each event. */
import { definePlugin } from '#sdk';

export default definePlugin({
  async notification(event, env) {
    const before = (await env.kv.get<number>(event.eventId)) ?? 0;
    await env.kv.put(event.eventId, before + 1);
  },
  fetch: () => new Response(),
});
