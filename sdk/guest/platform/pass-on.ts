/**
 * Completes a class that answers common questions itself and has an object of a library's class for all others.
 * May import: primordials.
 */
/* oxlint-disable typescript/unbound-method -- methods are taken off one class to be given to another */
import { apply, defineProperty } from '../primordials.ts';

type Method = (this: unknown, ...args: unknown[]) => unknown;

/**
 * Give `own` what it lacks of `theirs`, passed on to `whole(this)`; what it has becomes enumerable as there.
 * `whole` throws for objects of another class.
 */
export function passOn(own: object, theirs: object, whole: (self: unknown) => unknown): void {
  const made = new Map<unknown, Method>();
  const passing = (method: unknown): Method | undefined => {
    if (typeof method !== 'function') return undefined;
    let pass = made.get(method);
    if (pass === undefined) {
      pass = function pass(this: unknown, ...args: unknown[]): unknown {
        return apply(method, whole(this), args);
      };
      const { name, length } = method;
      defineProperty(pass, 'name', { value: name, configurable: true });
      defineProperty(pass, 'length', { value: length, configurable: true });
      made.set(method, pass);
    }
    return pass;
  };
  for (const key of Reflect.ownKeys(theirs)) {
    if (key === 'constructor') continue;
    const their = Object.getOwnPropertyDescriptor(theirs, key) as PropertyDescriptor;
    const ours = Object.getOwnPropertyDescriptor(own, key);
    const { enumerable = false, configurable = true, writable = true, value } = their;
    if ('value' in their) {
      const ownValue: unknown = ours?.value ?? passing(value) ?? value;
      defineProperty(own, key, { value: ownValue, enumerable, configurable, writable });
    } else {
      const accessors = { get: ours?.get ?? passing(their.get), set: passing(their.set) };
      defineProperty(own, key, { ...accessors, enumerable, configurable } as PropertyDescriptor);
    }
  }
}
