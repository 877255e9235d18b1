/** Decides on nothing: it throws, never comes to an end, or returns, as the name of the vApp says. */
import { definePlugin } from '#sdk';

export default definePlugin({
  async notification(event) {
    const name = event.taskOwner?.name ?? '';
    if (name.startsWith('throws')) throw new Error('as it was asked to');
    if (name.startsWith('hangs')) await new Promise(() => undefined);
  },
  fetch: () => new Response(),
});
