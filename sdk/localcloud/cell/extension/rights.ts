/**
 * Rights of services: made, deleted, and forgotten when nothing uses them any more.
 * May import: element, fault, model, store.
 */
import { randomUUID } from 'node:crypto';

import { type Element, textOf } from '../documents/element.ts';
import { VcloudFault } from '../documents/fault.ts';
import type { Entity, Right } from '../model.ts';
import { type Store, retire } from '../store.ts';

const refuse = (message: string, minor?: string) => new VcloudFault(400, message, minor);

/** Add a right; its name gets the prefix `{namespace}:`. */
export function createRight(store: Store, service: Entity, node: Element): Right {
  const namespace = textOf(service.content, 'Namespace');
  const name = `{${namespace}}:${node.attributes['name']}`;
  if ([...store.rights.values()].some((right) => right.name === name))
    throw refuse(`A right with the name '${name}' already exists`, 'DUPLICATE_NAME');
  const bundleKey = textOf(node.children, 'BundleKey');
  const description = textOf(node.children, 'Description');
  const right: Right = {
    id: randomUUID(),
    name,
    category: textOf(node.children, 'Category') ?? '',
    service: service.id,
    ...(bundleKey === undefined ? {} : { bundleKey }),
    ...(description === undefined ? {} : { description }),
  };
  store.rights.set(right.id, right);
  for (const role of store.roles.values())
    if (role.takes === 'all' || (role.takes === 'view' && name.includes('View')))
      role.rights.add(right.id);
  return right;
}

/** Whether a rule names the right, or a role to which somebody gave it. */
function isUsed(store: Store, { id }: Right): boolean {
  const inRole = [...store.roles.values()].some(
    (role) => role.takes === undefined && role.rights.has(id),
  );
  const rules = [...store.entities.values()].filter(({ kind }) => kind === 'aclRule');
  return inRole || rules.some(({ content }) => content.some((access) => names(access, id)));
}

const names = (access: Element, id: string) =>
  access.children.some(({ attributes }) => attributes['href']?.toLowerCase().endsWith(id));

/**
 * Delete a right: 400 for vCloud's own, and for one that a rule or a role still uses. The predefined roles,
 * which take new rights by themselves, do not count.
 */
export function deleteRight(store: Store, right: Right): void {
  if (right.service === undefined) throw refuse(`The right '${right.name}' is built in`);
  if (isUsed(store, right))
    throw refuse(`The right '${right.name}' is used by a role or an ACL rule`);
  retire(store, right);
}

/** Forget deleted rights that no role and no rule uses. */
export function clearUnusedRights(store: Store): void {
  for (const right of store.deletedRights.values()) {
    if (isUsed(store, right)) continue;
    store.deletedRights.delete(right.id);
    for (const role of store.roles.values()) role.rights.delete(right.id);
  }
}
