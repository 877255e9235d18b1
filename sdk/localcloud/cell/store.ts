/**
 * The one vCloud behind all cells: orgs, people, vApps, rights, and the objects of extension services.
 * May import: bundles, element, kinds, populate, settings; types of blocking, notice and work.
 */
import { randomUUID } from 'node:crypto';

import type { Element } from './documents/element.ts';
import { type BundleDesk, createBundleDesk } from './extension/bundles/bundles.ts';
import { KINDS, type KindName } from './extension/kinds.ts';
import { type Settings, createSettings } from './extension/settings/settings.ts';
import type { BlockingTask } from './blocking/blocking.ts';
import type { Notice } from './events/notice.ts';
import { populate } from './populate.ts';
import type { CloudEvent, Run, Task } from './work/work.ts';

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
  /** Id of the virtual datacenter it is in. */
  readonly vdc: string;
  /** 0 while it is made, 8 powered off, -1 when making it failed. */
  readonly status: 0 | 8 | -1;
  readonly description?: string;
}

/** A virtual datacenter; each org has one. */
export interface Vdc {
  readonly id: string;
  readonly name: string;
  readonly org: Org;
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
  readonly vdcs: Map<string, Vdc>;
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
  readonly settings: Settings;
  /** Told of every event while notifications are enabled. */
  readonly listeners: Set<(notice: Notice) => void>;
  readonly blockingTasks: Map<string, BlockingTask>;
  /** vCloud's own operations under way, by the id of their task. */
  readonly runs: Map<string, Run>;
  /** How long such an operation takes, in milliseconds. */
  operationMs: number;
}

/** The System org has the same id in every installation. */
export const SYSTEM_ORG: Org = { id: 'a93c9db9-7471-3192-8d09-a8f7eeda85f9', name: 'System' };

/** What only those see who administer an org. */
export const ADMINISTRATOR_VIEW = 'General: Administrator View';

/** Long enough to be seen under way, short enough for tests. */
export const OPERATION_MS = 100;

/** A handful of vCloud's own rights, so that the list of a user is never just the plug-in's. */
const BUILT_IN = [
  ['Organization: View', 'Organization'],
  ['Organization vDC: View', 'Organization VDC'],
  ['vApp: Edit VM Properties', 'vApp'],
  ['Catalog: View Published Catalogs', 'Catalog'],
  [ADMINISTRATOR_VIEW, 'General'],
  ['General: Send Notification', 'General'],
] as const;

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
    vdcs: new Map(),
    vApps: new Map(),
    administrator,
    rights: new Map(rights.map((right) => [right.id, right])),
    deletedRights: new Map(),
    entities: new Map(),
    sessions: new Map(),
    tasks: new Map(),
    events: [],
    bundles: createBundleDesk(),
    settings: createSettings(),
    listeners: new Set(),
    blockingTasks: new Map(),
    runs: new Map(),
    operationMs: OPERATION_MS,
  };
  for (const org of store.orgs) populate(store, org, ADMINISTRATOR_VIEW);
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
