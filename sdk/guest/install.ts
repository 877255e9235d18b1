/**
 * Puts web-standard names on the global object as browsers do: writable, configurable, not enumerable.
 * May import: primordials.
 */
import { defineProperty } from './primordials.ts';

/** Publish values under their names; classes get back the name that minifying took from them. */
export function publish(values: Readonly<Record<string, unknown>>): void {
  for (const [name, value] of Object.entries(values)) {
    if (typeof value === 'function' && value.name !== name)
      defineProperty(value, 'name', { value: name, configurable: true });
    defineProperty(globalThis, name, { value, writable: true, configurable: true });
  }
}
