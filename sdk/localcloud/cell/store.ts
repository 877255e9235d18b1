/**
 * The one vCloud behind all cells: orgs, people, vApps, rights, and the objects of extension services.
 * May import: bundles, element, kinds; types of work.
 */
import { randomUUID } from 'node:crypto';

import type { Element } from './element.ts';
import { type BundleDesk, createBundleDesk } from './extend/bundles.ts';
import { KINDS, type KindName } from './kinds.ts';
import type { CloudEvent, Task } from './work/work.ts';

export interface Org {
  readonly id: string;
  readonly name: string;
}

/** Which rights of extension services a role gets when they are registered. */
export type Holds = 'all' | 'view' | 'none';

export interface Role {
  readonly id: string;
  readonly name: string;
  readonly description: string;
  readonly org: Org;
  /** Undefined for a role whose rights somebody has chosen. */
  readonly takes: Holds | undefined;
  /** Ids of rights. */
  readonly rights: Set<string>;
}

export interface User {
  readonly id: string;
  readonly name: string;
  readonly password: string;
  readonly org: Org;
  /** Id of the role. */
  readonly role: string;
  readonly isEnabled: boolean;
  readonly fullName?: string;
  readonly email?: string;
  readonly description?: string;
  /** Signs in by refresh token only, and is in no list of users. */
  readonly isServiceAccount?: true;
}

export interface VApp {
  readonly id: string;
  readonly name: string;
  readonly org: Org;
  /** Id of the user. */
  readonly owner: string;
  readonly created: Date;
}

export interface Right {
  readonly id: string;
  /** With the prefix `{namespace}:` when a service brought it. */
  readonly name: string;
  readonly category: string;
  readonly description?: string;
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
  /** Epoch ms. */
  readonly openedAt: number;
}

export interface Store {
  readonly orgs: readonly Org[];
  readonly users: Map<string, User>;
  readonly roles: Map<string, Role>;
  readonly vApps: Map<string, VApp>;
  readonly administrator: User;
  readonly rights: Map<string, Right>;
  /** Rights whose service or whose own entry is gone, until `clearUnusedRights`. */
  readonly deletedRights: Map<string, Right>;
  readonly entities: Map<string, Entity>;
  readonly sessions: Map<string, Session>;
  readonly tasks: Map<string, Task>;
  readonly events: CloudEvent[];
  readonly bundles: BundleDesk;
}

/** The System org has the same id in every installation. */
export const SYSTEM_ORG: Org = { id: 'a93c9db9-7471-3192-8d09-a8f7eeda85f9', name: 'System' };

/** What only those see who administer an org. */
export const ADMINISTRATOR_VIEW = 'General: Administrator View';

/** A handful of vCloud's own rights, so that the list of a user is never just the plug-in's. */
const BUILT_IN = [
  ['Organization: View', 'Organization'],
  ['Organization vDC: View', 'Organization VDC'],
  ['vApp: Edit VM Properties', 'vApp'],
  ['Catalog: View Published Catalogs', 'Catalog'],
  [ADMINISTRATOR_VIEW, 'General'],
  ['General: Send Notification', 'General'],
] as const;

const PEOPLE = [
  ['alice', 'Organization Administrator', 'all'],
  ['bob', 'Console Access Only', 'view'],
  ['carol', 'vApp User', 'none'],
] as const;

const VAPPS = ['web', 'database'] as const;

/** An org's three roles, their three people and its vApps, which belong to the first of them. */
function populate(store: Store, org: Org): void {
  for (const [name, roleName, takes] of PEOPLE) {
    const held = [...store.rights.values()].filter(
      (right) => takes === 'all' || right.name !== ADMINISTRATOR_VIEW,
    );
    const rights = new Set(held.map((right) => right.id));
    const role = { id: randomUUID(), name: roleName, description: '', org, takes, rights };
    const password = `${name}-${org.name}`;
    const user = { id: randomUUID(), name, password, org, role: role.id, isEnabled: true };
    store.roles.set(role.id, role);
    store.users.set(user.id, user);
  }
  const owner = [...store.users.values()].find((user) => user.org === org)?.id ?? '';
  for (const name of VAPPS) {
    const vApp = { id: randomUUID(), name: `${name}-${org.name}`, org, owner, created: new Date() };
    store.vApps.set(vApp.id, vApp);
  }
}

/** A new vCloud with the orgs acme and globex; all ids but the System org's are random. */
export function createStore(): Store {
  const rights = BUILT_IN.map(([name, category]) => ({ id: randomUUID(), name, category }));
  const role: Role = {
    id: randomUUID(),
    name: 'System Administrator',
    description: 'Everything',
    org: SYSTEM_ORG,
    takes: 'all',
    rights: new Set(rights.map((right) => right.id)),
  };
  const administrator: User = {
    id: randomUUID(),
    name: 'administrator',
    password: 'administrator',
    org: SYSTEM_ORG,
    role: role.id,
    isEnabled: true,
  };
  const store: Store = {
    orgs: ['acme', 'globex'].map((name) => ({ id: randomUUID(), name })),
    users: new Map([[administrator.id, administrator]]),
    roles: new Map([[role.id, role]]),
    vApps: new Map(),
    administrator,
    rights: new Map(rights.map((right) => [right.id, right])),
    deletedRights: new Map(),
    entities: new Map(),
    sessions: new Map(),
    tasks: new Map(),
    events: [],
    bundles: createBundleDesk(),
  };
  for (const org of store.orgs) populate(store, org);
  return store;
}

export const isAdministrator = (user: User) => user.org.id === SYSTEM_ORG.id;

/** The org with this id, the provider's included. */
export const orgById = (store: Store, id: string): Org | undefined =>
  [SYSTEM_ORG, ...store.orgs].find((org) => org.id === id.toLowerCase());

/** Rights that the role of a user contains. */
export function rightsOf(store: Store, user: User): Right[] {
  const held = store.roles.get(user.role)?.rights ?? new Set();
  return [...store.rights.values()].filter((right) => held.has(right.id));
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

/** Take a right away; roles and rules may name it until `clearUnusedRights`. */
export function retire(store: Store, right: Right): void {
  store.rights.delete(right.id);
  store.deletedRights.set(right.id, right);
}

/** Delete an object with all below it, and the rights that a service brought. */
export function removeEntity(store: Store, entity: Entity): void {
  for (const child of childrenOf(store, entity.id)) removeEntity(store, child);
  store.entities.delete(entity.id);
  for (const right of store.rights.values()) if (right.service === entity.id) retire(store, right);
}

export const urnOf = (entity: Entity) => `urn:vcloud:${KINDS[entity.kind].urn}:${entity.id}`;
