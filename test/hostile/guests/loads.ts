/**
 * Guests that attack while their module is loaded: no call of theirs is ever answered well, all others go on.
 * May import: the hostile kit.
 */
import type { HostileGuest } from '../../support/hostile/kit.ts';

const ENDED: HostileGuest['expect'] = [
  'CPU_EXCEEDED',
  'WALL_EXCEEDED',
  'MEMORY_EXCEEDED',
  'RUNNER_KILLED',
  'PLUGIN_UNAVAILABLE',
];

const BODIES: Readonly<Record<string, string>> = {
  'a loop while loading': 'for (;;);',
  'a microtask loop while loading': 'const f = () => Promise.resolve().then(f); f();',
  'a wedge while loading': 'Array.prototype.includes.call({ length: 2 ** 53 - 1 }, 1);',
  'memory while loading':
    'const all = globalThis.all = []; for (;;) all.push(new Array(1e6).fill(1.5));',
  'a Map that grows while loading': 'const m = new Map(); for (let i = 0; ; i++) m.set(i, i);',
  'a thrown proxy while loading':
    'throw new Proxy({}, { get() { for (;;); }, has() { for (;;); }, getPrototypeOf() { for (;;); } });',
  'a thrown error with a looping stack while loading':
    'const e = new Error("x"); Object.defineProperty(e, "stack", { get() { for (;;); } }); throw e;',
  'an entry point that loops':
    'Object.defineProperty(globalThis, "__vcx_plugin", { get() { for (;;); }, set() {}, configurable: false });',
};

export const LOADS: readonly HostileGuest[] = [
  ...Object.entries(BODIES).map(([name, load]): HostileGuest => ({ name, load, expect: ENDED })),
  {
    name: 'a module that throws',
    load: 'throw new Error("no");',
    expect: ['PLUGIN_UNAVAILABLE'],
  },
  {
    name: 'an entry point that can not be taken away',
    load: 'Object.defineProperty(globalThis, "__vcx_plugin", { value: { fetch() {} }, configurable: false });',
    expect: ['PLUGIN_UNAVAILABLE'],
  },
];

/** Whole scripts that no bundler made. */
export const SCRIPTS: readonly (HostileGuest & { readonly source: string })[] = [
  {
    name: 'a script whose last value is a function with a looping proxy behind it',
    source:
      'globalThis.__vcx_plugin = { fetch() { return new Response("done"); } }; new Proxy(function () {}, { get() { for (;;); }, apply() { for (;;); }, getPrototypeOf() { for (;;); } })',
    expect: ['replied', ...ENDED],
  },
  {
    name: 'a script whose last value is half a gigabyte of text',
    source:
      'globalThis.__vcx_plugin = { fetch() { return new Response("done"); } }; "x".repeat(2 ** 29 - 25)',
    expect: ['replied', ...ENDED],
  },
  {
    name: 'a script that hides the end of the text in a comment',
    source:
      'globalThis.__vcx_plugin = { fetch() { return new Response("done"); } }; (function () {}) //',
    expect: ['replied'],
  },
  { name: 'a script that does not parse', source: 'for (', expect: ['PLUGIN_UNAVAILABLE'] },
  { name: 'a script of brackets', source: '('.repeat(400_000), expect: ENDED },
  {
    name: 'a script that gives names of handlers that are none',
    source: `Array.prototype.filter = function () { return { length: 1, join: () => 'x"],{' }; };
      globalThis.__vcx_plugin = { fetch() { return new Response("done"); } };0`,
    expect: ['replied', 'PLUGIN_UNAVAILABLE'],
  },
];
