/**
 * CPU that one warm call costs inside an isolate, by handler: `node test/bench/guest.ts [calls]`.
 * Isolate CPU only; the hop into the isolate is in the "floor" row. Prints a table.
 * May import: sdk/guest, test/support.
 */
import type { GuestRequest } from '../../sdk/guest/abi.ts';
import { bundleText, openGuest, requestText } from '../support/guest/isolate.ts';

const calls = Number(process.argv[2] ?? 5_000);

const HEADERS = [
  ['host', 'vcloud.example.com'],
  ['accept', 'application/*+json;version=38.1'],
  ['user-agent', 'curl/8.5.0'],
  ['content-type', 'application/json'],
  ['x-forwarded-for', '192.0.2.7'],
  ['x-forwarded-proto', 'https'],
  ['accept-language', 'en'],
  ['accept-encoding', 'gzip, deflate'],
] as const;
const SAMPLE = {
  name: 'x',
  items: Array.from({ length: 20 }, (_, id) => ({ id, text: 'backup of a vApp' })),
};

const PLUGINS: Readonly<Record<string, string>> = {
  json: `export default { fetch: () => Response.json({ hello: 'world' }) };`,
  echo: `export default { fetch: async (request) => {
    const body = await request.json();
    return Response.json({ name: body.name, agent: request.headers.get('user-agent') });
  } };`,
  url: `export default { fetch: (request) =>
    Response.json({ hello: new URL(request.url).searchParams.get('name') }) };`,
  hono: `import { Hono } from 'hono';
    const app = new Hono();
    app.use(async (c, next) => { await next(); c.header('x-after', '1'); });
    app.get('/api/hello', (c) => c.json({ hello: c.req.query('name') }));
    app.post('/api/hello', async (c) => c.json({ name: (await c.req.json()).name }));
    export default app;`,
};

const GET: Partial<GuestRequest> = { headers: HEADERS };
const POST: Partial<GuestRequest> = {
  headers: HEADERS,
  method: 'POST',
  body: Buffer.from(JSON.stringify(SAMPLE)).toString('base64'),
};

async function measure(name: string, plugin: string, request: Partial<GuestRequest>) {
  const { source } = await bundleText(plugin);
  await using guest = await openGuest();
  await guest.load(source);
  const first = await guest.call(request);
  if (first.kind !== 'reply' || first.reply.status !== 200)
    throw new Error(`${name}: ${JSON.stringify(first)}`);
  const text = requestText(request);
  const run = async (count: number): Promise<[cpuUs: number, wallUs: number]> => {
    const cpu = guest.isolate.cpuTime;
    const start = performance.now();
    for (let id = 0; id < count; id++) await guest.enter('call', 1_000 + id, text);
    const cpuUs = Number(guest.isolate.cpuTime - cpu) / 1_000 / count;
    return [cpuUs, ((performance.now() - start) * 1_000) / count];
  };
  const [coldUs] = await run(100);
  await run(calls);
  const [cpuUs, wallUs] = await run(calls);
  guest.posted.length = 0;
  const row = { handler: name, 'first 100': coldUs, warm: cpuUs, 'wall, warm': wallUs };
  console.log(
    JSON.stringify(row, (_, v: unknown) => (typeof v === 'number' ? Math.round(v * 10) / 10 : v)),
  );
}

console.log(`microseconds a call, ${calls} calls`);
await measure('json GET', PLUGINS['json'] ?? '', GET);
await measure('url GET', PLUGINS['url'] ?? '', GET);
await measure('echo POST 1 KB', PLUGINS['echo'] ?? '', POST);
await measure('hono GET', PLUGINS['hono'] ?? '', GET);
await measure('hono POST 1 KB', PLUGINS['hono'] ?? '', POST);
