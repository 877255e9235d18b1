/**
 * whatwg-url, evaluated when it is first asked for. It may be a guest that spoiled built-ins by then: what comes of it
 * is that guest's own affair, and nothing of the wrapper depends on it.
 * May import: nothing.
 */
import type * as Whatwg from 'whatwg-url';

/** The bundler's. */
declare const require: (name: 'whatwg-url') => typeof Whatwg;

export function load(): typeof Whatwg {
  return require('whatwg-url');
}
