/**
 * Child program: makes a code cache of the prelude with node:vm, after a full run and two calls, and says what an
 * isolate of this process makes of it. Run with `--no-node-snapshot`, as runners are: caches of processes
 * with and without it refuse each other.
 * May import: sdk/guest, test/support.
 */
import { createContext, Script } from 'node:vm';
import ivm from 'isolated-vm';
import { buildPrelude } from '../../../sdk/guest/build/bundle.ts';
import { requestText } from './isolate.ts';

type Enter = (kind: string, id: number, text: string) => void;

const PLUGIN = `globalThis.__vcx_plugin = { async fetch(request) {
  const name = new URL(request.url).searchParams.get('name');
  const body = request.method === 'POST' ? await request.json() : null;
  return Response.json({ name, body, accept: request.headers.get('accept') });
} };0`;

async function makeCache(source: string): Promise<Buffer> {
  const posted: string[] = [];
  const context = createContext({
    __vcx_post: (kind: string) => posted.push(kind),
    __vcx_random: (count: number) => Buffer.alloc(count).toString('base64'),
    __vcx_domainToASCII: (host: string) => host,
  }) as { __vcx_enter?: Enter };
  const script = new Script(source, { filename: 'vcx:prelude' });
  script.runInContext(context);
  new Script(PLUGIN).runInContext(context);
  const setup = { bindings: [], responseBytes: 1_024, logLineChars: 100 };
  context.__vcx_enter?.('load', 1, JSON.stringify(setup));
  context.__vcx_enter?.('call', 2, requestText());
  const body = Buffer.from('{}').toString('base64');
  context.__vcx_enter?.('call', 3, requestText({ method: 'POST', body }));
  while (posted.filter((kind) => kind === 'settled').length < 2)
    await new Promise((resolve) => setImmediate(resolve));
  return script.createCachedData();
}

const { source } = await buildPrelude();
const cache = await makeCache(source);
const isolate = new ivm.Isolate({ memoryLimit: 64 });
const cachedData = new ivm.ExternalCopy(new Uint8Array(cache).buffer);
const start = performance.now();
const script = await isolate.compileScript(source, { filename: 'vcx:prelude', cachedData });
const { cachedDataRejected } = script as unknown as { cachedDataRejected: boolean };
const compileMs = performance.now() - start;
console.log(JSON.stringify({ cachedDataRejected, bytes: cache.length, compileMs }));
isolate.dispose();
