/** Says which events it has handled. */
import { definePlugin } from '#sdk';

export default definePlugin({
  notification(event) {
    console.log(event.eventId);
  },
  fetch: () => new Response(),
});
