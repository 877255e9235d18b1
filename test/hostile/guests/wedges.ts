/**
 * Guests whose thread V8 can not interrupt, or that take the process with them: only SIGKILL ends these.
 * May import: the hostile kit.
 */
import type { HostileGuest } from '../../support/hostile/kit.ts';

/** Which limit is met first is up to the machine; that one is met is not. */
const ENDED: HostileGuest['expect'] = [
  'CPU_EXCEEDED',
  'WALL_EXCEEDED',
  'MEMORY_EXCEEDED',
  'RUNNER_KILLED',
];

const HUGE = '{ length: 2 ** 53 - 1 }';

const BODIES: Readonly<Record<string, string>> = {
  'includes over 2**53': `Array.prototype.includes.call(${HUGE}, 1);`,
  'indexOf over 2**53': `Array.prototype.indexOf.call(${HUGE}, 1);`,
  'lastIndexOf over 2**53': `Array.prototype.lastIndexOf.call(${HUGE}, 1);`,
  'reverse over 2**53': `Array.prototype.reverse.call(${HUGE});`,
  'join over an array-like of 2**29': `Array.prototype.join.call({ length: 2 ** 29 - 30 }, "");`,
  'fill over 2**53': `Array.prototype.fill.call(${HUGE}, 1);`,
  'copyWithin over 2**53': `Array.prototype.copyWithin.call(${HUGE}, 0, 1);`,
  'indexOf over the holes of a long array': 'new Array(2 ** 32 - 1).indexOf(1);',
  'naive lastIndexOf of a long text': '("a".repeat(8e6)).lastIndexOf("a".repeat(4e6) + "b");',
  'String.raw over 2**53': 'String.raw({ raw: { length: 2 ** 53 - 1 } });',
  'unshift over 2**53': `Array.prototype.unshift.call({ length: 2 ** 53 - 2 }, 1);`,
  'BigInt from text': 'globalThis.kept = BigInt("9".repeat(3e7));',
  'BigInt squares': 'let x = 3n; for (;;) x *= x;',
  'BigInt powers': 'let n = 2n; for (;;) { n = n * 2n; globalThis.kept = 3n ** n; }',
  'BigInt division': 'const a = 3n ** 4000000n; for (;;) globalThis.kept = a / (a >> 3000000n);',
  'BigInt in decimal': 'globalThis.kept = (1n << 26000000n).toString();',
  'a Map that grows': 'const m = new Map(); for (let i = 0; ; i++) m.set(i, i);',
  'a Set that grows': 'const s = new Set(); for (let i = 0; ; i++) s.add(i);',
  'an unhandled rejection with a proxy of loops':
    'Promise.reject(new Proxy({}, { get() { for (;;); }, has() { for (;;); }, getPrototypeOf() { for (;;); } })); await new Promise(() => {});',
  'an unhandled rejection with a looping stack':
    'const e = new Error("x"); Object.defineProperty(e, "stack", { get() { for (;;); } }); Promise.reject(e); await new Promise(() => {});',
  'an unhandled rejection with a looping message':
    'Promise.reject({ get message() { for (;;); }, get name() { for (;;); }, toString() { for (;;); } }); await new Promise(() => {});',
  'sorting a long sparse array': 'const a = []; a.length = 2 ** 32 - 2; a[5] = 1; a.sort();',
};

export const WEDGES: readonly HostileGuest[] = Object.entries(BODIES).map(([name, call]) => ({
  name,
  call,
  // A thread that comes free after all waits here for its end.
  expect:
    name.startsWith('sorting') || name.startsWith('an unhandled')
      ? [...ENDED, 'replied', 'PLUGIN_THREW']
      : ENDED,
}));
