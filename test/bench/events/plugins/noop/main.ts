/** Does nothing with an event. */
import { definePlugin } from '#sdk';

export default definePlugin({
  notification() {},
  fetch: () => new Response(),
});
