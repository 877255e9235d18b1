/**
 * Built-in functions as they were before any guest code ran.
 * May import: nothing.
 */
/* oxlint-disable typescript/unbound-method -- taking methods off their owners is what this file is for */

type Method<P, K extends keyof P> = P[K] extends (...args: infer A) => infer R
  ? (self: P, ...args: A) => R
  : never;

const uncurrier = Function.prototype.call.bind(
  Function.prototype.bind,
  Function.prototype.call,
) as (method: unknown) => unknown;

/** `grab(P, 'm')(self, …args)` calls `self.m(…args)` without looking anything up on prototypes later. */
function grab<P, K extends keyof P>(prototype: P, name: K): Method<P, K> {
  return uncurrier(prototype[name]) as Method<P, K>;
}

function grabGetter(prototype: object, name: PropertyKey): (self: unknown) => unknown {
  const getter = Object.getOwnPropertyDescriptor(prototype, name)?.get;
  return uncurrier(getter) as (self: unknown) => unknown;
}

export const parse = JSON.parse as (text: string) => unknown;
export const stringify = JSON.stringify as (value: unknown) => string | undefined;
/** JSON text of a string; no `toJSON` is consulted for primitives. */
export const quote = JSON.stringify as (text: string) => string;
export const toText = String as (value: unknown) => string;
export const toNumber = Number as (value: unknown) => number;
export const now = Date.now;
export const isInteger = Number.isSafeInteger;
export const { isArray } = Array;
export const { defineProperty } = Object;
export const apply = Reflect.apply.bind(Reflect) as (
  target: unknown,
  self: unknown,
  args: readonly unknown[],
) => unknown;
export const construct = Reflect.construct.bind(Reflect);
export const isError = (Error as unknown as { isError(value: unknown): boolean }).isError;
export const fromBase64 = Uint8Array.fromBase64.bind(Uint8Array);
export const toBase64 = grab(Uint8Array.prototype, 'toBase64');
export const slice = grab(String.prototype, 'slice');
export const charCodeAt = grab(String.prototype, 'charCodeAt');
/** Native whatever a guest does to `RegExp.prototype`: only the pattern itself and its `lastIndex` are read. */
export const execPattern = grab(RegExp.prototype, 'exec');

/**
 * Detach a buffer and hand out its bytes; `ArrayBuffer.prototype.transfer` is gone for guests.
 * @public The build patches it into a kept package.
 */
export const transfer = grab(ArrayBuffer.prototype, 'transfer');

/** Name of the typed array class, or undefined for anything else; runs no guest code. */
export const typedArrayName = grabGetter(
  Object.getPrototypeOf(Uint8Array.prototype) as object,
  Symbol.toStringTag,
) as (value: unknown) => string | undefined;

/** A map by number whose operations do not depend on `Map.prototype`. */
export interface Table<T> {
  get(id: number): T | undefined;
  set(id: number, value: T): void;
  delete(id: number): void;
  visit(visit: (id: number, value: T) => void): void;
  /** Take everything out. */
  drain(visit: (id: number, value: T) => void): void;
}

type NumberMap = Map<number, unknown>;
const mapGet = grab(Map.prototype as NumberMap, 'get');
const mapSet = grab(Map.prototype as NumberMap, 'set');
const mapDelete = grab(Map.prototype as NumberMap, 'delete');
const mapForEach = grab(Map.prototype as NumberMap, 'forEach');

export function createTable<T>(): Table<T> {
  const map: NumberMap = new Map<number, unknown>();
  return {
    get: (id) => mapGet(map, id) as T | undefined,
    set: (id, value) => void mapSet(map, id, value),
    delete: (id) => void mapDelete(map, id),
    visit(visit) {
      mapForEach(map, (value, id) => visit(id, value as T));
    },
    drain(visit) {
      mapForEach(map, (value, id) => {
        mapDelete(map, id);
        visit(id, value as T);
      });
    },
  };
}
