/**
 * Objects of the store as documents, with every link the documentation shows.
 * May import: element, kinds, model, store.
 */
import { type Element, element, leaf } from './element.ts';
import { KINDS, type Kind, type KindName, childKinds, mediaOf } from '../extension/kinds.ts';
import type { Entity, Right } from '../model.ts';
import { type Store, urnOf } from '../store.ts';

export const EXTENSION = '/api/admin/extension';
const QUERY_RECORDS = 'application/vnd.vmware.vcloud.query.records';
const ADMIN = 'application/vnd.vmware.admin.';

/** What a document needs to know of the request: the cell's address and the form's suffix. */
export interface View {
  /** `http://127.0.0.1:PORT` */
  readonly base: string;
  readonly format: 'xml' | 'json';
}

export function link(view: View, rel: string, path: string, media?: string): Element {
  const type = media && `${media}+${view.format}`;
  return element('vcloud:Link', { rel, href: `${view.base}${path}`, type });
}

export function pathOf(entity: Entity): string {
  const { path } = KINDS[entity.kind];
  return `${EXTENSION}/service${path === '' ? '' : `/${path}`}/${entity.id}`;
}

/** `ApiFilters` is behind the rel `down:apiFilters`. */
const downRel = ({ container }: Kind) =>
  `down:${container.charAt(0).toLowerCase()}${container.slice(1)}`;

/** The order of the guide's example, which is not the order of the XSD. */
const SERVICE_ORDER: readonly KindName[] = [
  'serviceLink',
  'apiFilter',
  'apiDefinition',
  'resourceClass',
];

function serviceLinks(view: View, entity: Entity): Element[] {
  const path = pathOf(entity);
  const kinds = SERVICE_ORDER.map((name) => KINDS[name]);
  return [
    link(view, 'remove', path),
    link(view, 'edit', path, `${ADMIN}service`),
    link(view, 'rights', `${path}/rights`, `${ADMIN}rights`),
    ...kinds.map((kind) => link(view, downRel(kind), `${path}/${kind.collection}`, QUERY_RECORDS)),
    ...SERVICE_ORDER.map((name) =>
      link(view, 'add', `${path}/${KINDS[name].collection}`, mediaOf(name)),
    ),
    link(view, 'bundle:upload', `${path}/localizationbundles`, `${ADMIN}bundleUploadParams`),
    link(
      view,
      'authorization:check',
      `${path}/authorizationcheck`,
      `${ADMIN}authorizationCheckParams`,
    ),
  ];
}

function childLinks(store: Store, view: View, entity: Entity): Element[] {
  const path = pathOf(entity);
  const parent = entity.parent === undefined ? undefined : store.entities.get(entity.parent);
  const up = parent ? [link(view, 'up', pathOf(parent), mediaOf(parent.kind))] : [];
  const below = childKinds(entity.kind).flatMap((name) => [
    link(view, downRel(KINDS[name]), `${path}/${KINDS[name].collection}`, QUERY_RECORDS),
    link(view, 'add', `${path}/${KINDS[name].collection}`, mediaOf(name)),
  ]);
  return [link(view, 'remove', path), ...up, ...below];
}

/** The document of an object: links instead of the containers, which are write-only. */
export function entityElement(store: Store, view: View, entity: Entity): Element {
  const links =
    entity.kind === 'service' ? serviceLinks(view, entity) : childLinks(store, view, entity);
  // FileDescriptor declares a Description of its own, in the other namespace.
  const inherited = entity.description !== undefined && entity.kind !== 'fileDescriptor';
  const description = inherited ? [leaf('vcloud:Description', entity.description ?? '')] : [];
  return element(
    `vmext:${KINDS[entity.kind].element}`,
    {
      name: entity.name,
      id: urnOf(entity),
      operationKey: entity.operationKey,
      type: `${mediaOf(entity.kind)}+${view.format}`,
      href: `${view.base}${pathOf(entity)}`,
    },
    [...links, ...description, ...entity.content],
  );
}

export const rightPath = (right: Right) => `/api/admin/right/${right.id}`;
export const rightUrn = (right: Right) => `urn:vcloud:right:${right.id}`;

export function rightElement(view: View, right: Right): Element {
  const custom = right.service !== undefined;
  const namespace = /^\{(.*)\}:/.exec(right.name)?.[1];
  return element(
    'vcloud:Right',
    {
      name: right.name,
      id: rightUrn(right),
      type: `${ADMIN}right+${view.format}`,
      href: `${view.base}${rightPath(right)}`,
    },
    [
      ...(custom ? [link(view, 'remove', rightPath(right))] : []),
      ...(right.description === undefined ? [] : [leaf('vcloud:Description', right.description)]),
      leaf('vcloud:Category', right.category),
      ...(right.bundleKey === undefined ? [] : [leaf('vcloud:BundleKey', right.bundleKey)]),
      ...(namespace === undefined ? [] : [leaf('vcloud:ServiceNamespace', namespace)]),
    ],
  );
}

/** An element of `ReferenceType` that points to a right. */
export const rightReference = (
  view: View,
  name: 'vmext:Right' | 'vcloud:RightReference',
  right: Right,
): Element =>
  element(name, {
    href: `${view.base}${rightPath(right)}`,
    id: rightUrn(right),
    type: `${ADMIN}right+${view.format}`,
    name: right.name,
  });

/** The list of rights that a service brought. */
export function rightsElement(view: View, service: Entity, rights: readonly Right[]): Element {
  const path = `${pathOf(service)}/rights`;
  return element(
    'vmext:RightRefs',
    { href: `${view.base}${path}`, type: `${ADMIN}rights+${view.format}` },
    [
      link(view, 'up', pathOf(service), mediaOf('service')),
      link(view, 'add', path, `${ADMIN}right`),
      ...rights.map((right) => rightReference(view, 'vmext:Right', right)),
    ],
  );
}
