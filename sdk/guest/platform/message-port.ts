/**
 * What nothing is an instance of: undici asks for `MessagePort` while it loads.
 * May import: nothing.
 */
export function MessagePort(): never {
  throw new TypeError('Illegal constructor');
}
