/**
 * Results of vCloud's typed queries: one record an element, its data in attributes.
 * May import: kernel, message.
 */
import { HostError } from '../../kernel/errors.ts';
import { readValue } from './read.ts';
import type { ValueOf } from './schema.ts';
import { NAMESPACES } from './schema.ts';
import type { XmlCaps } from './tree.ts';
import { parseXml } from './tree.ts';
import type { link } from './types-vcloud.ts';
import { container } from './types-vcloud.ts';

export interface QueryRecord {
  /** Name of the element, as `ApiFilterRecord`. */
  readonly kind: string;
  /** All attributes; href and type in the records format, id in the idrecords format. */
  readonly attributes: Readonly<Record<string, string | undefined>>;
}

export interface QueryPage {
  readonly records: readonly QueryRecord[];
  /** All records of the query, over all pages; absent when not told. */
  readonly total?: number | undefined;
  readonly page?: number | undefined;
  readonly pageSize?: number | undefined;
  readonly links: readonly ValueOf<typeof link>[];
}

/** Read one page of a query. Throws `XML_INVALID`. */
export function decodeRecords(source: string | Uint8Array, caps?: XmlCaps): QueryPage {
  const root = parseXml(source, caps);
  if (root.name !== 'QueryResultRecords' || root.namespace !== NAMESPACES.vcloud)
    throw new HostError('XML_INVALID', `XML: QueryResultRecords expected`);
  const head = readValue(container, root, root.name) as ValueOf<typeof container>;
  const records = root.children
    .filter((node) => node.namespace === NAMESPACES.vcloud && node.name.endsWith('Record'))
    .map((node) => ({ kind: node.name, attributes: plain(node.attributes) }));
  const { total, page, pageSize, Link = [] } = head;
  return { records, total, page, pageSize, links: Link };
}

function plain(attributes: ReadonlyMap<string, string>): Record<string, string | undefined> {
  return Object.assign(Object.create(null), Object.fromEntries(attributes)) as Record<
    string,
    string | undefined
  >;
}
