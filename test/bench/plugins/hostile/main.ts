/** Guests of the worst kind, by name, and `good`, which does no harm. */
import { definePlugin } from '#sdk';

const kept: unknown[] = [];

const acts: Record<string, (env: Env) => unknown> = {
  good: () => Response.json({ hello: 'world' }),
  loop() {
    for (;;);
  },
  heap() {
    for (;;) kept.push(Array.from({ length: 10_000 }, (_, index) => index));
  },
  buffers() {
    for (;;) kept.push(new Uint8Array(1_048_576).fill(1));
  },
  strings() {
    let text = 'x';
    for (;;) kept.push((text += text));
  },
  recursion() {
    const deeper = (): number => 1 + deeper();
    return deeper();
  },
  regex: () => /^(a+)+$/.test(`${'a'.repeat(40)}!`),
  async microtasks() {
    for (;;) await Promise.resolve();
  },
  timers: () =>
    new Promise(() => {
      for (;;) setTimeout(() => undefined, 0);
    }),
  never: () => new Promise(() => undefined),
  logs() {
    for (let line = 0; line < 10_000; line += 1) console.log('x'.repeat(2_000));
    return new Response('logged');
  },
  async hostCalls(env) {
    for (;;) await Promise.all(Array.from({ length: 50 }, () => env.kv.get('x')));
  },
  rejection() {
    void Promise.reject(new Error('nobody listens'));
    return new Response('ok');
  },
  json: () => JSON.parse(`${'['.repeat(100_000)}${']'.repeat(100_000)}`),
};

interface Env {
  readonly kv: { get(key: string): Promise<unknown> };
}

export default definePlugin({
  async fetch(_request, env, ctx) {
    const act = acts[ctx.params['what'] ?? ''];
    return act
      ? ((await act(env as unknown as Env)) as Response)
      : new Response('no such act', { status: 404 });
  },
});
