/**
 * Guests that flood the host, or leave something behind that goes on after their reply.
 * May import: the hostile kit.
 */
import type { HostileGuest } from '../../support/hostile/kit.ts';

export const FLOODS: readonly HostileGuest[] = [
  {
    name: 'ten thousand log lines',
    call: 'for (let i = 0; i < 10000; i++) console.log("line " + i);',
    expect: ['replied', 'CPU_EXCEEDED'],
    limits: { cpuMs: 2_000 },
  },
  {
    name: 'log lines of terminal codes and line breaks',
    call: 'console.error(String.fromCharCode(27) + "[2J\\n{\\"level\\":60}\\r\\n\\u2028");',
    expect: ['replied'],
  },
  {
    name: 'a flood of host calls at once',
    call: 'for (let i = 0; i < 100000; i++) env.kv.get("x" + i).catch(() => {}); await new Promise(() => {});',
    expect: ['HOST_CALLS_EXCEEDED', 'WALL_EXCEEDED', 'CPU_EXCEEDED', 'MEMORY_EXCEEDED'],
    limits: { wallMs: 800, cpuMs: 500 },
  },
  {
    name: 'host calls one after the other',
    call: 'for (let i = 0; i < 100000; i++) await env.kv.get("x");',
    expect: ['HOST_CALLS_EXCEEDED'],
    limits: { hostCalls: 50, cpuMs: 2_000 },
  },
  {
    name: 'host calls of a megabyte each',
    call: 'const s = "x".repeat(1_000_000); for (;;) await env.kv.put("k", s);',
    expect: ['HOST_CALLS_EXCEEDED'],
    limits: { hostCallBytes: 3_000_000, cpuMs: 2_000 },
  },
  {
    name: 'a host call larger than any',
    call: 'await env.kv.put("k", "x".repeat(3_000_000));',
    expect: ['PLUGIN_THREW'],
    limits: { cpuMs: 2_000 },
  },
  {
    name: 'host calls that are answered with nothing',
    call: 'await env.kv.constructor.prototype.call.call(env.kv, { toString() { return "get\\",\\"binding\\":\\"vcloud"; } });',
    expect: ['replied', 'PLUGIN_THREW'],
  },
  {
    name: 'digests without end',
    call: 'const b = new Uint8Array(500_000); for (;;) await Promise.all(Array.from({ length: 20 }, () => crypto.subtle.digest("SHA-512", b)));',
    // The runner makes them on its own thread: on a starved machine it may miss its heartbeat.
    expect: [
      'HOST_CALLS_EXCEEDED',
      'CPU_EXCEEDED',
      'WALL_EXCEEDED',
      'MEMORY_EXCEEDED',
      'RUNNER_KILLED',
    ],
    limits: { cpuMs: 2_000, memoryMb: 64 },
  },
  {
    name: 'more timers than an isolate may have',
    call: 'for (let i = 0; i < 100000; i++) setTimeout(() => {}, 1e6);',
    expect: ['PLUGIN_THREW'],
    limits: { cpuMs: 1_000 },
  },
  {
    name: 'an unhandled rejection after the response',
    call: 'setTimeout(() => Promise.reject(new Error("late")), 1); ctx.waitUntil(new Promise((done) => setTimeout(done, 20))); Promise.reject(new Error("soon"));',
    expect: ['replied'],
  },
  {
    name: 'a loop after the response',
    call: 'ctx.waitUntil((async () => { await new Promise((done) => setTimeout(done, 5)); for (;;); })());',
    expect: ['replied'],
  },
  {
    name: 'a wedge after the response',
    call: 'ctx.waitUntil((async () => { await new Promise((done) => setTimeout(done, 5)); Array.prototype.includes.call({ length: 2 ** 53 - 1 }, 1); })());',
    expect: ['replied'],
  },
  {
    name: 'memory after the response',
    call: 'ctx.waitUntil((async () => { await new Promise((done) => setTimeout(done, 5)); const all = globalThis.all = []; for (;;) all.push(new Array(1e6).fill(1.5)); })());',
    expect: ['replied'],
  },
  {
    name: 'work after the response that never ends',
    call: 'ctx.waitUntil(new Promise(() => {}));',
    expect: ['replied'],
  },
  {
    name: 'timers that outlive the call',
    call: 'for (let i = 0; i < 100; i++) setInterval(() => { globalThis.late = (globalThis.late ?? 0) + 1; }, 1);',
    expect: ['replied'],
  },
  {
    name: 'microtasks that outlive the call',
    call: 'const f = () => Promise.resolve().then(f); f();',
    // They never let go of the thread, so the reply itself may wait behind them until the CPU is used up.
    expect: ['replied', 'CPU_EXCEEDED', 'WALL_EXCEEDED'],
  },
  {
    name: 'waitUntil without number',
    call: 'for (let i = 0; i < 50000; i++) ctx.waitUntil(new Promise(() => {}));',
    expect: ['replied', 'CPU_EXCEEDED', 'MEMORY_EXCEEDED'],
    limits: { cpuMs: 1_000 },
  },
];
