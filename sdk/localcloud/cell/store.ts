/**
 * The one vCloud behind all cells, and how to find things in it.
 * May import: kinds, model; types of bundles, blocking, happening, settings and work.
 */
import type { BundleDesk } from './extension/bundles/bundles.ts';
import { KINDS, type KindName } from './extension/kinds.ts';
import type { Settings } from './extension/settings/settings.ts';
import type { BlockingTask } from './blocking/blocking.ts';
import type { Notice } from './events/happening.ts';
import type { Entity, Org, Right, Role, Session, User, VApp, Vdc } from './model.ts';
import type { CloudEvent, Run, Task } from './work/work.ts';

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
