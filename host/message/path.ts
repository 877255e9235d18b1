/**
 * One canonical form of a request path, or the reason why there is none.
 * May import: nothing.
 */

export type CanonicalPath =
  | { readonly ok: true; readonly path: string }
  | { readonly ok: false; readonly why: string };

/** Printable ASCII that needs no decoding: nearly every real path. */
const PLAIN = /^(?:\/[A-Za-z0-9_~:@!$&'()*+,=-][A-Za-z0-9._~:@!$&'()*+,=-]*)+\/?$/;

/**
 * Decode percent escapes once and refuse what two readers could read differently: encoded slashes
 * and backslashes, dot segments in any spelling, `;` parameters, double slashes, control characters
 * and invalid UTF-8. A trailing slash is kept.
 */
export function canonicalPath(raw: string): CanonicalPath {
  if (raw.length > 4_096) return refuse('is longer than 4096 characters');
  if (PLAIN.test(raw)) return { ok: true, path: raw };
  if (!raw.startsWith('/')) return refuse('does not begin with a slash');
  if (/%(?:2f|5c)/i.test(raw)) return refuse('holds an encoded slash or backslash');
  let path: string;
  try {
    path = decodeURIComponent(raw);
  } catch {
    return refuse('holds a broken escape or invalid UTF-8');
  }
  if (path.includes('\\')) return refuse('holds a backslash');
  if (path.includes('//')) return refuse('holds a double slash');
  if (path.includes(';')) return refuse('holds a `;` parameter');
  if (path.includes('?') || path.includes('#')) return refuse('holds an encoded ? or #');
  if (path.includes('%')) return refuse('is escaped twice');
  if (/[\u0000-\u001f\u007f]/.test(path)) return refuse('holds a control character');
  if (!path.isWellFormed()) return refuse('is not well-formed Unicode');
  if (path.split('/').some((segment) => segment === '.' || segment === '..'))
    return refuse('holds a dot segment');
  return { ok: true, path: path.normalize('NFC') };
}

function refuse(why: string): CanonicalPath {
  return { ok: false, why: `the path ${why}` };
}
