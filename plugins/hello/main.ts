/** The smallest plug-in: answers with what it was given. Copy this folder to begin your own. */
import { definePlugin } from '#sdk';

export default definePlugin({
  fetch(request, _env, ctx) {
    const name = new URL(request.url).searchParams.get('name') ?? 'world';
    return Response.json({
      hello: name,
      backwards: [...name].toReversed().join(''),
      org: ctx.caller.org,
    });
  },
});
