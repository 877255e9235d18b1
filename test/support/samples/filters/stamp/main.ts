/** Adds a field to what vCloud answers about an organization; fails on demand. */
import { definePlugin } from '#sdk';

export default definePlugin({
  async response(response) {
    if (response.headers.get('x-fail')) throw new Error('on demand');
    const org = (await response.json()) as object;
    const headers = { 'Content-Type': response.headers.get('Content-Type') ?? '' };
    return new Response(JSON.stringify({ ...org, stamped: true }), { headers });
  },
});
