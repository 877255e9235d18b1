import { definePlugin } from '#sdk';

/** Answers with what `env.vcloud` gives it, or with a task that is never completed. */
export default definePlugin({
  async fetch(request, env, ctx) {
    if (request.method === 'POST') {
      const task = await ctx.task({ operation: 'Working for ever' });
      ctx.waitUntil(new Promise(() => undefined));
      return task.accepted(request);
    }
    const path = request.headers.get('x-wanted');
    if (!path) return Response.json({ user: ctx.caller.user });
    try {
      const answer = await env.vcloud.request('GET', path);
      return Response.json({ status: answer.status, text: await answer.text() });
    } catch (error) {
      return Response.json({ code: (error as { code?: string }).code });
    }
  },
});
