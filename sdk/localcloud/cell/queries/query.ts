/**
 * The query service: pages, sorting, filters and formats over the tables of what can be queried.
 * May import: caller, element, fault, fiql, json, represent, tables, store.
 */
import type { Caller } from '../sessions/caller.ts';
import { type Element, element } from '../documents/element.ts';
import { VcloudFault } from '../documents/fault.ts';
import { compileFilter } from './fiql.ts';
import { type Json, toJson } from '../documents/json.ts';
import { type View, link } from '../documents/represent.ts';
import type { Store } from '../store.ts';
import { QUERY_TABLES } from './tables/tables.ts';
import type { QueryTable, Row } from './tables/table.ts';

export interface Query {
  readonly type: string;
  /** Path and query string under which the answer was asked, for its links. */
  readonly path: string;
  readonly parameters: ReadonlyMap<string, string>;
  /** Further restriction, from the path of a collection. */
  readonly parent?: string;
}

const MAX_PAGE_SIZE = 128;
const DEFAULT_PAGE_SIZE = 25;
const FORMATS = ['records', 'idrecords', 'references'];
/** Records that have a form as references in the schemas: the others have only the first two formats. */
const REFERABLE = new Set(
  'AclRule AdminApiDefinition AdminFileDescriptor AdminService ApiDefinition ApiFilter Org ResourceClass ResourceClassAction Right Role Service ServiceLink Task User VApp OrgVdc'.split(
    ' ',
  ),
);

const formatsOf = (table: QueryTable) =>
  REFERABLE.has(table.record) ? FORMATS : FORMATS.slice(0, 2);

function numberOf(query: Query, name: string, fallback: number): number {
  const text = query.parameters.get(name);
  const value = text === undefined ? fallback : Number(text);
  if (!Number.isInteger(value) || value < 1)
    throw new VcloudFault(400, `The parameter '${name}' must be a positive number`);
  return value;
}

function sorted(rows: readonly Row[], query: Query): readonly Row[] {
  const ascending = query.parameters.get('sortAsc');
  const by = ascending ?? query.parameters.get('sortDesc');
  if (by === undefined) return rows;
  const order = ascending === undefined ? -1 : 1;
  return rows.toSorted(
    (a, b) => order * (a.attributes[by] ?? '').localeCompare(b.attributes[by] ?? ''),
  );
}

function pageLinks(view: View, query: Query, page: number, last: number): Element[] {
  const at = (number: number) => {
    const url = new URL(query.path, view.base);
    url.searchParams.set('page', String(number));
    return url.pathname + url.search;
  };
  const media = 'application/vnd.vmware.vcloud.query.records';
  return [
    ...(page > 1 ? [link(view, 'firstPage', at(1), media)] : []),
    ...(page > 1 ? [link(view, 'previousPage', at(page - 1), media)] : []),
    ...(page < last ? [link(view, 'nextPage', at(page + 1), media)] : []),
    ...(page < last ? [link(view, 'lastPage', at(last), media)] : []),
  ];
}

/** What one hit is called and says in each format. */
function hit(view: View, record: string, format: string, row: Row): Element {
  const href = row.path && `${view.base}${row.path}`;
  if (format === 'references') {
    const type = row.media && `${row.media}+${view.format}`;
    return element(`vcloud:${record}Reference`, {
      href,
      id: row.urn || undefined,
      type,
      name: row.attributes['name'],
    });
  }
  const key = format === 'records' ? { href } : { id: row.urn || undefined };
  return element(`vcloud:${record}Record`, { ...row.attributes, ...key });
}

/** Answer a query: 400 for unknown types, attributes, formats and pages, 403 for what others may ask. */
export function runQuery(store: Store, view: View, caller: Caller, query: Query): Element {
  const format = query.parameters.get('format') ?? 'records';
  const table = QUERY_TABLES[query.type];
  if (!table) throw new VcloudFault(400, `The query type '${query.type}' is not supported`);
  if (!formatsOf(table).includes(format))
    throw new VcloudFault(400, `The format '${format}' is not supported for '${query.type}'`);
  if (!table.mayAsk(caller)) throw new VcloudFault(403, 'Only an administrator may ask for this');
  const rows = table.rows({ store, view, caller, parent: query.parent });
  const text = query.parameters.get('filter');
  const filter = text === undefined ? () => true : compileFilter(text, table.attributes);
  const hits = sorted(
    rows.filter((row) => filter(row.attributes)),
    query,
  );
  const page = numberOf(query, 'page', 1);
  const pageSize = Math.min(numberOf(query, 'pageSize', DEFAULT_PAGE_SIZE), MAX_PAGE_SIZE);
  const last = Math.max(1, Math.ceil(hits.length / pageSize));
  if (page > last) throw new VcloudFault(400, `The page ${page} does not exist: there are ${last}`);
  const shown = hits
    .slice((page - 1) * pageSize, page * pageSize)
    .map((row) => hit(view, table.record, format, row));
  const name = format === 'references' ? `${table.record}References` : 'QueryResultRecords';
  return element(
    `vcloud:${name}`,
    {
      total: hits.length,
      pageSize,
      page,
      name: query.type,
      type: `application/vnd.vmware.vcloud.query.${format}+${view.format}`,
      href: `${view.base}${query.path}`,
    },
    [...pageLinks(view, query, page, last), ...shown],
  );
}

/** The types that a caller may ask for, as the document behind `/api/query`. */
export function queryListElement(view: View, caller: Caller): Element {
  const tables = Object.entries(QUERY_TABLES).flatMap(([type, table]) =>
    table?.mayAsk(caller) === true ? [[type, table] as const] : [],
  );
  const links = tables.flatMap(([type, table]) =>
    formatsOf(table).map((format) =>
      element('vcloud:Link', {
        rel: 'down',
        href: `${view.base}/api/query?type=${type}&format=${format}`,
        name: type,
        type: `application/vnd.vmware.vcloud.query.${format}+${view.format}`,
      }),
    ),
  );
  return element(
    'vcloud:QueryList',
    {
      type: `application/vnd.vmware.vcloud.query.queryList+${view.format}`,
      href: `${view.base}/api/query`,
    },
    links,
  );
}

const TYPED = new Set([
  'enabled',
  'isAuthorizationEnabled',
  'priority',
  'total',
  'page',
  'pageSize',
  'isEnabled',
  'isReadOnly',
  'isDeployed',
  'isBusy',
  'isLdapUser',
  'progress',
  'hasOwner',
  'eventStatus',
  'numberOfVApps',
]);

const typed = ({ attributes }: Element): (readonly [string, Json])[] =>
  Object.entries(attributes).map(([name, value]) => [
    name,
    TYPED.has(name) ? (JSON.parse(value) as Json) : value,
  ]);

function recordToJson(record: Element): Json {
  if (record.name.endsWith('Reference')) return toJson(record, 'Reference');
  const head = { _type: `QueryResult${record.name}Type`, link: [], metadata: null };
  return { ...head, otherAttributes: {}, ...Object.fromEntries(typed(record)) };
}

/** JSON of a query result: records are one list whose items say their type. */
export function queryToJson(result: Element): Json {
  const links = result.children.filter((child) => child.name === 'Link');
  const records = result.children.filter((child) => child.name !== 'Link');
  return {
    otherAttributes: {},
    link: links.map((item) => toJson(item, 'Link')),
    ...Object.fromEntries(typed(result)),
    [result.name.endsWith('References') ? 'reference' : 'record']: records.map(recordToJson),
  };
}
