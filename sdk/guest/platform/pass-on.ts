/**
 * Completes a class that answers common questions itself and asks an object of a library's class for all others.
 * May import: primordials.
 */
import { apply, defineProperty } from '../primordials.ts';

/** What is passed on, by name. */
export interface PassedOn {
  /** Number of arguments that each method is said to take. */
  readonly methods: Readonly<Record<string, number>>;
  readonly readable: readonly string[];
  readonly writable: readonly string[];
}

/** The object that knows; throws for objects of another class. */
type Whole = (self: unknown) => Record<string, unknown>;

function passing(name: string, length: number, whole: Whole): unknown {
  const pass = function pass(this: unknown, ...args: unknown[]): unknown {
    const target = whole(this);
    return apply(target[name], target, args);
  };
  defineProperty(pass, 'name', { value: name, configurable: true });
  return defineProperty(pass, 'length', { value: length, configurable: true });
}

function getter(name: string, whole: Whole) {
  return function get(this: unknown): unknown {
    return whole(this)[name];
  };
}

function setter(name: string, whole: Whole) {
  return function set(this: unknown, value: unknown): void {
    whole(this)[name] = value;
  };
}

/** Give a prototype what it lacks, passed on to `whole(this)`; all of it becomes enumerable, as in every platform. */
export function passOn(own: object, { methods, readable, writable }: PassedOn, whole: Whole): void {
  const has = new Map(Object.entries(Object.getOwnPropertyDescriptors(own)));
  has.delete('constructor');
  for (const name of [...readable, ...writable])
    has.set(name, { get: getter(name, whole), ...has.get(name), configurable: true });
  for (const name of writable) has.set(name, { ...has.get(name), set: setter(name, whole) });
  for (const [name, length] of Object.entries(methods))
    has.set(name, { value: passing(name, length, whole), writable: true, configurable: true });
  for (const [name, descriptor] of has)
    defineProperty(own, name, { ...descriptor, enumerable: true });
}
