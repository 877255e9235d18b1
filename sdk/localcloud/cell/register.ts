/**
 * Makes, changes and deletes extension services and what hangs below them, under vCloud's rules.
 * May import: element, fault, java-regex, kinds, store.
 */
import { randomUUID } from 'node:crypto';

import { type Element, leaf, textOf } from './element.ts';
import { VcloudFault } from './fault.ts';
import { translateJavaRegex } from './java-regex.ts';
import { KINDS, type KindName, childKinds } from './kinds.ts';
import { type Entity, type Right, type Store, childrenOf, removeEntity, retire } from './store.ts';

const refuse = (message: string, minor?: string) => new VcloudFault(400, message, minor);

const ownElements = (node: Element) => node.children.filter((child) => child.ns === 'vmext');

function containersOf(kind: KindName): Map<string, KindName> {
  return new Map(childKinds(kind).map((name) => [KINDS[name].container, name]));
}

function checkLengths(kind: KindName, content: readonly Element[]): void {
  const { element, longest, required } = KINDS[kind];
  const missing = required.find((name) => !textOf(content, name)?.trim());
  if (missing !== undefined) throw refuse(`${element}: the element '${missing}' is required`);
  for (const [name, length] of Object.entries(longest)) {
    const text = textOf(content, name) ?? '';
    if (text.length > length)
      throw refuse(`${element}: '${name}' is longer than ${length} characters`);
  }
}

function checkPattern(what: string, pattern: string): void {
  const translation = translateJavaRegex(pattern);
  if (!translation.ok)
    throw refuse(
      `${what}: '${pattern}' is not a pattern that this cell can match: ${translation.reason}`,
    );
}

function checkFilter(content: readonly Element[]): void {
  const pattern = textOf(content, 'UrlPattern');
  const media = textOf(content, 'ResponseContentType');
  if ((pattern === undefined) === (media === undefined))
    throw refuse('ApiFilter: exactly one of UrlPattern and ResponseContentType is required');
  if (pattern !== undefined) checkPattern('UrlPattern', pattern);
}

const METHODS = ['GET', 'PUT', 'POST', 'DELETE'];

function checkAction(content: readonly Element[]): void {
  const method = textOf(content, 'HttpMethod') ?? '';
  if (!METHODS.includes(method))
    throw refuse(`ResourceClassAction: HttpMethod must be one of ${METHODS.join(', ')}`);
  checkPattern('UrlPattern', textOf(content, 'UrlPattern') ?? '');
}

/** What each part of a rule may say; the first is the only one that may be missing. */
const ACCESSES: Readonly<Record<string, readonly string[]>> = {
  ServiceResourceAccess: ['Shared', 'Entity'],
  OrganizationAccess: ['Published', 'Shared', 'Entity'],
  PrincipalAccess: ['Shared', 'Entity'],
};

function checkRule(content: readonly Element[]): void {
  for (const [name, allowed] of Object.entries(ACCESSES)) {
    const part = content.find((child) => child.name === name);
    if (!part && name === 'ServiceResourceAccess') continue;
    const access = textOf(part?.children ?? [], 'Access') ?? '';
    if (!allowed.includes(access))
      throw refuse(`AclRule: Access of ${name} must be one of ${allowed.join(', ')}`);
    const entity = part?.children.some((child) => child.name === 'Entity');
    if (access === 'Entity' && !entity)
      throw refuse(`AclRule: ${name} wants the element 'Entity'`);
  }
}

function checkService(store: Store, content: readonly Element[], self?: string): void {
  const priority = Number(textOf(content, 'Priority') ?? 50);
  if (priority < 0 || priority > 100) throw refuse('Service: Priority must be between 0 and 100');
  const namespace = textOf(content, 'Namespace');
  const taken = [...store.entities.values()].some(
    (item) =>
      item.kind === 'service' &&
      item.id !== self &&
      textOf(item.content, 'Namespace') === namespace,
  );
  if (taken)
    throw refuse(`A service with the namespace '${namespace}' already exists`, 'DUPLICATE_NAME');
}

function check(store: Store, entity: Entity): void {
  checkLengths(entity.kind, entity.content);
  if (entity.kind === 'service') checkService(store, entity.content, entity.id);
  if (entity.kind === 'apiFilter') checkFilter(entity.content);
  if (entity.kind === 'resourceClassAction') checkAction(entity.content);
  if (entity.kind === 'aclRule') checkRule(entity.content);
}

/** Booleans and numbers that vCloud fills in when the document is silent. */
const SERVICE_DEFAULTS = { Enabled: 'false', AuthorizationEnabled: 'false', Priority: '50' };
const SERVICE_ORDER = [
  'Namespace',
  'Enabled',
  'AuthorizationEnabled',
  'RoutingKey',
  'Priority',
  'Exchange',
  'Vendor',
];

/** One spelling of values, and the order of the schema, over what was there before. */
function serviceContent(before: readonly Element[], given: readonly Element[]): Element[] {
  const texts = new Map<string, string>(Object.entries(SERVICE_DEFAULTS));
  for (const node of [...before, ...given]) texts.set(node.name, node.text);
  const spell = (name: string, text: string) => {
    if (name === 'Priority') return String(Number(text));
    if (!name.endsWith('Enabled')) return text;
    return String(text.trim() === 'true' || text.trim() === '1');
  };
  return SERVICE_ORDER.flatMap((name) => {
    const text = texts.get(name);
    return text === undefined ? [] : [leaf(`vmext:${name}`, spell(name, text))];
  });
}

function entityFrom(node: Element, kind: KindName, parent: string | undefined): Entity {
  const containers = containersOf(kind);
  const content = ownElements(node).filter((child) => !containers.has(child.name));
  const description = textOf(
    node.children.filter((child) => child.ns === 'vcloud'),
    'Description',
  );
  const { name, operationKey } = node.attributes;
  return {
    id: randomUUID(),
    kind,
    content: kind === 'service' ? serviceContent([], content) : content,
    ...(parent === undefined ? {} : { parent }),
    ...(name === undefined ? {} : { name }),
    ...(operationKey === undefined ? {} : { operationKey }),
    ...(description === undefined ? {} : { description }),
  };
}

/** The object and everything in its containers; all are checked before the first is stored. */
function plan(store: Store, node: Element, kind: KindName, parent: string | undefined): Entity[] {
  const entity = entityFrom(node, kind, parent);
  check(store, entity);
  return [entity, ...planContainers(store, node, kind, entity.id)];
}

function planContainers(store: Store, node: Element, kind: KindName, id: string): Entity[] {
  const containers = containersOf(kind);
  return ownElements(node).flatMap((container) => {
    const child = containers.get(container.name);
    return child ? ownElements(container).flatMap((item) => plan(store, item, child, id)) : [];
  });
}

/** Make an object from its validated document; with a known `operationKey`, return the one made before. */
export function createEntity(store: Store, node: Element, kind: KindName, parent?: string): Entity {
  const key = node.attributes['operationKey'];
  const known = [...store.entities.values()].find(
    (item) => item.kind === kind && item.parent === parent && item.operationKey === key,
  );
  if (key !== undefined && known) return known;
  const made = plan(store, node, kind, parent);
  for (const entity of made) store.entities.set(entity.id, entity);
  const [first] = made;
  if (!first) throw new VcloudFault(500, 'nothing was made');
  return first;
}

/**
 * Change a service by its validated document. What the document leaves out stays as it is; a container
 * that is there replaces the objects of its kind.
 */
export function updateService(store: Store, service: Entity, node: Element): Entity {
  const containers = containersOf('service');
  const given = ownElements(node).filter((child) => !containers.has(child.name));
  const namespace = textOf(given, 'Namespace');
  if (namespace !== undefined && namespace !== textOf(service.content, 'Namespace'))
    throw refuse('Service: Namespace cannot be changed');
  const fresh = entityFrom(node, 'service', undefined);
  const updated: Entity = {
    ...service,
    ...(fresh.name === undefined ? {} : { name: fresh.name }),
    ...(fresh.description === undefined ? {} : { description: fresh.description }),
    content: serviceContent(service.content, given),
  };
  check(store, updated);
  const children = planContainers(store, node, 'service', service.id);
  for (const container of ownElements(node)) {
    const kind = containers.get(container.name);
    if (kind) for (const old of childrenOf(store, service.id, kind)) removeEntity(store, old);
  }
  for (const entity of [updated, ...children]) store.entities.set(entity.id, entity);
  return updated;
}

/** Delete an object; a service must be disabled first. */
export function deleteEntity(store: Store, entity: Entity): void {
  if (entity.kind === 'service' && textOf(entity.content, 'Enabled') === 'true')
    throw refuse(`The extension service '${entity.name}' must be disabled before it is deleted`);
  removeEntity(store, entity);
}

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
