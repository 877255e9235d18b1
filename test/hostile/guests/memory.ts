/**
 * Guests that want memory: in the heap, beside it where V8 does not count, and in the queues of others.
 * May import: the hostile kit.
 */
import type { HostileGuest } from '../../support/hostile/kit.ts';

/** A limit was met; which one is a matter of speed. */
const STOPPED: HostileGuest['expect'] = [
  'MEMORY_EXCEEDED',
  'RUNNER_KILLED',
  'CPU_EXCEEDED',
  'WALL_EXCEEDED',
];
/** V8 may also refuse by an exception of its own, which ends the call as thrown. */
const STOPPED_OR_THREW: HostileGuest['expect'] = [...STOPPED, 'PLUGIN_THREW'];
/** Enough CPU to do harm in. */
const limits = { cpuMs: 1_000 };

const KEEP = 'const all = globalThis.all = [];';

const BODIES: Readonly<Record<string, string>> = {
  'a heap that grows': `${KEEP} for (;;) all.push(new Array(1000).fill(all.length));`,
  'an array filled': `${KEEP} for (;;) all.push(new Array(3e7).fill(1.5));`,
  'an array that is only long': `${KEEP} for (;;) all.push(new Array(3e7));`,
  'flat strings': `${KEEP} for (;;) { const s = "x".repeat(2 ** 27) + all.length; s.charCodeAt(5); all.push(s); }`,
  'a string split': `${KEEP} for (;;) all.push("ab".repeat(2 ** 22).split("b"));`,
  'a blow-up by replace':
    '"x".repeat(2 ** 15).replace(/x/g, "y".repeat(2 ** 15)).charCodeAt(1); for (;;);',
  'big JSON parsed': `${KEEP} const t = "[" + "{},".repeat(2e6) + "0]"; for (;;) all.push(JSON.parse(t));`,
  'big JSON made': `${KEEP} const o = Array(4000).fill("x".repeat(1 << 16)); for (;;) all.push(JSON.stringify(o));`,
  'normalized text': `${KEEP} for (;;) { const s = "\\uFDFA".repeat(2 ** 20).normalize("NFKD"); s.charCodeAt(1); all.push(s); }`,
  'arguments by the million': '((...a) => a.length).apply(null, new Array(2e7)); for (;;);',
  'array buffers': `${KEEP} for (;;) all.push(new Uint8Array(1 << 20).fill(1));`,
  'text encoded': `${KEEP} const t = "x".repeat(1 << 22); for (;;) all.push(new TextEncoder().encode(t));`,
  blobs: `${KEEP} const part = new Uint8Array(1 << 20).fill(7); for (;;) all.push(new Blob([...all, part]));`,
  forms: `${KEEP} const f = new FormData(); for (let i = 0; ; i++) f.append("k" + i, "x".repeat(1 << 14) + i);`,
  'a clone bomb in JSON':
    'const s = "x".repeat(1 << 20); return Response.json(Array(4000).fill(s));',
  'a clone bomb in a host call':
    'const s = "x".repeat(1 << 20); await env.kv.put("k", Array(4000).fill(s)); for (;;);',
  'a long log line': `${KEEP} for (;;) { const s = "x".repeat(1 << 24) + all.length; all.push(s); console.log(s); }`,
  'streams without readers': `${KEEP} for (;;) new ReadableStream({ start(c) { all.push(c); for (let i = 0; i < 100; i++) c.enqueue(new Uint8Array(1 << 16).fill(i)); } });`,
  'base64 of base64': 'let s = "x".repeat(1 << 20); for (;;) s = btoa(s);',
  'padded text': `${KEEP} for (;;) { const s = "x".padEnd(2 ** 27, "ab" + all.length); s.charCodeAt(3); all.push(s); }`,
  'numbers of thousands of digits': `${KEEP} for (let i = 1n; ; i++) all.push(i << 100000n);`,
  'a weak map that grows': `${KEEP} const w = globalThis.w = new WeakMap(); for (;;) { const k = {}; all.push(k); w.set(k, new Array(10)); }`,
  'bytes from base64': `${KEEP} const s = "AAAA".repeat(2 ** 20); for (;;) all.push(Uint8Array.fromBase64(s));`,
  'doubling text': 'let s = "x"; for (;;) { s += s; s.charCodeAt(s.length - 1); }',
};

/** Names that are gone, so that memory that is not counted can not be had. */
const ABSENT: Readonly<Record<string, string>> = {
  'WebAssembly memory': 'new WebAssembly.Memory({ initial: 1000 });',
  'a WebAssembly table': 'new WebAssembly.Table({ initial: 1e7, element: "anyfunc" });',
  'a growable shared buffer': 'new SharedArrayBuffer(8, { maxByteLength: 2 ** 30 }).grow(2 ** 30);',
  'a resizable buffer': 'new ArrayBuffer(8, { maxByteLength: 2 ** 30 }).resize(2 ** 30);',
  'a resizable buffer by the constructor of a view':
    'const C = new Uint8Array(8).buffer.constructor; new C(8, { maxByteLength: 2 ** 30 }).resize(2 ** 30);',
  'a resizable buffer by a subclass':
    'class B extends ArrayBuffer { constructor() { super(8, { maxByteLength: 2 ** 30 }); } } new B().resize(2 ** 30);',
  'a resizable buffer by Reflect.construct':
    'Reflect.construct(ArrayBuffer, [8, { maxByteLength: 2 ** 30 }], Uint8Array).resize(2 ** 30);',
  'a resizable buffer by its species':
    'new (ArrayBuffer[Symbol.species])(8, { maxByteLength: 2 ** 30 }).resize(2 ** 30);',
  'a resizable buffer by new code':
    'new Function("return new ArrayBuffer(8, { maxByteLength: 2 ** 30 })")().resize(2 ** 30);',
  'a buffer of two gigabytes': 'new ArrayBuffer(2 ** 31);',
  'a weak reference': 'new WeakRef({});',
};

export const MEMORY: readonly HostileGuest[] = [
  ...Object.entries(BODIES).map(([name, call]) => ({
    name,
    call,
    limits,
    expect: STOPPED_OR_THREW,
  })),
  ...Object.entries(ABSENT).map(([name, call]): HostileGuest => ({
    name,
    call,
    expect: ['PLUGIN_THREW'],
  })),
  {
    name: 'a buffer that only claims to be resizable',
    call: 'const b = new ArrayBuffer(8, { maxByteLength: 2 ** 30 }); return new Response(String(b.resizable) + b.maxByteLength);',
    expect: ['replied'],
    text: 'false8',
  },
  {
    name: 'a value that is no response',
    call: 'return Array(4000).fill("x".repeat(1 << 20));',
    expect: ['RESPONSE_INVALID'],
  },
  {
    name: 'a response over its limit',
    call: 'return new Response("x".repeat(3_000_000));',
    expect: ['RESPONSE_TOO_LARGE'],
    limits,
  },
  {
    name: 'a response stream without end',
    call: 'return new Response(new ReadableStream({ pull(c) { c.enqueue(new Uint8Array(65536)); } }));',
    expect: ['RESPONSE_TOO_LARGE'],
    limits,
  },
  {
    name: 'ten thousand headers',
    call: 'const r = new Response("x"); for (let i = 0; i < 10000; i++) r.headers.append("x-" + i, "y".repeat(100)); return r;',
    expect: ['RESPONSE_INVALID'],
    limits,
  },
  {
    name: 'a response whose length lies',
    call: `Object.defineProperty(Object.getPrototypeOf(Uint8Array.prototype), "length", { get() { return 1; } });
      return new Response(new Uint8Array(4_000_000));`,
    // The check in the guest is deceived; the one in the runner is not.
    expect: ['RESPONSE_TOO_LARGE', 'RESPONSE_INVALID', 'PLUGIN_THREW'],
    limits,
  },
];
