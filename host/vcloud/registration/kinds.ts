/**
 * The sub-collections of a service: where each is found, created and what it consists of.
 * May import: message.
 */
import type { Doc } from '../../message/xml/documents.ts';
import { uuidOf } from '../links.ts';

/** Names of the documents of which a service has many. */
export type ChildKind =
  | 'ApiFilter'
  | 'ServiceLink'
  | 'ApiDefinition'
  | 'FileDescriptor'
  | 'ResourceClass'
  | 'ServiceResource'
  | 'ResourceClassAction'
  | 'AclRule';

export interface KindInfo {
  /** Query type for sysadmins, and the record's attribute that names the owner. */
  readonly query: string;
  readonly owner: string;
  /** Rel of the owner's link that lists the collection. */
  readonly down: string;
  /** Last part of the collection's path below its owner, should the owner show no `add` link. */
  readonly path: string;
  /** Collections of each item, in the order in which they are created. */
  readonly children: readonly ChildKind[];
}

export const KINDS: Readonly<Record<ChildKind, KindInfo>> = {
  ApiDefinition: {
    query: 'adminApiDefinition',
    owner: 'service',
    down: 'down:apiDefinitions',
    path: 'apidefinitions',
    children: ['FileDescriptor'],
  },
  FileDescriptor: {
    query: 'adminFileDescriptor',
    owner: 'apiDefinition',
    down: 'down:files',
    path: 'files',
    children: [],
  },
  ResourceClass: {
    query: 'resourceClass',
    owner: 'service',
    down: 'down:resourceClasses',
    path: 'resourceclasses',
    children: ['ServiceResource', 'ResourceClassAction'],
  },
  ServiceResource: {
    query: 'serviceResource',
    owner: 'resourceClass',
    down: 'down:serviceResources',
    path: 'serviceresources',
    children: [],
  },
  ResourceClassAction: {
    query: 'resourceClassAction',
    owner: 'resourceClass',
    down: 'down:resourceClassActions',
    path: 'resourceclassactions',
    children: ['AclRule'],
  },
  AclRule: {
    query: 'aclRule',
    owner: 'resourceClassAction',
    down: 'down:aclRules',
    path: 'aclrules',
    children: [],
  },
  ServiceLink: {
    query: 'serviceLink',
    owner: 'service',
    down: 'down:serviceLinks',
    path: 'links',
    children: [],
  },
  ApiFilter: {
    query: 'apiFilter',
    owner: 'service',
    down: 'down:apiFilters',
    path: 'apifilters',
    children: [],
  },
};

/** Collections of the service itself. Filters come last: they are what lets calls in. */
export const SERVICE_CHILDREN: readonly ChildKind[] = [
  'ApiDefinition',
  'ResourceClass',
  'ServiceLink',
  'ApiFilter',
];

export type OwnerKind = ChildKind | 'Service';

/** What a kind is a collection of. */
export function ownerKind(kind: ChildKind): OwnerKind {
  const entry = Object.entries(KINDS).find(([, { children }]) => children.includes(kind));
  return entry ? (entry[0] as ChildKind) : 'Service';
}

/** Any document of a child. */
export type ChildDoc = { readonly [K in ChildKind]: Doc<K> }[ChildKind];

/** What differs between two representations of the same thing, or belongs to its own collections. */
const NOT_COMPARED = new Set([
  'href',
  'id',
  'type',
  'operationKey',
  'Link',
  'Files',
  'ServiceResources',
  'ResourceClassActions',
  'AclRules',
]);

/** Equal for documents that say the same: own fields only, references by the id they point to, empty as absent. */
export function keyOf(document: ChildDoc): string {
  const fields = Object.entries(document)
    .filter(([name, value]) => !NOT_COMPARED.has(name) && value !== undefined && value !== '')
    .map(([name, value]) => [name, comparable(value)] as const);
  return JSON.stringify(fields.sort(([a], [b]) => (a < b ? -1 : 1)));
}

function comparable(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(comparable);
  if (typeof value !== 'object' || value === null) return value;
  const { href } = value as { readonly href?: string };
  if (href === undefined)
    return Object.entries(value)
      .filter(([, inner]) => inner !== undefined)
      .map(([name, inner]) => [name, comparable(inner)])
      .sort(([a], [b]) => (String(a) < String(b) ? -1 : 1));
  return uuidOf(href) ?? href;
}

/** A short name for people. */
export function labelOf(document: ChildDoc): string {
  if ('name' in document && document.name) return document.name;
  if ('UrlPattern' in document && document.UrlPattern) return document.UrlPattern;
  if ('ResponseContentType' in document) return `response ${document.ResponseContentType}`;
  if ('LinkHref' in document) return `${document.Rel} on ${document.ResourceType}`;
  if ('File' in document) return document.File?.name ?? document.File?.href ?? '';
  return '';
}
