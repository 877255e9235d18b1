/**
 * The query service: records of rights and of everything below extension services.
 * May import: element, fault, fiql, json, kinds, represent, store.
 */
import { type Element, element, textOf } from './element.ts';
import { VcloudFault } from './fault.ts';
import { compileFilter } from './fiql.ts';
import { type Json, toJson } from './json.ts';
import { KINDS, KIND_NAMES, type KindName } from './kinds.ts';
import { type View, link, pathOf, rightPath, rightUrn } from './represent.ts';
import { type Entity, type Store, ancestorOf, urnOf } from './store.ts';

export interface Query {
  readonly type: string;
  /** Path and query string under which the answer was asked, for its links. */
  readonly path: string;
  readonly parameters: ReadonlyMap<string, string>;
  /** Further restriction, from the path of a collection. */
  readonly parent?: string;
}

interface Row {
  readonly path: string;
  readonly urn: string;
  readonly attributes: Readonly<Record<string, string>>;
}

const MAX_PAGE_SIZE = 128;
const DEFAULT_PAGE_SIZE = 25;

function valueOf(store: Store, view: View, entity: Entity, source: string): string | undefined {
  if (source === '@name') return entity.name;
  if (!source.startsWith('^')) return textOf(entity.content, source);
  const ancestor = ancestorOf(store, entity, source.slice(1) as KindName);
  return ancestor && `${view.base}${pathOf(ancestor)}`;
}

function entityRows(store: Store, view: View, kind: KindName, parent?: string): Row[] {
  const entities = [...store.entities.values()].filter(
    (item) => item.kind === kind && (parent === undefined || item.parent === parent),
  );
  return entities.map((entity) => ({
    path: pathOf(entity),
    urn: urnOf(entity),
    attributes: Object.fromEntries(
      Object.entries(KINDS[kind].record).flatMap(([name, source]) => {
        const value = valueOf(store, view, entity, source);
        return value === undefined ? [] : [[name, value]];
      }),
    ),
  }));
}

function rightRows(store: Store): Row[] {
  return [...store.rights.values()].map((right) => ({
    path: rightPath(right),
    urn: rightUrn(right),
    attributes: { name: right.name, category: right.category },
  }));
}

/** `apiFilter` to `ApiFilter`: the middle of the record element's name. */
const recordName = (type: string) => `${type.charAt(0).toUpperCase()}${type.slice(1)}`;

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

interface Found {
  readonly rows: readonly Row[];
  readonly known: readonly string[];
}

function find(store: Store, view: View, query: Query): Found {
  if (query.type === 'right') return { rows: rightRows(store), known: ['name', 'category'] };
  const kind = KIND_NAMES.find((name) => KINDS[name].query === query.type);
  if (!kind) throw new VcloudFault(400, `The query type '${query.type}' is not supported`);
  return {
    rows: entityRows(store, view, kind, query.parent),
    known: Object.keys(KINDS[kind].record),
  };
}

/** Answer a query as `QueryResultRecords`; 400 for unknown types, attributes, formats and pages. */
export function runQuery(store: Store, view: View, query: Query): Element {
  const format = query.parameters.get('format') ?? 'records';
  if (format !== 'records' && format !== 'idrecords')
    throw new VcloudFault(400, `The format '${format}' is not supported`);
  const { rows, known } = find(store, view, query);
  const text = query.parameters.get('filter');
  const filter = text === undefined ? () => true : compileFilter(text, known);
  const hits = sorted(
    rows.filter((row) => filter(row.attributes)),
    query,
  );
  const page = numberOf(query, 'page', 1);
  const pageSize = Math.min(numberOf(query, 'pageSize', DEFAULT_PAGE_SIZE), MAX_PAGE_SIZE);
  const last = Math.max(1, Math.ceil(hits.length / pageSize));
  if (page > last) throw new VcloudFault(400, `The page ${page} does not exist: there are ${last}`);
  const records = hits.slice((page - 1) * pageSize, page * pageSize).map((row) =>
    element(`vcloud:${recordName(query.type)}Record`, {
      ...row.attributes,
      ...(format === 'records' ? { href: `${view.base}${row.path}` } : { id: row.urn }),
    }),
  );
  return element(
    'vcloud:QueryResultRecords',
    {
      total: hits.length,
      pageSize,
      page,
      name: query.type,
      type: `application/vnd.vmware.vcloud.query.${format}+${view.format}`,
      href: `${view.base}${query.path}`,
    },
    [...pageLinks(view, query, page, last), ...records],
  );
}

const TYPED = new Set([
  'enabled',
  'isAuthorizationEnabled',
  'priority',
  'total',
  'page',
  'pageSize',
]);

const typed = ({ attributes }: Element): (readonly [string, Json])[] =>
  Object.entries(attributes).map(([name, value]) => [
    name,
    TYPED.has(name) ? (JSON.parse(value) as Json) : value,
  ]);

function recordToJson(record: Element): Json {
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
    record: records.map(recordToJson),
  };
}
