/**
 * Finding one's way through vCloud's documents: links by rel and type, ids, and queries page by page.
 * May import: message, vcloud.
 */
import type { Doc } from '../message/xml/documents.ts';
import type { QueryRecord } from '../message/xml/records.ts';
import { decodeRecords } from '../message/xml/records.ts';
import type { RequestOptions } from './client/calls.ts';
import type { VcloudClient } from './client.ts';

type Link = Doc<'Link'>;

/** More pages than this are a loop on the other side. */
const MAX_PAGES = 200;

/** Href of the first link with this rel and media type; types compare without case and without `+xml`. */
export function findLink(
  links: readonly Link[] | undefined,
  rel: string,
  type?: string,
): string | undefined {
  return links?.find(
    (link) => link.rel === rel && (type === undefined || stem(link.type) === stem(type)),
  )?.href;
}

/** The UUID that an href, URN or bare id ends in, lower case; null when there is none. */
export function uuidOf(id: string | undefined): string | null {
  const found =
    /([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})(?:\/[a-z]*)?$/i.exec(id ?? '');
  return found?.[1]?.toLowerCase() ?? null;
}

/** All records of a query, following its pages. `path` is a `down:*` link or one of `queryPath`. */
export async function readRecords(
  client: VcloudClient,
  path: string,
  options?: RequestOptions,
): Promise<QueryRecord[]> {
  const records: QueryRecord[] = [];
  let next: string | undefined = path;
  for (let page = 1; next !== undefined && page <= MAX_PAGES; page += 1) {
    const answer = decodeRecords((await client.request('GET', next, options)).body);
    records.push(...answer.records);
    const linked = findLink(answer.links, 'nextPage');
    const more = answer.records.length > 0 && records.length < (answer.total ?? 0);
    next = linked ?? (more ? withPage(path, page + 1) : undefined);
  }
  return records;
}

/** Address of a typed query, for what the protocol gives no link to. */
export function queryPath(type: string, filters: Readonly<Record<string, string>> = {}): string {
  const conditions = Object.entries(filters).map(
    ([name, value]) => `${name}==${encodeURIComponent(value)}`,
  );
  const filter = conditions.length > 0 ? `&filter=${conditions.join(';')}` : '';
  return `/api/query?type=${type}&format=records&pageSize=128${filter}`;
}

function withPage(path: string, page: number): string {
  const url = new URL(path, 'http://vcloud.invalid');
  url.searchParams.set('page', String(page));
  return `${url.pathname}${url.search}`;
}

function stem(type: string | undefined): string {
  return (type ?? '').toLowerCase().replace(/\+(?:xml|json)$/, '');
}
