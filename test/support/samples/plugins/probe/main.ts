/** Does on demand what handlers should not do, and shows what a guest sees. */
import { definePlugin } from '#sdk';

let calls = 0;

const acts: Record<string, (request: Request) => unknown> = {
  async echo(request) {
    return Response.json({
      method: request.method,
      url: request.url,
      headers: Object.fromEntries(request.headers),
      body: await request.text(),
    });
  },
  state: () => Response.json({ calls: (calls += 1) }),
  loop() {
    for (;;);
  },
  never: () => new Promise(() => undefined),
  throw() {
    throw new Error('thrown on purpose');
  },
  'not-a-response': () => ({ status: 200 }),
  'status-99': () => new Response('x', { status: 99 }),
  'header-crlf': () => new Response('x', { headers: { 'X-A': 'b\r\nSet-Cookie: a=b' } }),
  big: () => new Response('x'.repeat(1_000_000)),
  log(request) {
    console.log('seen', [...request.headers].join('; '));
    return new Response('logged');
  },
};

export default definePlugin({
  async fetch(request, _env, ctx) {
    const act = acts[ctx.params['what'] ?? ''];
    return act ? ((await act(request)) as Response) : new Response('no such act', { status: 404 });
  },
});
