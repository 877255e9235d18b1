/**
 * Reads what is registered now: the service, its rights and its sub-collections as a tree.
 * May import: kernel, message, vcloud.
 */
import type { Doc } from '../../message/xml/documents.ts';
import type { RequestOptions } from '../client/calls.ts';
import type { VcloudClient } from '../client.ts';
import { hasStatus } from '../errors.ts';
import { findLink, queryPath, readRecords, uuidOf } from '../links.ts';
import type { ChildDoc, ChildKind } from './kinds.ts';
import { KINDS, SERVICE_CHILDREN, keyOf, labelOf } from './kinds.ts';

export interface ObservedChild {
  readonly kind: ChildKind;
  readonly href: string;
  readonly key: string;
  readonly label: string;
  readonly document: ChildDoc;
  readonly children: readonly ObservedChild[];
}

export interface ObservedRight {
  /** As in the manifest, without the namespace. */
  readonly name: string;
  readonly href: string;
  readonly urn: string;
}

export interface ObservedService {
  readonly href: string;
  readonly document: Doc<'Service'>;
  readonly rights: readonly ObservedRight[];
  readonly children: readonly ObservedChild[];
}

/** The whole of a service by its namespace; null when it is not registered. */
export async function observeService(
  client: VcloudClient,
  namespace: string,
): Promise<ObservedService | null> {
  const found = await findService(client, namespace);
  if (!found) return null;
  const rights = await observeRights(client, found, namespace);
  return { ...found, rights, children: await observeAll(client, found, SERVICE_CHILDREN) };
}

/** Just the service, by the typed query that knows namespaces. */
export async function findService(
  client: VcloudClient,
  namespace: string,
  options?: RequestOptions,
): Promise<Pick<ObservedService, 'href' | 'document'> | null> {
  const records = await readRecords(client, queryPath('adminService', { namespace }), options);
  // Compared here too: a filter that a server passes over must not hand us somebody else's service.
  const record = records.find(({ attributes }) => attributes['namespace'] === namespace);
  const href = record?.attributes['href'];
  if (!href) return null;
  const document = await goneAsNull(client.getXml('Service', href, options));
  return document && { href: document.href ?? href, document };
}

/** The service's own rights; vCloud shows their names as `{namespace}:Name`, braces included. */
export async function observeRights(
  client: VcloudClient,
  service: Pick<ObservedService, 'href' | 'document'>,
  namespace: string,
): Promise<ObservedRight[]> {
  const path = findLink(service.document.Link, 'rights') ?? `${service.href}/rights`;
  const { Right = [] } = await client.getXml('RightRefs', path);
  const prefix = `{${namespace}}:`;
  return Right.flatMap(({ name = '', href = '', id }) => {
    const uuid = uuidOf(id) ?? uuidOf(href);
    const bare = name.startsWith(prefix) ? name.slice(prefix.length) : name;
    return uuid ? [{ name: bare, href, urn: `urn:vcloud:right:${uuid}` }] : [];
  });
}

interface Owner {
  readonly href: string;
  readonly document: { readonly Link?: Doc<'Service'>['Link'] };
}

async function observeAll(
  client: VcloudClient,
  owner: Owner,
  kinds: readonly ChildKind[],
): Promise<ObservedChild[]> {
  const all: ObservedChild[] = [];
  for (const kind of kinds) all.push(...(await observeKind(client, owner, kind)));
  return all;
}

async function observeKind(
  client: VcloudClient,
  owner: Owner,
  kind: ChildKind,
): Promise<ObservedChild[]> {
  const { query, owner: attribute, down, children } = KINDS[kind];
  const path = findLink(owner.document.Link, down) ?? queryPath(query, { [attribute]: owner.href });
  const ownerId = uuidOf(owner.href);
  const observed: ObservedChild[] = [];
  for (const { attributes } of await readRecords(client, path)) {
    const { href, [attribute]: ownedBy } = attributes;
    if (!href || (ownedBy !== undefined && uuidOf(ownedBy) !== ownerId)) continue;
    // Records leave fields out (a filter's ResponseContentType, a rule's references): the item itself decides.
    const document = await goneAsNull<ChildDoc>(client.getXml(kind, href));
    if (!document) continue;
    const inner = await observeAll(client, { href, document }, children);
    const key = keyOf(document);
    observed.push({ kind, href, key, label: labelOf(document), document, children: inner });
  }
  return observed;
}

/** What somebody deletes while we read is not there. */
async function goneAsNull<T>(reading: Promise<T>): Promise<T | null> {
  try {
    return await reading;
  } catch (error) {
    if (hasStatus(error, 404)) return null;
    throw error;
  }
}
