/** Waits for a host service that takes 50 ms, beside other calls in its isolate. */
import { definePlugin } from '#sdk';

interface Env {
  readonly slow: { call(method: string): Promise<unknown> };
}

export default definePlugin({
  async fetch(_request, env) {
    await (env as unknown as Env).slow.call('wait');
    return new Response('waited');
  },
});
