/**
 * The one vCloud behind all cells: orgs, users, sessions, rights, and the objects of extension services.
 * May import: element, kinds.
 */
import { randomBytes, randomUUID } from 'node:crypto';

import type { Element } from './element.ts';
import { KINDS, type KindName } from './kinds.ts';

export interface Org {
  readonly id: string;
  readonly name: string;
}

/** Which rights of extension services a user's role gets when they are registered. */
export type Holds = 'all' | 'view' | 'none';

export interface User {
  readonly id: string;
  readonly name: string;
  readonly password: string;
  readonly org: Org;
  readonly holds: Holds;
}

export interface Right {
  readonly id: string;
  /** With the prefix `{namespace}:` when a service brought it. */
  readonly name: string;
  readonly category: string;
  readonly bundleKey?: string;
  /** Uuid of the service that brought it; undefined for built-in rights. */
  readonly service?: string;
}

/** One object below the admin tree: its own elements as they were posted, without the containers. */
export interface Entity {
  readonly id: string;
  readonly kind: KindName;
  readonly parent?: string;
  readonly name?: string;
  readonly description?: string;
  readonly operationKey?: string;
  readonly content: readonly Element[];
}

export interface Session {
  readonly token: string;
  readonly user: User;
}

export interface Store {
  readonly orgs: readonly Org[];
  readonly users: readonly User[];
  readonly administrator: User;
  readonly rights: Map<string, Right>;
  readonly entities: Map<string, Entity>;
  readonly sessions: Map<string, Session>;
}

/** The System org has the same id in every installation. */
export const SYSTEM_ORG: Org = { id: 'a93c9db9-7471-3192-8d09-a8f7eeda85f9', name: 'System' };

/** A handful of vCloud's own rights, so that the list of a user is never just the plug-in's. */
const BUILT_IN = [
  ['Organization: View', 'Organization'],
  ['Organization vDC: View', 'Organization VDC'],
  ['vApp: Edit VM Properties', 'vApp'],
  ['Catalog: View Published Catalogs', 'Catalog'],
  ['General: Administrator View', 'General'],
  ['General: Send Notification', 'General'],
] as const;

const PEOPLE = [
  ['alice', 'all'],
  ['bob', 'view'],
  ['carol', 'none'],
] as const;

/** A new vCloud with the orgs acme and globex; all ids but the System org's are random. */
export function createStore(): Store {
  const orgs = ['acme', 'globex'].map((name) => ({ id: randomUUID(), name }));
  const users = orgs.flatMap((org) =>
    PEOPLE.map(([name, holds]) => {
      const password = `${name}-${org.name}`;
      return { id: randomUUID(), name, password, org, holds };
    }),
  );
  const rights = BUILT_IN.map(([name, category]) => ({ id: randomUUID(), name, category }));
  return {
    orgs,
    users,
    administrator: {
      id: randomUUID(),
      name: 'administrator',
      password: 'administrator',
      org: SYSTEM_ORG,
      holds: 'all',
    },
    rights: new Map(rights.map((right) => [right.id, right])),
    entities: new Map(),
    sessions: new Map(),
  };
}

export const isAdministrator = (user: User) => user.org.id === SYSTEM_ORG.id;

/** Open a session by name, org and password; undefined when they are wrong. `jwt` chooses the token. */
export function signIn(
  store: Store,
  credentials: { readonly user: string; readonly org: string; readonly password: string },
  jwt: boolean,
): Session | undefined {
  const user = [...store.users, store.administrator].find(
    (item) =>
      item.name === credentials.user &&
      item.org.name.toLowerCase() === credentials.org.toLowerCase() &&
      item.password === credentials.password,
  );
  if (!user) return undefined;
  const token = jwt ? jwtFor(user) : randomBytes(16).toString('hex');
  const session = { token, user };
  store.sessions.set(token, session);
  return session;
}

/** Shaped like the real thing; the signature is random, since only this store checks it. */
function jwtFor(user: User): string {
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const now = Math.floor(Date.now() / 1000);
  const claims = {
    sub: user.name,
    iss: `${SYSTEM_ORG.id}@${SYSTEM_ORG.id}`,
    exp: now + 86_400,
    iat: now,
    version: 'vcloud_1.0',
    jti: randomBytes(16).toString('hex'),
  };
  return `${part({ alg: 'RS256' })}.${part(claims)}.${randomBytes(64).toString('base64url')}`;
}

/** Rights that the role of a user contains. */
export function rightsOf(store: Store, user: User): Right[] {
  return [...store.rights.values()].filter((right) => {
    if (user.holds === 'all' || right.service === undefined) return true;
    return user.holds === 'view' && right.name.includes('View');
  });
}

export const childrenOf = (store: Store, parent: string, kind?: KindName): Entity[] =>
  [...store.entities.values()].filter(
    (item) => item.parent === parent && (kind === undefined || item.kind === kind),
  );

/** The object or its nearest ancestor of that kind. */
export function ancestorOf(store: Store, entity: Entity, kind: KindName): Entity | undefined {
  if (entity.kind === kind) return entity;
  const parent = entity.parent === undefined ? undefined : store.entities.get(entity.parent);
  return parent && ancestorOf(store, parent, kind);
}

/** Delete an object with all below it, and the rights that a service brought. */
export function removeEntity(store: Store, entity: Entity): void {
  for (const child of childrenOf(store, entity.id)) removeEntity(store, child);
  store.entities.delete(entity.id);
  for (const right of store.rights.values())
    if (right.service === entity.id) store.rights.delete(right.id);
}

export const urnOf = (entity: Entity) => `urn:vcloud:${KINDS[entity.kind].urn}:${entity.id}`;
