/**
 * What an org has from the beginning: people with roles, a virtual datacenter, vApps.
 * May import: types of store.
 */
import { randomUUID } from 'node:crypto';

import type { Org, Store } from './store.ts';

const PEOPLE = [
  ['alice', 'Organization Administrator', 'all'],
  ['bob', 'Console Access Only', 'view'],
  ['carol', 'vApp User', 'none'],
] as const;

const VAPPS = ['web', 'database'] as const;

/** An org's three roles, their three people and its vApps, which belong to the first of them. */
export function populate(store: Store, org: Org, administratorView: string): void {
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
