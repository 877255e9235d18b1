/**
 * Ids of what an event is about: URNs in bodies, bare ids in routing keys and headers.
 * May import: message.
 */
import type { EntityRef } from './event.ts';

const URN = /^urn:[A-Za-z0-9][A-Za-z0-9-]{0,31}:[\x21-\x7E]{1,255}$/;
const VCLOUD_URN = /^urn:vcloud:([A-Za-z]{1,64}):[A-Za-z0-9._-]{1,128}$/;
const BARE = /^[A-Za-z0-9_-]{1,128}$/;
const TYPE = /^[A-Za-z][A-Za-z0-9._-]{0,63}$/;
const MAX_NAME = 256;

export interface RefParts {
  /** A URN; or a bare id, if the type is told. */
  readonly id: string;
  /** `vcloud:vm` as in entity links, or `vm`; null when only the URN tells. */
  readonly type?: string | null | undefined;
  readonly name?: string | null | undefined;
}

/** Null when it names nothing: neither a URN nor a bare id with a type. */
export function refOf({ id, type, name }: RefParts): EntityRef | null {
  const told = shortType(type ?? null);
  const shown = name ? name.slice(0, MAX_NAME) : null;
  const vcloud = VCLOUD_URN.exec(id);
  if (vcloud) return { id, type: vcloud[1] ?? '', name: shown };
  if (URN.test(id)) return { id, type: told ?? kindIn(id), name: shown };
  if (!BARE.test(id) || told === null) return null;
  return { id: `urn:vcloud:${told}:${id}`, type: told, name: shown };
}

/** `backup` of `urn:backup:b-1` and of `urn:example:backup:b-1`. */
function kindIn(urn: string): string {
  const [, namespace = '', ...rest] = urn.split(':');
  return rest.length > 1 ? (rest[0] ?? '') : namespace;
}

/** The last part of a URN, as routing keys and headers have it; a bare id as it is. */
export function bareId(id: string): string {
  return id.slice(id.lastIndexOf(':') + 1);
}

/** `vm` of `vcloud:vm`, `urn:vcloud:vm` and `vm`; null for what is no type. */
export function shortType(type: string | null): string | null {
  if (type === null) return null;
  const short = type.slice(type.lastIndexOf(':') + 1);
  return TYPE.test(short) ? short : null;
}
