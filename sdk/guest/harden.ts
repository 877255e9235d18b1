/**
 * Takes away what guests could use to grow memory uncounted or to trap the host; runs last in the prelude.
 * May import: primordials.
 */
import { construct, defineProperty } from './primordials.ts';

const GONE = ['WebAssembly', 'SharedArrayBuffer', 'Atomics', 'WeakRef', 'FinalizationRegistry'];
const STACK_FRAMES = 10;

type Scope = Record<string, unknown>;

/** `new ArrayBuffer(length)` without `maxByteLength`: the memory of resizable buffers is not counted. */
function replaceArrayBuffer(): void {
  const Native = globalThis.ArrayBuffer;
  const Fixed = function ArrayBuffer(this: unknown, length?: number): unknown {
    if (new.target === undefined) throw new TypeError("Constructor ArrayBuffer requires 'new'");
    const target: unknown = new.target;
    return construct(Native, [length], target === Fixed ? Native : (target as typeof Native));
  };
  const { prototype } = Native;
  defineProperty(Fixed, 'name', { value: 'ArrayBuffer', configurable: true });
  defineProperty(Fixed, 'length', { value: 1, configurable: true });
  defineProperty(Fixed, 'prototype', { value: prototype, writable: false });
  defineProperty(Fixed, 'isView', {
    value: Native.isView.bind(Native),
    writable: true,
    configurable: true,
  });
  defineProperty(Fixed, Symbol.species, {
    get(this: unknown) {
      return this;
    },
    configurable: true,
  });
  defineProperty(prototype, 'constructor', { value: Fixed, writable: false, configurable: false });
  defineProperty(globalThis, 'ArrayBuffer', { value: Fixed, writable: true, configurable: true });
  for (const name of ['resize', 'transfer', 'transferToFixedLength', 'transferToImmutable'])
    delete (prototype as unknown as Scope)[name];
}

export function harden(): void {
  const scope = globalThis as unknown as Scope;
  for (const name of GONE) delete scope[name];
  replaceArrayBuffer();
  // A formatter of stacks would run guest code wherever an error is looked at.
  defineProperty(Error, 'prepareStackTrace', { value: undefined });
  defineProperty(Error, 'stackTraceLimit', { value: STACK_FRAMES });
  for (const name of ['prepareStackTrace', 'stackTraceLimit'])
    defineProperty(Error, name, { writable: false, configurable: false });
  for (const name of Object.getOwnPropertyNames(scope))
    if (name.startsWith('__vcx_')) delete scope[name];
}
