/**
 * Typed queries for plug-ins: asked for the calling org only, and each record looked at before it is handed on.
 * May import: kernel, message, vcloud.
 */
import { HostError } from '../../kernel/errors.ts';
import { decodeRecords } from '../../message/xml/records.ts';
import { uuidOf } from '../../vcloud/links.ts';
import type { Grant } from '../binding.ts';
import { orgUuid, type VcloudAccess } from './access.ts';

export interface QueryWish {
  readonly type: string;
  /** FIQL. */
  readonly filter: string | null;
  readonly page: number;
  readonly pageSize: number;
  readonly sortAsc: string | null;
}

export interface QueryAnswer {
  readonly records: readonly Readonly<Record<string, string | undefined>>[];
  /** Records of the whole query, when vCloud tells. */
  readonly total: number | null;
}

/** By the tenant's name of a type, the administrator's whose records name their org. */
const TYPES: Readonly<Record<string, string>> = {
  vApp: 'adminVApp',
  vm: 'adminVM',
  orgVdc: 'adminOrgVdc',
  vAppTemplate: 'adminVAppTemplate',
  catalog: 'adminCatalog',
  catalogItem: 'adminCatalogItem',
  media: 'adminMedia',
  disk: 'adminDisk',
  task: 'adminTask',
  event: 'adminEvent',
};

/** Throws `BINDING_ARGUMENT`, or what asking vCloud threw. */
export async function runQuery(
  access: VcloudAccess,
  grant: Grant,
  wish: QueryWish,
  signal: AbortSignal,
): Promise<QueryAnswer> {
  const type = Object.hasOwn(TYPES, wish.type) ? TYPES[wish.type] : undefined;
  if (type === undefined)
    throw new HostError(
      'BINDING_ARGUMENT',
      `vcloud: the types of queries are ${Object.keys(TYPES).join(', ')}`,
    );
  const org = orgUuid(grant);
  const path = `/api/query?${parameters(wish, type, `${access.origin}/api/org/${org}`)}`;
  const answer = await access.send(grant, { method: 'GET', path }, signal);
  if (answer.status !== 200)
    throw new HostError('BINDING_ARGUMENT', `vcloud: vCloud refused the query (${answer.status})`);
  const { records, total } = decodeRecords(answer.body);
  // The filter asks for this org only; a cell that passes over it must not hand out another's.
  const own = records.filter(({ attributes }) => uuidOf(attributes['org']) === org);
  const clean = own.length === records.length;
  return {
    records: own.map(({ attributes }) => attributes),
    total: clean ? (total ?? null) : null,
  };
}

function parameters(wish: QueryWish, type: string, org: string): string {
  const own = `org==${org}`;
  const filter = wish.filter === null ? own : `(${checkFilter(wish.filter)});${own}`;
  return [
    `type=${type}`,
    'format=records',
    `page=${wish.page}`,
    `pageSize=${wish.pageSize}`,
    `filter=${encodeURIComponent(filter)}`,
    ...(wish.sortAsc === null ? [] : [`sortAsc=${encodeURIComponent(wish.sortAsc)}`]),
  ].join('&');
}

/** Brackets must close where they open, or the filter would reach out of the ones around it. */
function checkFilter(filter: string): string {
  let depth = 0;
  for (const character of filter) {
    if (character === '(') depth += 1;
    if (character === ')') depth -= 1;
    if (depth < 0) break;
  }
  if (depth !== 0 || /[\u0000-\u001f%&#?"'\\]/.test(filter))
    throw new HostError('BINDING_ARGUMENT', 'vcloud: the filter can not be read');
  return filter;
}
