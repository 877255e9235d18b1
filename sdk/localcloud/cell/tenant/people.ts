/**
 * Users and roles: what may be made, changed and deleted.
 * May import: element, fault, model, store.
 */
import { randomUUID } from 'node:crypto';

import { type Element, textOf } from '../documents/element.ts';
import { uuidIn } from '../extension/service-links.ts';
import { VcloudFault } from '../documents/fault.ts';
import type { Org, Role, User } from '../model.ts';
import { type Store, SYSTEM_ORG } from '../store.ts';

const refuse = (message: string, minor?: string) => new VcloudFault(400, message, minor);

function nameOf(node: Element): string {
  const name = node.attributes['name']?.trim() ?? '';
  if (name === '' || name.length > 128)
    throw refuse(`${node.name}: the name must have 1 to 128 characters`);
  return name;
}

interface Named {
  readonly id: string;
  readonly name: string;
  readonly org: Org;
}

function checkFree(what: string, all: Iterable<Named>, wanted: Named): void {
  const { id, org } = wanted;
  const name = wanted.name.toLowerCase();
  const taken = [...all].some(
    (item) => item.org.id === org.id && item.id !== id && item.name.toLowerCase() === name,
  );
  if (taken) throw refuse(`${what}: the name '${wanted.name}' is taken`, 'DUPLICATE_NAME');
}

/** The role that a user's document points to: one of the same org. */
function roleIn(store: Store, org: Org, node: Element): string | undefined {
  const href = node.children.find((child) => child.name === 'Role')?.attributes['href'];
  if (href === undefined) return undefined;
  const role = store.roles.get(uuidIn(href) ?? '');
  if (role?.org.id !== org.id)
    throw refuse(`User: the role '${href}' is none of the organization's`);
  return role.id;
}

function booleanOf(node: Element, name: string): boolean | undefined {
  const text = textOf(node.children, name)?.trim();
  return text === undefined ? undefined : text === 'true' || text === '1';
}

/** What a document changes about a user; the name, the password and the role of the cell's own stay. */
function changed(store: Store, before: User, node: Element): User {
  const fullName = textOf(node.children, 'FullName') ?? before.fullName;
  const email = textOf(node.children, 'EmailAddress') ?? before.email;
  const description = textOf(node.children, 'Description') ?? before.description;
  return {
    ...before,
    name: nameOf(node),
    password: textOf(node.children, 'Password') ?? before.password,
    role: roleIn(store, before.org, node) ?? before.role,
    isEnabled: booleanOf(node, 'IsEnabled') ?? before.isEnabled,
    ...(fullName === undefined ? {} : { fullName }),
    ...(email === undefined ? {} : { email }),
    ...(description === undefined ? {} : { description }),
  };
}

/** Add a user by its validated document: name, password and role are required. */
export function createUser(store: Store, org: Org, node: Element): User {
  const none = { id: randomUUID(), name: '', password: '', org, role: '', isEnabled: false };
  const user = changed(store, none, node);
  if (user.password === '') throw refuse("User: the element 'Password' is required");
  if (user.role === '') throw refuse("User: the element 'Role' is required");
  checkFree('User', store.users.values(), user);
  store.users.set(user.id, user);
  return user;
}

export function updateUser(store: Store, user: User, node: Element): User {
  const updated = changed(store, user, node);
  if (user.id === store.administrator.id && !updated.isEnabled)
    throw refuse('User: the administrator of the system cannot be disabled');
  checkFree('User', store.users.values(), updated);
  store.users.set(user.id, updated);
  return updated;
}

export function deleteUser(store: Store, user: User): void {
  if (user.id === store.administrator.id)
    throw refuse('User: the administrator of the system cannot be deleted');
  store.users.delete(user.id);
}

function rightsIn(store: Store, node: Element): Set<string> {
  const references = node.children.find((child) => child.name === 'RightReferences')?.children;
  return new Set(
    (references ?? [])
      .filter((child) => child.name === 'RightReference')
      .map(({ attributes }) => {
        const href = attributes['href'] ?? '';
        const id = uuidIn(href);
        if (id === undefined || !store.rights.has(id))
          throw refuse(`Role: '${href}' is not a right`);
        return id;
      }),
  );
}

/** Add a role with the rights that its validated document names; it takes no others by itself. */
export function createRole(store: Store, org: Org, node: Element): Role {
  const role: Role = {
    id: randomUUID(),
    name: nameOf(node),
    description: textOf(node.children, 'Description') ?? '',
    org,
    takes: undefined,
    rights: rightsIn(store, node),
  };
  checkFree('Role', store.roles.values(), role);
  store.roles.set(role.id, role);
  return role;
}

/** Give a role other rights; from then on it no longer takes those of new services by itself. */
export function updateRole(store: Store, role: Role, node: Element): Role {
  if (role.org.id === SYSTEM_ORG.id && role.takes === 'all')
    throw refuse('Role: the system administrator always has all rights');
  const description = textOf(node.children, 'Description') ?? role.description;
  const rights = rightsIn(store, node);
  const updated: Role = { ...role, name: nameOf(node), description, takes: undefined, rights };
  checkFree('Role', store.roles.values(), updated);
  store.roles.set(role.id, updated);
  return updated;
}

export function deleteRole(store: Store, role: Role): void {
  if ([...store.users.values()].some((user) => user.role === role.id))
    throw refuse(`Role: '${role.name}' is held by users`);
  store.roles.delete(role.id);
}
