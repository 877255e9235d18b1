/** Counts how often it ran for each call, so that a second run of one call shows. POST is not idempotent. */
import { definePlugin, type Env } from '#sdk';

interface KeyOptions {
  readonly prefix: string;
}

async function count(kv: Env['kv'], id: string): Promise<number> {
  for (;;) {
    const had = await kv.getWithVersion<number>(`ran/${id}`);
    const runs = (had?.value ?? 0) + 1;
    const written = await kv.put(`ran/${id}`, runs, { ifVersion: had?.version ?? 0 });
    if (written === null) continue;
    if (runs > 1) await kv.put(`twice/${id}`, runs);
    return runs;
  }
}

async function keys(kv: Env['kv'], { prefix }: KeyOptions): Promise<string[]> {
  const found: string[] = [];
  let cursor: string | null = null;
  do {
    const page = await kv.list({ prefix, limit: 1_000, ...(cursor && { cursor }) });
    found.push(...page.keys);
    ({ cursor } = page);
  } while (cursor !== null);
  return found;
}

export default definePlugin({
  async fetch(request, env, ctx) {
    if (request.method === 'GET') {
      const [ran, twice] = [
        await keys(env.kv, { prefix: 'ran/' }),
        await keys(env.kv, { prefix: 'twice/' }),
      ];
      return Response.json({ ran: ran.length, twice });
    }
    const runs = await count(env.kv, ctx.requestId);
    const waitMs = Number(new URL(request.url).searchParams.get('waitMs') ?? 0);
    if (waitMs > 0) await new Promise((resolve) => setTimeout(resolve, waitMs));
    return Response.json({ id: ctx.requestId, runs });
  },
});
