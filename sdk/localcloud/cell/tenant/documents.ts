/**
 * Orgs, users and roles as documents, with the links of services among their own.
 * May import: caller, element, represent, service-links, model, store, tenant.
 */
import type { Caller } from '../sessions/caller.ts';
import { type Element, element, leaf } from '../documents/element.ts';
import { serviceLinksFor } from '../extension/service-links.ts';
import { type View, link, rightReference } from '../documents/represent.ts';
import type { Org, Role, User, Vdc } from '../model.ts';
import type { Store } from '../store.ts';
import {
  MEDIA,
  adminOrgPath,
  orgPath,
  orgReference,
  rolePath,
  roleReference,
  tasksPath,
  userPath,
  userReference,
  vdcPath,
  vdcReference,
} from './paths.ts';

/** The store and the request that a document is made for. */
export interface Scene {
  readonly store: Store;
  readonly view: View;
  readonly caller: Caller;
}

interface Head {
  readonly path: string;
  readonly media: string;
  readonly id: string;
  readonly urn: string;
  readonly name: string;
}

/** The attributes that all entities have. */
const attributesOf = (view: View, { path, media, urn, name }: Head) => ({
  name,
  id: urn,
  type: `${media}+${view.format}`,
  href: `${view.base}${path}`,
});

/** A document with the links of services after its own. */
export function entity(
  { store, view }: Scene,
  qualified: `vcloud:${string}`,
  head: Head,
  children: readonly Element[],
): Element {
  const links = children.filter((child) => child.name === 'Link');
  const rest = children.filter((child) => child.name !== 'Link');
  const added = serviceLinksFor(store, view, head);
  return element(qualified, attributesOf(view, head), [...links, ...added, ...rest]);
}

export const described = (text: string | undefined) =>
  text === undefined ? [] : [leaf('vcloud:Description', text)];

export function orgElement(scene: Scene, org: Org): Element {
  const { view, caller } = scene;
  const head = { path: orgPath(org), media: MEDIA.org, id: org.id, name: org.name };
  const admin = caller.administers
    ? [link(view, 'alternate', adminOrgPath(org), MEDIA.adminOrg)]
    : [];
  return entity(scene, 'vcloud:Org', { ...head, urn: `urn:vcloud:org:${org.id}` }, [
    link(view, 'down', tasksPath(org), MEDIA.tasksList),
    ...vdcsOf(scene.store, org).map((vdc) => link(view, 'down', vdcPath(vdc), MEDIA.vdc)),
    link(view, 'down', `/api/query?type=vApp&filter=org==${org.id}`, MEDIA.records),
    link(view, 'down:extensibility', '/api/extensibility', EXTENSIBILITY),
    ...admin,
    leaf('vcloud:FullName', org.name),
    leaf('vcloud:IsEnabled', true),
  ]);
}

export const EXTENSIBILITY = 'application/vnd.vmware.vcloud.apiextensibility';

function adminOrgLinks({ view, caller }: Scene, org: Org): Element[] {
  const path = adminOrgPath(org);
  // Tasks and events of services are made with a system administrator's session only.
  const services = caller.isProvider
    ? [
        link(view, 'task:create', tasksPath(org), MEDIA.task),
        link(view, 'event:create', `${path}/events`, MEDIA.event),
      ]
    : [];
  return [
    link(view, 'down', tasksPath(org), MEDIA.tasksList),
    link(view, 'add', `${path}/users`, MEDIA.user),
    link(view, 'add', `${path}/roles`, MEDIA.role),
    link(view, 'down', `${path}/rights`, 'application/vnd.vmware.admin.org.rights'),
    link(view, 'alternate', orgPath(org), MEDIA.org),
    ...services,
  ];
}

/** Users of an org, but for service accounts, which are no people. */
export const usersOf = (store: Store, org: Org): User[] =>
  [...store.users.values()].filter((user) => user.org.id === org.id && !user.isServiceAccount);

export const vdcsOf = (store: Store, org: Org): Vdc[] =>
  [...store.vdcs.values()].filter((vdc) => vdc.org.id === org.id);

export const rolesOf = (store: Store, org: Org): Role[] =>
  [...store.roles.values()].filter((role) => role.org.id === org.id);

export function adminOrgElement(scene: Scene, org: Org): Element {
  const { store, view } = scene;
  const head = { path: adminOrgPath(org), media: MEDIA.adminOrg, id: org.id, name: org.name };
  const users = usersOf(store, org).map((user) =>
    userReference(view, 'vcloud:UserReference', user),
  );
  const settings = element('vcloud:OrgGeneralSettings', {}, [
    leaf('vcloud:CanPublishCatalogs', false),
    leaf('vcloud:DeployedVMQuota', 0),
    leaf('vcloud:StoredVmQuota', 0),
  ]);
  return entity(scene, 'vcloud:AdminOrg', { ...head, urn: `urn:vcloud:org:${org.id}` }, [
    ...adminOrgLinks(scene, org),
    leaf('vcloud:FullName', org.name),
    leaf('vcloud:IsEnabled', true),
    element('vcloud:Settings', {}, [settings]),
    element('vcloud:Users', {}, users),
    element(
      'vcloud:Vdcs',
      {},
      vdcsOf(store, org).map((vdc) => vdcReference(view, 'vcloud:Vdc', vdc)),
    ),
    orgRightsElement(scene, org, 'vcloud:RightReferences'),
    orgRolesElement(scene, org, 'vcloud:RoleReferences'),
  ]);
}

/** All rights: a local cloud publishes each to each org. */
export function orgRightsElement(
  { store, view }: Scene,
  org: Org,
  name: 'vcloud:OrgRights' | 'vcloud:RightReferences',
): Element {
  const references = [...store.rights.values()].map((right) =>
    rightReference(view, 'vcloud:RightReference', right),
  );
  return element(name, { href: `${view.base}${adminOrgPath(org)}/rights` }, references);
}

export function orgRolesElement(
  { store, view }: Scene,
  org: Org,
  name: 'vcloud:OrgRoles' | 'vcloud:RoleReferences',
): Element {
  const references = rolesOf(store, org).map((role) =>
    roleReference(view, 'vcloud:RoleReference', role),
  );
  return element(name, { href: `${view.base}${adminOrgPath(org)}/roles` }, references);
}

export function userElement(scene: Scene, user: User): Element {
  const { store, view } = scene;
  const path = userPath(user);
  const role = store.roles.get(user.role);
  const head = { path, media: MEDIA.user, id: user.id, name: user.name };
  return entity(scene, 'vcloud:User', { ...head, urn: `urn:vcloud:user:${user.id}` }, [
    link(view, 'edit', path, MEDIA.user),
    link(view, 'remove', path),
    link(view, 'up', adminOrgPath(user.org), MEDIA.adminOrg),
    ...described(user.description),
    leaf('vcloud:FullName', user.fullName ?? user.name),
    leaf('vcloud:EmailAddress', user.email ?? ''),
    leaf('vcloud:IsEnabled', user.isEnabled),
    leaf('vcloud:IsLocked', false),
    leaf('vcloud:IsExternal', false),
    leaf('vcloud:ProviderType', 'INTEGRATED'),
    ...(role ? [roleReference(view, 'vcloud:Role', role)] : []),
  ]);
}

export function roleElement(scene: Scene, role: Role): Element {
  const { store, view } = scene;
  const path = rolePath(role);
  const head = { path, media: MEDIA.role, id: role.id, name: role.name };
  const held = [...store.rights.values()].filter((right) => role.rights.has(right.id));
  return entity(scene, 'vcloud:Role', { ...head, urn: `urn:vcloud:role:${role.id}` }, [
    link(view, 'edit', path, MEDIA.role),
    link(view, 'remove', path),
    link(view, 'up', adminOrgPath(role.org), MEDIA.adminOrg),
    ...described(role.description),
    element(
      'vcloud:RightReferences',
      {},
      held.map((right) => rightReference(view, 'vcloud:RightReference', right)),
    ),
  ]);
}

export function orgListElement({ view }: Scene, orgs: readonly Org[]): Element {
  return element(
    'vcloud:OrgList',
    { href: `${view.base}/api/org`, type: `${MEDIA.orgList}+${view.format}` },
    orgs.map((org) => orgReference(view, 'vcloud:Org', org)),
  );
}
