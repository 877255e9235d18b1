/**
 * Stand-ins for the Node built-ins that undici's class files ask for.
 * May import: platform/source-body, primordials.
 */
import { typedArrayName } from '../primordials.ts';

export { randomInt } from '../platform/crypto.ts';
export { isDisturbed, isErrored } from '../platform/source-body.ts';

const Native = ArrayBuffer;
const Shared = SharedArrayBuffer;

export const isUint8Array = (value: unknown): boolean => typedArrayName(value) === 'Uint8Array';
const isArrayBuffer = (value: unknown): boolean => value instanceof Native;
const isSharedArrayBuffer = (value: unknown): boolean => value instanceof Shared;

export const types = {
  isUint8Array,
  isArrayBuffer,
  isSharedArrayBuffer,
  isAnyArrayBuffer: (value: unknown): boolean => isArrayBuffer(value) || isSharedArrayBuffer(value),
  isTypedArray: (value: unknown): boolean => typedArrayName(value) !== undefined,
  isDataView: (value: unknown): boolean => value instanceof DataView,
  isArrayBufferView: (value: unknown): boolean => Native.isView(value),
  /** JavaScript can not tell; undici uses it for a fast path only. */
  isProxy: (): boolean => false,
};

export const inspect = Object.assign(
  (value: unknown): string => (typeof value === 'function' ? '[function]' : '[object]'),
  { custom: Symbol('inspect') },
);
export const formatWithOptions = (): string => '[object]';
export const markAsUncloneable = (): void => {};
export const performance = { now: (): number => Date.now() };
/** Base class of undici's inflating stream, which nothing here makes. */
export function Transform(): void {}

export function assert(condition: unknown): asserts condition {
  if (!condition) throw new Error('Assertion failed');
}
