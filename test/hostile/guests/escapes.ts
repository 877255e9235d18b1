/**
 * Guests that look for a way out: realms, doors of the wrapper, polluted prototypes, forged bindings.
 * Each must be answered in order, and show that it found nothing.
 * May import: the hostile kit.
 */
import type { HostileGuest } from '../../support/hostile/kit.ts';

/** Replies with the JSON of what it found. */
const show = (expression: string): string => `return Response.json(${expression});`;
/** Runs code from text in the deepest realm that an object's constructors lead to. */
const through = (expression: string): string =>
  `let found; try { found = (${expression}).constructor.constructor("return typeof process + typeof require + typeof globalThis.__vcx_post")(); } catch (e) { found = "refused"; }
   return new Response(found === "refused" || found === "undefinedundefinedundefined" ? "contained" : found);`;

const REALMS: Readonly<Record<string, string>> = {
  'the constructor of a function': through('(() => {})'),
  'the constructor of env': through('env'),
  'the constructor of a binding': through('env.kv.get'),
  'the constructor of ctx': through('ctx.waitUntil'),
  'the constructor of request': through('request.text'),
  'the constructor of console': through('console.log'),
  'the constructor of a host answer': through('(await env.kv.get("x")) ?? {}'),
  'the constructor of a platform error': through(
    '(() => { try { atob("%"); } catch (e) { return e; } })()',
  ),
  'the constructor of a stack overflow': through(
    '(() => { try { (function f() { f(); })(); } catch (e) { return e; } })()',
  ),
  'the constructor of a random answer': through('crypto.getRandomValues'),
};

const CONTAINED: Readonly<Record<string, string>> = {
  'a dynamic import':
    'let fs; try { fs = await new Function("return import(\'node:fs\')")(); } catch {} return new Response(fs ? "escaped" : "contained");',
  'names of the runtime':
    'const names = []; for (let o = globalThis; o; o = Object.getPrototypeOf(o)) names.push(...Reflect.ownKeys(o).map(String)); return new Response(names.filter((n) => /vcx|^process$|^require$|^Buffer$|^ivm|WebAssembly|SharedArray|Atomics/.test(n)).join() || "contained");',
  'the callers of the handler':
    'let f; try { f = (function g() { return g.caller; })(); } catch {} return new Response(f == null ? "contained" : String(f));',
  'frames of the stack':
    'let leaked = ""; try { Error.stackTraceLimit = 100; } catch {} try { Error.prepareStackTrace = (_, frames) => { leaked = frames.map((f) => f.getFunction?.()).join(); }; } catch {} new Error("x").stack; return new Response(leaked || "contained");',
  'host paths in a stack':
    'const s = new Error("x").stack + (await env.kv.get("x").catch((e) => e.stack)); return new Response(/file:|node:|node_modules|[/]host[/]|[/]runner[/]/.test(s) ? s : "contained");',
  'a forged door':
    'globalThis.__vcx_post = globalThis.__vcx_enter = () => { throw 1; }; globalThis.__vcx_plugin = {}; return new Response("contained");',
  'the doors through a patched call':
    'const seen = []; const spy = (o, k) => { const real = o[k]; o[k] = function (...a) { for (const x of [this, ...a]) if (typeof x === "function" && String(x.name + x).includes("vcx")) seen.push(String(x)); return Reflect.apply(real, this, a); }; }; spy(Function.prototype, "call"); spy(Function.prototype, "apply"); spy(Function.prototype, "bind"); console.log("x"); crypto.randomUUID(); await env.kv.get("x"); return new Response(seen.join() || "contained");',
  'code from text in every kind of function':
    'const found = []; for (const f of [function* () {}, async () => {}, async function* () {}]) { const made = Object.getPrototypeOf(f).constructor("return typeof process + typeof WebAssembly + typeof SharedArrayBuffer")(); const end = await (made.next?.() ?? made); found.push(end.value ?? end); } return new Response(found.every((t) => t === "undefinedundefinedundefined") ? "contained" : found.join());',
  'imports from text':
    'let got = 0; for (const t of ["import(\'node:fs\')", "import.source(\'x\')", "import.meta.url"]) try { await (0, eval)(t); got++; } catch {} return new Response(got ? "escaped" : "contained");',
  'statuses and header lines that are none':
    'const made = []; const no = (init, body = "x") => { try { new Response(body, init); made.push(init); } catch {} }; for (const status of [NaN, 0, 99, 101, 199, 600, 1000, -1, Infinity, 204, 304]) no({ status }); for (const [k, v] of [["x", "a\\r\\nb: c"], ["x", "a\\0b"], ["x", "\\u0100"], ["a b", "c"], ["a\\n", "c"], ["", "c"]]) no({ headers: [[k, v]] }); no({ statusText: "a\\r\\nb" }); return made.length ? Response.json(made) : new Response("contained");',
  'an inherited reply':
    'Object.assign(Object.prototype, { status: 299, headers: [["x-evil", "1"]], body: "ZXZpbA==", ok: false, code: "EVIL", reason: "evil" }); return new Response("contained");',
};

/** Tampering after which the guest's own reply may fail; nobody else's may. */
const SELF_HARM: Readonly<Record<string, string>> = {
  'a patched JSON':
    'JSON.stringify = () => "evil"; JSON.parse = () => ({ evil: true }); return new Response("contained");',
  'patched arrays':
    'for (const k of ["push", "map", "join", "filter", "forEach", "slice"]) Array.prototype[k] = () => { throw new Error("patched"); }; const own = console.log; own("x"); return new Response("contained");',
  'patched strings':
    'for (const k of ["slice", "charCodeAt", "startsWith", "replace"]) String.prototype[k] = () => "evil"; return new Response("contained");',
  'patched maps':
    'for (const k of ["get", "set", "has", "delete"]) Map.prototype[k] = () => { throw new Error("patched"); }; return new Response("contained");',
  'numbered setters':
    'for (let i = 0; i < 8; i++) Object.defineProperty(Array.prototype, i, { set() { throw new Error("setter"); }, get() { return "evil"; }, configurable: true }); return new Response("contained");',
  'a deleted platform':
    'for (const k of Object.getOwnPropertyNames(globalThis)) try { if (k !== "Response") delete globalThis[k]; } catch {} return new Response("contained");',
  'a frozen platform':
    'for (const k of Object.getOwnPropertyNames(globalThis)) try { Object.freeze(globalThis[k]); Object.freeze(globalThis[k].prototype); } catch {} return new Response("contained");',
};

export const ESCAPES: readonly HostileGuest[] = [
  ...Object.entries({ ...REALMS, ...CONTAINED }).map(([name, call]): HostileGuest => ({
    name,
    call,
    expect: ['replied'],
    text: 'contained',
  })),
  ...Object.entries(SELF_HARM).map(([name, call]): HostileGuest => ({
    name,
    call,
    expect: ['replied', 'PLUGIN_THREW', 'RESPONSE_INVALID'],
    text: 'contained',
  })),
  {
    name: 'another realm by its wishes',
    call: show('[typeof ShadowRealm, typeof Worker, typeof process, typeof Deno, typeof fetch]'),
    expect: ['replied'],
    text: '["undefined","undefined","undefined","undefined","undefined"]',
  },
  {
    name: 'a forged response',
    call: 'const r = Object.create(Response.prototype); Object.assign(r, { status: 200 }); return r;',
    expect: ['RESPONSE_INVALID', 'PLUGIN_THREW'],
  },
  {
    name: 'a patched response status',
    call: 'Object.defineProperty(Response.prototype, "status", { get: () => 42 }); Object.defineProperty(Response.prototype, "headers", { get: () => ({ entries: () => [["a", "b"]] }) }); return new Response("done");',
    expect: ['replied'],
  },
  {
    name: 'patched promises',
    call: 'Promise.prototype.then = () => { throw new Error("patched"); }; Promise.resolve = () => { throw 1; }; return new Response("done");',
    // Only the guest itself may suffer.
    expect: ['replied', 'PLUGIN_THREW', 'WALL_EXCEEDED'],
    limits: { wallMs: 500 },
  },
  {
    name: 'a poisoned then of everything',
    call: 'Object.prototype.then = function (done) { done("evil"); }; return new Response("done");',
    expect: ['replied', 'RESPONSE_INVALID', 'PLUGIN_THREW', 'WALL_EXCEEDED'],
    limits: { wallMs: 500 },
  },
  {
    name: 'a poisoned iterator',
    call: 'Array.prototype[Symbol.iterator] = function* () { yield ["x-evil", "1"]; for (;;) yield "evil"; }; return new Response("done");',
    expect: [
      'replied',
      'RESPONSE_INVALID',
      'PLUGIN_THREW',
      'CPU_EXCEEDED',
      'WALL_EXCEEDED',
      'MEMORY_EXCEEDED',
      'RESPONSE_TOO_LARGE',
    ],
    limits: { wallMs: 2_000 },
  },
  {
    name: 'a thrown symbol',
    call: 'throw Symbol("x");',
    expect: ['PLUGIN_THREW'],
  },
  {
    name: 'a thrown null prototype',
    call: 'throw Object.create(null);',
    expect: ['PLUGIN_THREW'],
  },
  {
    name: 'a thrown error without end',
    call: 'throw new Error("x".repeat(1e7), { cause: new Error("y".repeat(1e7)) });',
    expect: ['PLUGIN_THREW'],
  },
  {
    name: 'a thrown error of control characters',
    call: 'throw new Error(String.fromCharCode(0, 1, 27, 0xD800, 0xFFFF) + "]]><x/>");',
    expect: ['PLUGIN_THREW'],
  },
  {
    name: 'a revoked proxy returned',
    call: 'const { proxy, revoke } = Proxy.revocable(new Response("x"), {}); revoke(); return proxy;',
    expect: ['RESPONSE_INVALID', 'PLUGIN_THREW'],
  },
  {
    name: 'a revoked proxy thrown',
    call: 'const { proxy, revoke } = Proxy.revocable({}, {}); revoke(); throw proxy;',
    expect: ['PLUGIN_THREW'],
  },
  {
    name: 'a subclass of Response whose getters lie',
    call: 'return new (class extends Response { get status() { return 999; } get headers() { return null; } get body() { for (;;); } })("done");',
    expect: ['replied'],
  },
  {
    name: 'a harmless proxy of a response',
    call: 'return new Proxy(new Response("x"), {});',
    expect: ['RESPONSE_INVALID'],
  },
  {
    name: 'a thenable that answers twice',
    call: 'return { then(answer) { answer(new Response("done")); answer(new Response("evil")); throw 1; } };',
    expect: ['replied'],
  },
  {
    name: 'a body that somebody else reads',
    call: 'const r = new Response("x"); r.body.getReader(); return r;',
    expect: ['RESPONSE_INVALID'],
  },
  {
    name: 'a stream of something else than bytes',
    call: 'return new Response(new ReadableStream({ start(c) { c.enqueue(new Uint16Array(5)); c.close(); } }));',
    expect: ['RESPONSE_INVALID'],
  },
  {
    name: 'a stream whose chunk lies about its length',
    call: 'return new Response(new ReadableStream({ start(c) { c.enqueue(new (class extends Uint8Array { get length() { return 1; } })(3e6)); c.close(); } }));',
    expect: ['PLUGIN_THREW', 'RESPONSE_INVALID', 'RESPONSE_TOO_LARGE'],
  },
  {
    name: 'names of methods that are none',
    call: 'for (const name of ["__proto__", "constructor", "get\\"}{", "\\0".repeat(1e5), Symbol("x")]) await env.kv.call(name, []).catch(() => {});',
    expect: ['replied'],
  },
  {
    name: 'everything logged',
    call: 'const o = {}; o.o = o; const p = new Proxy(() => {}, { get() { throw 1; }, ownKeys() { throw 2; } }); console.log(o, new Map([[o, o]]), new Set([o]), p, 1n, Symbol("x"), [, -0], new Date(NaN)); console.log("%s%d%i%f%o%O%j%c%%".repeat(1e3), ...Array(1e3).fill(1n));',
    expect: ['replied'],
  },
  {
    name: 'everything rejected',
    call: 'const e = new AggregateError([], "x"); e.cause = e; e.errors.push(e); for (const reason of [Symbol("x"), null, undefined, 1n, e, new Error("x".repeat(1e6))]) Promise.reject(reason);',
    expect: ['replied'],
  },
  {
    name: 'all static functions replaced',
    call: 'for (const O of [Object, Reflect, Promise, Array, String, JSON]) for (const k of Object.getOwnPropertyNames(O)) try { if (typeof O[k] === "function" && k !== "prototype") O[k] = () => { throw new Error("patched"); }; } catch {}',
    expect: ['replied', 'PLUGIN_THREW', 'RESPONSE_INVALID'],
  },
  {
    name: 'a status that is no status',
    call: 'return Response.error();',
    expect: ['RESPONSE_INVALID'],
  },
];
