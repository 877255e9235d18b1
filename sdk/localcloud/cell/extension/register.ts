/**
 * Makes, changes and deletes extension services and what hangs below them, under vCloud's rules.
 * May import: checks, element, fault, kinds, model, store.
 */
import { randomUUID } from 'node:crypto';

import { type Element, leaf, textOf } from '../documents/element.ts';
import { checkEntity } from './checks.ts';
import { VcloudFault } from '../documents/fault.ts';
import { KINDS, type KindName, childKinds } from './kinds.ts';
import type { Entity } from '../model.ts';
import { type Store, childrenOf, removeEntity } from '../store.ts';

const refuse = (message: string) => new VcloudFault(400, message);

const ownElements = (node: Element) => node.children.filter((child) => child.ns === 'vmext');

function containersOf(kind: KindName): Map<string, KindName> {
  return new Map(childKinds(kind).map((name) => [KINDS[name].container, name]));
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
  checkEntity(store, entity);
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
  checkEntity(store, updated);
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
