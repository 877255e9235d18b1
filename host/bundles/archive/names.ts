/**
 * Which names may stand in a bundle: plain relative paths that mean the same on every file system.
 * May import: kernel.
 */
import { HostError } from '../../kernel/errors.ts';

export const MANIFEST_ENTRY = 'plugin.json';
export const SCRIPT_ENTRY = 'main.js';
export const SIGNATURE_ENTRY = 'signature.json';

/** ASCII only: what two systems could fold into one name is no name here. */
const SEGMENT = /^[A-Za-z0-9_@+=,()-](?:[A-Za-z0-9 ._@+=,()-]*[A-Za-z0-9_@+=,()-])?$/;
const TOP_LEVEL =
  /^(?:plugin\.json|main\.js|signature\.json|assets\/.+|localization\/[^/]+\.json)$/;
const MAX_NAME = 200;

/** Throws BUNDLE_ARCHIVE for a name that leaves the bundle, is ambiguous, or has no place in it. */
export function checkEntryName(name: string): void {
  const shown = JSON.stringify(name.slice(0, 80));
  if (name.startsWith('/') || /^[A-Za-z]:/.test(name))
    throw new HostError('BUNDLE_ARCHIVE', `${shown}: absolute paths are refused`);
  const segments = name.split('/');
  if (segments.includes('..') || segments.includes('.'))
    throw new HostError('BUNDLE_ARCHIVE', `${shown}: the path leaves the bundle or holds a dot`);
  if (name.endsWith('/'))
    throw new HostError('BUNDLE_ARCHIVE', `${shown}: folders have no entry of their own`);
  if (name.length > MAX_NAME || !segments.every((segment) => SEGMENT.test(segment)))
    throw new HostError(
      'BUNDLE_ARCHIVE',
      `${shown}: names are ASCII letters, digits and ._@+=,()- below assets/, at most ${MAX_NAME}`,
    );
  if (!TOP_LEVEL.test(name))
    throw new HostError(
      'BUNDLE_ARCHIVE',
      `${shown} has no place in a bundle (plugin.json, main.js, signature.json, assets/, localization/LOCALE.json have)`,
    );
}

/** Throws BUNDLE_ARCHIVE when two names are, or could become, the same file. */
export function checkCollisions(names: readonly string[]): void {
  const taken = new Map<string, string>();
  for (const name of names) {
    const folded = name.toLowerCase();
    const other = taken.get(folded);
    if (other !== undefined)
      throw new HostError(
        'BUNDLE_ARCHIVE',
        other === name ? `${name}: stands twice` : `${name}: differs from ${other} only in case`,
      );
    taken.set(folded, name);
  }
  for (const [folded, name] of taken)
    for (let cut = folded.indexOf('/'); cut > 0; cut = folded.indexOf('/', cut + 1)) {
      const other = taken.get(folded.slice(0, cut));
      if (other)
        throw new HostError('BUNDLE_ARCHIVE', `${other}: is a file and a folder (${name})`);
    }
}
