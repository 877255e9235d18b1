/**
 * CPU of isolates without a host: what making one costs, and a call of `hello` when so many take turns on one thread.
 * `node --no-node-snapshot --v8-pool-size=1 --expose-gc test/bench/isolates.ts [isolates] [calls]`; prints JSON.
 * CPU time hardly depends on what else runs, except for what that takes of the processor's caches: compare versions by turns.
 * May import: host/runner, sdk/guest.
 */
import { createContext, Script } from 'node:vm';
import { fileURLToPath } from 'node:url';
import ivm from 'isolated-vm';
import { buildPrelude, bundlePlugin } from '#sdk/guest';
import { createGuestContext, createIsolate, runScript, takeEnter } from '../../host/runner/boot.ts';
import { createWarmUpScope, warmUp, WARM_UP_PLUGIN } from '../../host/runner/warm-up.ts';

const [count = 100, calls = 48] = process.argv.slice(2).map(Number);
const SETUP = JSON.stringify({ bindings: [], responseBytes: 262_144, logLineChars: 2_000 });
const REQUEST = JSON.stringify({
  handler: 'fetch',
  method: 'GET',
  url: 'https://vcloud.example.com/api/hello?name=bench',
  headers: [['Accept', 'application/json']],
  body: null,
  params: {},
  requestId: 'r-1',
  caller: { user: 'u', org: 'o', rights: [], provider: false },
  remainingMs: 9_000,
  config: null,
});

const external = (bytes: Buffer): ivm.ExternalCopy<ArrayBuffer> =>
  new ivm.ExternalCopy(new Uint8Array(bytes).buffer);

async function scripts() {
  const { source } = await buildPrelude();
  const script = new Script(source, { filename: 'vcx:prelude' });
  const scope = createWarmUpScope();
  const context = createContext(scope.globals);
  script.runInContext(context);
  new Script(WARM_UP_PLUGIN).runInContext(context);
  await warmUp(scope);
  const entry = fileURLToPath(new URL('../../plugins/hello/main.ts', import.meta.url));
  const main = `${(await bundlePlugin(entry, { compact: true })).source}\n;0`;
  const mainCache = new Script(main, { filename: 'plugin:main.js' }).createCachedData();
  return {
    prelude: { source, filename: 'vcx:prelude', cache: external(script.createCachedData()) },
    main: { source: main, filename: 'plugin:main.js', cache: external(mainCache) },
  };
}

const { prelude, main } = await scripts();

async function open() {
  const isolate = createIsolate(64, () => undefined);
  const context = await createGuestContext(isolate, () => undefined);
  await runScript(isolate, context, prelude, 10_000);
  const enter = await takeEnter(context);
  await runScript(isolate, context, main, 10_000);
  // oxlint-disable-next-line no-useless-call -- a Reference is no function: apply is its only way in
  await enter.apply(undefined, ['load', 0, SETUP, false]);
  return { isolate, enter };
}

function usedUs(): number {
  const { user, system } = process.cpuUsage();
  return user + system;
}

const guests: Awaited<ReturnType<typeof open>>[] = [];
const began = usedUs();
while (guests.length < count) guests.push(await open());
const openUs = (usedUs() - began) / count;

let id = 0;
/** All take turns, so many times; CPU of one call in microseconds. */
function turns(times: number): number {
  const from = usedUs();
  for (let turn = 0; turn < times; turn++)
    for (const { enter } of guests) {
      enter.applySync(undefined, ['call', ++id, REQUEST, true], { timeout: 1_000 });
      const kept = enter.applySync(undefined, ['take', 0, '', false]);
      if (typeof kept !== 'string' || !kept.includes('"status":200'))
        throw new Error('a call was not answered');
    }
  return (usedUs() - from) / (times * count);
}

turns(2);
const heapKb = Math.round((guests[0]?.isolate.getHeapStatisticsSync().used_heap_size ?? 0) / 1_024);
turns(calls - 2);
const callUs = turns(calls);
console.log(JSON.stringify({ isolates: count, calls, openUs, callUs, heapKb }));
for (const { isolate } of guests) isolate.dispose();
