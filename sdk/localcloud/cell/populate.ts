/**
 * A new vCloud: its first administrator, and what its orgs have from the beginning.
 * May import: bundles, model, settings, store.
 */
import { randomUUID } from 'node:crypto';

import { createBundleDesk } from './extension/bundles/bundles.ts';
import { createSettings } from './extension/settings/settings.ts';
import type { Org, Role, User } from './model.ts';
import { ADMINISTRATOR_VIEW, SYSTEM_ORG, type Store } from './store.ts';

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

const PEOPLE = [
  ['alice', 'Organization Administrator', 'all'],
  ['bob', 'Console Access Only', 'view'],
  ['carol', 'vApp User', 'none'],
] as const;

const VAPPS = ['web', 'database'] as const;

/** An org's three roles, their three people and its vApps, which belong to the first of them. */
function populate(store: Store, org: Org, administratorView: string): void {
  for (const [name, roleName, takes] of PEOPLE) {
    const held = [...store.rights.values()].filter(
      (right) => takes === 'all' || right.name !== administratorView,
    );
    const rights = new Set(held.map((right) => right.id));
    const role = { id: randomUUID(), name: roleName, description: '', org, takes, rights };
    const password = `${name}-${org.name}`;
    const user = { id: randomUUID(), name, password, org, role: role.id, isEnabled: true };
    store.roles.set(role.id, role);
    store.users.set(user.id, user);
  }
  const owner = [...store.users.values()].find((user) => user.org === org)?.id ?? '';
  const vdc = { id: randomUUID(), name: `${org.name}-vdc`, org };
  store.vdcs.set(vdc.id, vdc);
  for (const name of VAPPS) {
    const id = randomUUID();
    const created = new Date();
    const vApp = { id, name: `${name}-${org.name}`, org, owner, created, vdc: vdc.id };
    store.vApps.set(id, { ...vApp, status: 8 });
  }
}
