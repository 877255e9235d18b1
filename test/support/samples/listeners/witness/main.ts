/** Says which events it has handled; fails on those that ask for it. */
import { definePlugin } from '#sdk';

export default definePlugin({
  async notification(event, _env, ctx) {
    const asked = event.type.split('/').at(-1);
    if (asked === 'throws') throw new Error('as it was asked to');
    // Beyond its CPU time: the isolate is ended.
    if (asked === 'spins') for (;;);
    if (asked === 'resolves') console.log(JSON.stringify(await ctx.entity()));
    console.log(event.eventId);
  },
  fetch: () => new Response(),
});
