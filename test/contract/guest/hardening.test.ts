/**
 * What guests can not reach, and what happens to the dispatcher when they break their own world.
 */
import { afterAll, expect, test } from 'vitest';
import { openGuest, openProbe } from '../../support/guest/isolate.ts';

const probe = await openProbe();
afterAll(() => probe[Symbol.asyncDispose]());

test.each([
  [
    'no names of other platforms or of the runner',
    `return ['process', 'Buffer', 'require', 'global', 'WebAssembly', 'SharedArrayBuffer', 'Atomics', 'WeakRef', 'FinalizationRegistry', '__vcx_post', '__vcx_random', '__vcx_domainToASCII', '__vcx_enter', '__vcx_plugin'].filter((name) => name in globalThis)`,
    [],
  ],
  [
    'constructor.constructor stays in the guest',
    `return console.log.constructor.constructor('return process')()`,
    'throws',
  ],
  [
    'functions of the platform lead to the guest only',
    `return setTimeout.constructor('return globalThis')() === globalThis`,
    true,
  ],
  [
    'an ArrayBuffer is never resizable',
    `return new ArrayBuffer(8, { maxByteLength: 1e6 }).resizable`,
    false,
  ],
  [
    'nor by the constructor of a view',
    `return new Uint8Array(1).buffer.constructor === ArrayBuffer && new (new Uint8Array(1).buffer.constructor)(8, { maxByteLength: 64 }).resizable`,
    false,
  ],
  [
    'nor by a subclass',
    `return new (class extends ArrayBuffer {})(8, { maxByteLength: 64 }).resizable`,
    false,
  ],
  [
    'nor by Reflect.construct',
    `const made = Reflect.construct(ArrayBuffer, [8, { maxByteLength: 64 }], class X {});
      return Object.getOwnPropertyDescriptor(ArrayBuffer.prototype, 'resizable').get.call(made)`,
    false,
  ],
  [
    'nor by Reflect.construct with itself as target',
    `return Reflect.construct(ArrayBuffer, [8, { maxByteLength: 64 }]).resizable`,
    false,
  ],
  [
    'nor through species',
    `return new ArrayBuffer(8).slice(0, 4).constructor === ArrayBuffer && new ArrayBuffer[Symbol.species](8, { maxByteLength: 64 }).resizable`,
    false,
  ],
  [
    'nor in a buffer that the platform makes',
    `return (await new Response('x').arrayBuffer()).constructor === ArrayBuffer`,
    true,
  ],
  [
    'resize and transfer are gone',
    `return ['resize', 'transfer', 'transferToFixedLength', 'transferToImmutable'].filter((n) => n in ArrayBuffer.prototype)`,
    [],
  ],
  [
    'the constructor property can not be put back',
    `'use strict'; try { ArrayBuffer.prototype.constructor = 1 } catch (e) { return e.name }`,
    'TypeError',
  ],
  [
    'ArrayBuffer still works as it should',
    `class B extends ArrayBuffer {}; const b = new B(4); return [b instanceof B, b.byteLength, ArrayBuffer.isView(new DataView(b)), ArrayBuffer.name, ArrayBuffer.length]`,
    [true, 4, true, 'ArrayBuffer', 1],
  ],
  [
    'stacks can not be formatted by guests',
    `Error.prepareStackTrace = () => 'mine'; return [typeof Error.prepareStackTrace, typeof new Error('x').stack]`,
    ['undefined', 'string'],
  ],
  [
    'nor by defining the formatter',
    `try { Object.defineProperty(Error, 'prepareStackTrace', { value: () => 'mine' }) } catch (e) { return e.name }`,
    'TypeError',
  ],
  [
    'the number of frames is fixed',
    `Error.stackTraceLimit = 1e9; return Error.stackTraceLimit`,
    10,
  ],
])('%s', async (_title, code, expected) => {
  const value = await probe.run(code).catch(() => 'throws');
  expect(value).toEqual(expected);
});

/** Things a guest may do to its own world; the call is answered all the same, if only with a failure. */
test.each([
  ['Object.prototype.then', `Object.prototype.then = function (resolve) { resolve('stolen') }`],
  ['Promise.prototype.then', `Promise.prototype.then = () => { throw new Error('no') }`],
  [
    'Promise.prototype.constructor',
    `Object.defineProperty(Promise.prototype, 'constructor', { get() { throw new Error('no') } })`,
  ],
  [
    'Map.prototype',
    `for (const n of ['get', 'set', 'has', 'delete', 'values', 'forEach']) Map.prototype[n] = () => { throw new Error('no') }`,
  ],
  ['the iterator of arrays', `Array.prototype[Symbol.iterator] = () => { throw new Error('no') }`],
  [
    'setters on Array.prototype',
    `Object.defineProperty(Array.prototype, '0', { set() { throw new Error('no') }, get() { return 1 } })`,
  ],
  [
    'toJSON of everything',
    `Object.prototype.toJSON = () => 'x'.repeat(1e6); String.prototype.toJSON = () => 'x'`,
  ],
  ['JSON itself', `JSON.stringify = JSON.parse = () => { throw new Error('no') }`],
  [
    'Function.prototype.call and apply',
    `Function.prototype.call = Function.prototype.apply = Function.prototype.bind = () => { throw new Error('no') }`,
  ],
  [
    'Reflect and Object',
    `Reflect.apply = Reflect.construct = Object.defineProperty = () => { throw new Error('no') }`,
  ],
  [
    'strings',
    `for (const n of ['charCodeAt', 'slice', 'toLowerCase', 'startsWith']) String.prototype[n] = () => { throw new Error('no') }`,
  ],
  [
    'the global classes',
    `for (const n of ['Promise', 'Map', 'Uint8Array', 'Response', 'URL', 'TextDecoder', 'ReadableStream']) globalThis[n] = undefined`,
  ],
  [
    'getters on Object.prototype',
    `for (const n of ['value', 'get', 'status', 'body', 'headers']) Object.defineProperty(Object.prototype, n, { get() { throw new Error('no') }, configurable: true })`,
  ],
])('a guest that breaks %s still gets an answer', async (_title, code) => {
  await using guest = await openGuest();
  await guest.load(`globalThis.__vcx_plugin = { first: true, async fetch(request) {
    if (this.first) { this.first = false; ${code} }
    return new Response('x'.repeat(10)) } };0`);
  for (let call = 0; call < 2; call++) {
    const { kind } = await guest.call();
    expect(['reply', 'threw']).toContain(kind);
  }
  for (const { kind, id, text } of guest.posted)
    expect([typeof kind, typeof id, typeof text]).toEqual(['string', 'number', 'string']);
  expect(Math.max(...guest.posted.map(({ text }) => text.length))).toBeLessThan(10_000);
});

test('a proxy thrown by a handler is never touched outside the time limit of the entry', async () => {
  await using guest = await openGuest();
  await guest.load(`globalThis.__vcx_plugin = { fetch() {
    let left = 3;
    throw new Proxy({}, { get() { if (left-- > 0) return 'x'; throw new Error('trap') }, getPrototypeOf() { throw new Error('trap') } }) } };0`);
  const answer = await guest.call();
  expect(answer.kind === 'threw' && answer.failure).toEqual({
    reason: 'threw',
    message: 'x: x',
    stack: 'x',
  });
});

test('guests never see where the prelude lies on the host', async () => {
  const stack = String(await probe.run(`try { new URL('x') } catch (e) { return e.stack }`));
  expect(stack).not.toMatch(/node_modules|\/sdk\//);
});
