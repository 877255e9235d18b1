/**
 * Guests that use CPU or time for ever, by every road that leads past a limit on one entry.
 * May import: the hostile kit.
 */
import type { HostileGuest } from '../../support/hostile/kit.ts';

/** CPU time is what these use up; on a starved machine wall time may run out first. */
const BUSY: HostileGuest['expect'] = ['CPU_EXCEEDED', 'WALL_EXCEEDED'];
/** Those that use memory on the way. */
const BUSY_OR_FULL: HostileGuest['expect'] = [...BUSY, 'MEMORY_EXCEEDED', 'RUNNER_KILLED'];

function guests(expect: HostileGuest['expect'], bodies: Readonly<Record<string, string>>) {
  return Object.entries(bodies).map(([name, call]): HostileGuest => ({ name, call, expect }));
}

export const LOOPS: readonly HostileGuest[] = [
  ...guests(BUSY, {
    'a loop': 'for (;;);',
    'a loop in try and finally': 'for (;;) { try { for (;;); } finally { continue; } }',
    'a microtask loop': 'for (;;) await null;',
    'a microtask loop by then':
      'const f = () => Promise.resolve().then(f); await f(); await new Promise(() => {});',
    'a loop of queueMicrotask':
      'const f = () => queueMicrotask(f); f(); await new Promise(() => {});',
    'a loop after a host call': 'await env.kv.get("x"); for (;;);',
    'a loop in a timer': 'setTimeout(() => { for (;;); }, 1); await new Promise(() => {});',
    'a loop in an abort listener':
      'const c = new AbortController(); c.signal.addEventListener("abort", () => { for (;;); }); c.abort();',
    'a loop of log lines': 'for (;;) console.log("x");',
    'a loop of random bytes': 'const b = new Uint8Array(1024); for (;;) crypto.getRandomValues(b);',
    'a loop of host names': 'for (let i = 0; ; i++) new URL("https://ä" + i + ".example/");',
    'a storm of intervals':
      'for (let i = 0; i < 200; i++) setInterval(() => { for (let n = 0; n < 1e5; n++); }, 1); await new Promise(() => {});',
    'a loop in a getter of a thrown error': 'throw { get message() { for (;;); } };',
    'a loop in the stack of a thrown error':
      'const e = new Error("x"); Object.defineProperty(e, "stack", { get() { for (;;); } }); throw e;',
    'a loop in toString of a thrown function':
      'const f = () => {}; f.toString = f[Symbol.toPrimitive] = () => { for (;;); }; throw f;',
    'a thrown proxy of loops':
      'throw new Proxy({}, { get() { for (;;); }, has() { for (;;); }, getPrototypeOf() { for (;;); }, ownKeys() { for (;;); } });',
    'a returned proxy of loops':
      'return new Proxy(new Response("x"), { get() { for (;;); }, has() { for (;;); }, getPrototypeOf() { for (;;); } });',
    'a returned thenable that loops': 'return { then() { for (;;); } };',
    'a loop in toJSON of a body': 'return Response.json({ toJSON() { for (;;); } });',
    'a loop in an iterator of headers':
      'return new Response("", { headers: { *[Symbol.iterator]() { for (;;); } } });',
    'a loop in a response stream':
      'return new Response(new ReadableStream({ pull() { for (;;); } }));',
    'a loop in a log argument': 'console.log({ toJSON() { for (;;); } });',
    'a loop in arguments of a host call': 'await env.kv.put("x", { toJSON() { for (;;); } });',
    'a loop in waitUntil': 'ctx.waitUntil({ then() { for (;;); } }); await new Promise(() => {});',
    'a loop in a sort': '[3, 2, 1].sort(() => { for (;;); });',
    'a generator without end':
      'for (const x of (function* () { for (;;) yield 1; })()) globalThis.kept = x;',
    'a backtracking regular expression': '/^(a+)+$/.test("a".repeat(60) + "b");',
    'a loop in Error.prepareStackTrace':
      'try { Error.prepareStackTrace = () => { for (;;); }; } catch {} new Error("x").stack; for (;;);',
    'a look-behind that backtracks': '/(?<=(a+)+b)c/.test("a".repeat(40) + "c"); for (;;);',
    'a loop in a getter met by assign': 'Object.assign({}, { get x() { for (;;); } });',
    'a loop in the reviver of JSON': 'JSON.parse("[1]", () => { for (;;); });',
    'a set without end':
      'new Set([1]).union({ size: 1, has() {}, keys() { return { next: () => ({ done: false, value: 1 }) }; } });',
    'an iterator dropped for ever':
      'Iterator.from((function* () { for (;;) yield 1; })()).drop(2 ** 53 - 1).next();',
    'thenables without end': 'const t = { then(done) { done(t); } }; return t;',
    'a stream that fails with a proxy of loops':
      'return new Response(new ReadableStream({ pull(c) { c.error(new Proxy({}, { get() { for (;;); } })); } }));',
    'an overflow in catch and finally': 'const f = () => { try { f(); } finally { f(); } }; f();',
    'a loop in new code': 'new Function("for (;;);")();',
    'a loop by the species of a promise':
      'class P extends Promise { static get [Symbol.species]() { for (;;); } } await P.resolve(1).then(() => 1);',
    'a loop with Object.prototype.then':
      'Object.defineProperty(Object.prototype, "then", { get() { for (;;); }, configurable: true }); return new Response("x");',
  }),
  ...guests(BUSY_OR_FULL, {
    'a flood of promises': 'const all = []; for (;;) all.push(Promise.reject(1).catch(() => {}));',
    'a flood of closures': 'const all = []; for (;;) all.push(() => all);',
    'a flood of symbols': 'for (let i = 0; ; i++) Symbol.for("s" + i);',
    'a flood of segments':
      'const s = new Intl.Segmenter("en"); const all = []; for (;;) all.push([...s.segment("a".repeat(10000))]);',
    'a flood of formatters': 'const all = []; for (;;) all.push(new Intl.DateTimeFormat("en"));',
    'a flood of zoned times':
      'const all = []; for (;;) all.push(Temporal.Now.zonedDateTimeISO("Europe/Berlin").add({ years: 1 }));',
    'texts compared by locale':
      'const a = "\\u00e4".repeat(1e7); for (;;) globalThis.kept = a.localeCompare(a + "x");',
    'timers that start timers':
      'const f = () => { setTimeout(f, 0); setTimeout(f, 0); }; f(); await new Promise(() => {});',
    'a flood of regular expressions':
      'const all = []; for (let i = 0; ; i++) all.push(new RegExp("a" + i + "[b-z]{1,100}").exec("a"));',
    'a regular expression with a source of two million classes':
      'new RegExp("[ab]".repeat(2e6)).test("x"); for (;;);',
    'deeply nested JSON': 'JSON.parse("[".repeat(1e7)); for (;;);',
    'a flood of code':
      'const all = []; for (let i = 0; ; i++) all.push(new Function("return " + i + "+[1,2,3].map(x=>x)"));',
    'a structured clone of a deep object':
      'let o = {}; for (let i = 0; i < 1e6; i++) o = { o }; structuredClone(o); for (;;);',
  }),
  {
    name: 'a loop of host calls answered at once',
    call: 'for (;;) await env.kv.get("x");',
    expect: ['HOST_CALLS_EXCEEDED', ...BUSY],
  },
  {
    name: 'a loop of timers set and cleared',
    call: 'for (;;) clearTimeout(setTimeout(() => {}, 1e6));',
    expect: ['PLUGIN_THREW', ...BUSY],
    limits: { cpuMs: 2_000 },
  },
  {
    name: 'await for ever',
    call: 'await new Promise(() => {});',
    expect: ['WALL_EXCEEDED'],
    limits: { wallMs: 300 },
  },
  {
    name: 'a body that never ends and never yields',
    call: 'return new Response(new ReadableStream({ pull() { return new Promise(() => {}); } }));',
    expect: ['WALL_EXCEEDED'],
    limits: { wallMs: 300 },
  },
  {
    name: 'timers for ever without work',
    call: 'for (;;) await new Promise((done) => setTimeout(done, 50));',
    expect: ['WALL_EXCEEDED', 'CPU_EXCEEDED'],
    limits: { wallMs: 500 },
  },
  {
    name: 'recursion without end',
    call: 'const f = () => f() + 1; f();',
    expect: ['PLUGIN_THREW'],
  },
  {
    name: 'waiting for an atomic',
    call: 'Atomics.wait(new Int32Array(new SharedArrayBuffer(8)), 0, 0);',
    expect: ['PLUGIN_THREW'],
  },
];
