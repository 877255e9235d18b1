/**
 * What a plug-in may ask vCloud for: the calling org's own objects, and the templates that the operator approved.
 * May import: kernel, message.
 */
import { HostError } from '../../kernel/errors.ts';
import { canonicalPath } from '../../message/path.ts';
import type { Grant } from '../binding.ts';
import { orgUuid, type VcloudAccess } from './access.ts';
import type { Ownership } from './ownership.ts';
import { objectOf, textsOf, uuidsIn } from './references.ts';

export interface Wish {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE';
  /** Path and query as the guest wrote them. */
  readonly path: string;
  readonly body: string | null;
  readonly type: string;
}

export interface ReachRooms {
  readonly access: VcloudAccess;
  readonly ownership: Ownership;
  /** Templates that a plug-in wants and the operator approved. */
  readonly approved: (plugin: string) => readonly string[];
}

/** Kinds of objects that live in an org and are no administration of it. */
const OWN =
  /^\/api\/(?:org|vdc|vApp|vAppTemplate|catalog|catalogItem|media|network|disk|task|tasksList)\/[^/]+(?:\/|$)/;
/** Sessions, tokens, console tickets and the registration of services: never, approved or not. */
const NEVER =
  /^\/api\/(?:sessions?|login|admin\/extension)(?:\/|$)|^\/cloudapi\/[^/]+\/(?:sessions|tokens|ssl|externalEndpoints|apiFilters)(?:\/|$)|^\/cloudapi\/extensions(?:\/|$)|\/screen(?:\/|$)/i;

/**
 * Check a wish, every id in it included. Returns path and body as they may go out; throws
 * `VCLOUD_OUT_OF_SCOPE`, `BINDING_ARGUMENT`, or what asking vCloud threw.
 */
export async function checkWish(
  rooms: ReachRooms,
  grant: Grant,
  wish: Wish,
  signal: AbortSignal,
): Promise<{ path: string; body: string | null }> {
  const { path, query } = pathOf(rooms, wish.path);
  if (NEVER.test(path)) throw outOfScope('this path is not for plug-ins');
  const document = wish.body === null ? null : textsOf(wish.body, wish.type);
  const template = rooms
    .approved(grant.plugin)
    .map((text) => matchTemplate(text, wish.method, path))
    .find((match) => match !== null);
  const checked = { path: query ? `${path}?${query}` : path, body: document?.body ?? null };
  if (template?.anybodys) return checked;
  if (template) checkOrgs(template.orgs, grant);
  else if (!OWN.test(path))
    throw outOfScope(
      'this path needs a template in `vcloudPaths` of plugin.json, which the operator approves',
    );
  else if (objectOf(path) === null) throw outOfScope('the path names no object by its id');

  const ids = createIds(rooms.ownership, grant, signal);
  for (const id of template?.ids ?? []) await ids.name(id, path);
  await ids.check(path);
  await ids.check(decoded(query));
  for (const text of document?.texts ?? []) await ids.check(decoded(text));
  return checked;
}

function pathOf({ access }: ReachRooms, given: string): { path: string; query: string } {
  const bare = given.startsWith(`${access.origin}/`) ? given.slice(access.origin.length) : given;
  const [raw = '', ...rest] = bare.split('?');
  const canonical = canonicalPath(raw);
  if (!canonical.ok) throw new HostError('BINDING_ARGUMENT', `vcloud: ${canonical.why}`);
  const query = rest.join('?');
  if (/[#\s\u0000-\u001f\u007f-\uffff]/.test(query))
    throw new HostError('BINDING_ARGUMENT', 'vcloud: the query is not escaped');
  // What is left needs no escape; anything else could be read in two ways on its way.
  if (!/^\/[A-Za-z0-9._~:@!$&'()*+,=/-]*$/.test(canonical.path))
    throw new HostError('BINDING_ARGUMENT', 'vcloud: the path holds an unusual character');
  return { path: canonical.path, query };
}

/** Ids that were escaped, also several times over, are ids still. */
function decoded(text: string): string {
  let seen = text;
  let all = text;
  for (let round = 0; round < 4 && seen.includes('%'); round += 1) {
    const next = seen.replaceAll(/%([0-9a-fA-F]{2})/g, (_, hex: string) =>
      String.fromCharCode(Number.parseInt(hex, 16)),
    );
    if (next === seen) break;
    seen = next;
    all = `${all}\n${next}`;
  }
  return all;
}

/** Checks texts for ids; each is resolved once a request. */
function createIds(ownership: Ownership, grant: Grant, signal: AbortSignal) {
  const fine = new Set([orgUuid(grant)]);

  async function prove(reference: string): Promise<void> {
    const object = objectOf(reference);
    if (object === null || !(await ownership.proves(grant, object, signal)))
      throw outOfScope('an id in it is not provably of the calling org');
    for (const uuid of uuidsIn(object)) fine.add(uuid);
  }

  const known = (text: string) => uuidsIn(text).every((uuid) => fine.has(uuid));

  return {
    /** What stands for `{id}` in a template: a URN by itself, a bare id by the path that it is in. */
    async name(segment: string, path: string): Promise<void> {
      if (uuidsIn(segment).length !== 1) throw outOfScope('the path names no object by its id');
      if (!known(segment)) await prove(segment.startsWith('urn:') ? segment : path);
    },
    /** Throws unless every id in the text is the org's or of an object of it. */
    async check(text: string): Promise<void> {
      if (known(text)) return;
      // A text may hold several references; what stands between them separates them.
      for (const part of text.split(/[\s"'<>(),;=&|]+/)) {
        if (known(part)) continue;
        await prove(part);
        if (!known(part)) throw outOfScope('an id in it is not provably of the calling org');
      }
    },
  };
}

interface TemplateMatch {
  readonly orgs: readonly string[];
  readonly ids: readonly string[];
  readonly anybodys: boolean;
}

/** `GET /api/admin/vdc/{id}` against a method and a canonical path. */
function matchTemplate(template: string, method: string, path: string): TemplateMatch | null {
  const [wanted, pattern = ''] = template.split(' ');
  const parts = pattern.split('/');
  const segments = path.split('/');
  if (wanted !== method || parts.length !== segments.length) return null;
  const orgs: string[] = [];
  const ids: string[] = [];
  let anybodys = false;
  for (const [at, part] of parts.entries()) {
    const [, before = '', name] = /^([^{]*)\{(org|id|any)\}$/.exec(part) ?? [];
    const segment = segments[at] ?? '';
    if (name === undefined) {
      if (part !== segment) return null;
      continue;
    }
    if (!segment.startsWith(before) || segment.length === before.length) return null;
    if (name === 'any') anybodys = true;
    else if (name === 'org') orgs.push(segment.slice(before.length));
    else ids.push(segment.slice(before.length));
  }
  return { orgs, ids, anybodys };
}

function checkOrgs(orgs: readonly string[], grant: Grant): void {
  const own = orgUuid(grant);
  for (const org of orgs)
    if (org.replace(/^urn:vcloud:org:/i, '').toLowerCase() !== own)
      throw outOfScope('the org in the path is not the calling one');
}

function outOfScope(why: string): HostError {
  return new HostError('VCLOUD_OUT_OF_SCOPE', `vcloud: ${why}`);
}
