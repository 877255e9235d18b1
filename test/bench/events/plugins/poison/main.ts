/** Fails on one kind of event, for ever; the others take a while. */
import { definePlugin } from '#sdk';

export default definePlugin({
  async notification(event) {
    if (event.type.endsWith('/poison')) throw new Error('poison');
    await new Promise((resolve) => setTimeout(resolve, 5));
  },
  fetch: () => new Response(),
});
