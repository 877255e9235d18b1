/** Hears of all that happens in the cloud, and takes its time. */
import { definePlugin } from '#sdk';

export default definePlugin({
  async notification() {
    await new Promise((resolve) => setTimeout(resolve, 2));
  },
  fetch: () => new Response(),
});
