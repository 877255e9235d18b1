/** Sends the body of the request back. */
import { definePlugin } from '#sdk';

export default definePlugin({
  async fetch(request) {
    return new Response(await request.bytes());
  },
});
