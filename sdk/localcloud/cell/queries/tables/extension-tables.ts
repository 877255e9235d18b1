/**
 * Query types of rights and of everything below extension services, for the provider and for tenants.
 * May import: element, kinds, paths, represent, model, store, table.
 */
import { type Element, textOf } from '../../documents/element.ts';
import { uuidIn } from '../../extension/service-links.ts';
import { KINDS, KIND_NAMES, type KindName, mediaOf } from '../../extension/kinds.ts';
import { pathOf, rightPath, rightUrn } from '../../documents/represent.ts';
import type { Entity } from '../../model.ts';
import { ancestorOf, urnOf } from '../../store.ts';
import { MEDIA } from '../../tenant/paths.ts';
import { type Asked, type QueryTable, type Row, everybody, provider, written } from './table.ts';

/** `@name`, `^kind` of an ancestor (`^kind.Element` for its text), `Element`, or `Element/Child@attribute`. */
function valueOf({ store, view }: Asked, entity: Entity, source: string): string | undefined {
  if (source === '@name') return entity.name;
  if (source.startsWith('^')) {
    const [kind, element] = source.slice(1).split('.');
    const ancestor = ancestorOf(store, entity, kind as KindName);
    if (!ancestor || element === undefined) return ancestor && `${view.base}${pathOf(ancestor)}`;
    return element === '@name' ? ancestor.name : textOf(ancestor.content, element);
  }
  const [path = '', attribute] = source.split('@');
  let found: Element | undefined;
  for (const step of path.split('/'))
    found = (found?.children ?? entity.content).find((child) => child.name === step);
  return attribute === undefined ? found?.text : found?.attributes[attribute];
}

function entityRows(asked: Asked, kind: KindName, record: Readonly<Record<string, string>>): Row[] {
  const { store, parent } = asked;
  const entities = [...store.entities.values()].filter(
    (item) => item.kind === kind && (parent === undefined || item.parent === parent),
  );
  return entities.map((entity) => ({
    path: pathOf(entity),
    urn: urnOf(entity),
    media: mediaOf(kind),
    attributes: {
      ...written(
        Object.fromEntries(
          Object.entries(record).map(([name, source]) => [name, valueOf(asked, entity, source)]),
        ),
      ),
      ...(kind === 'aclRule' ? principalType(entity) : {}),
    },
  }));
}

/** Whether a rule speaks of a user or of a right can be told from the address only. */
function principalType(rule: Entity): Record<string, string> {
  const access = rule.content.find((part) => part.name === 'PrincipalAccess');
  const href = access?.children.find((child) => child.name === 'Entity')?.attributes['href'];
  if (href === undefined) return {};
  return { principalType: href.includes('/right/') ? 'right' : 'user' };
}

function adminTable(kind: KindName): readonly [string, QueryTable] {
  const { query, record } = KINDS[kind];
  const names = Object.keys(record);
  const table: QueryTable = {
    record: `${query.charAt(0).toUpperCase()}${query.slice(1)}`,
    attributes: kind === 'aclRule' ? [...names, 'principalType'] : names,
    mayAsk: provider,
    rows: (asked) => entityRows(asked, kind, record),
  };
  return [query, table];
}

/** What tenants see of enabled services, below addresses of their own. */
function tenantTable(kind: KindName, record: string, sources: readonly string[]): QueryTable {
  const all = KINDS[kind].record;
  const chosen = Object.fromEntries(sources.map((name) => [name, all[name] ?? '']));
  return {
    record,
    attributes: sources,
    mayAsk: everybody,
    rows: (asked) =>
      entityRows(asked, kind, chosen)
        .filter(({ urn }) => {
          const entity = asked.store.entities.get(uuidIn(urn) ?? '');
          const service = entity && ancestorOf(asked.store, entity, 'service');
          return service && textOf(service.content, 'Enabled') === 'true';
        })
        .map((row) => tenantRow(asked, row)),
  };
}

const toTenantPath = (path: string) => path.replace('/api/admin/extension/service', '/api/service');

/** References among tenants' documents stay among them; `{baseUri}` is filled in. */
function tenantRow({ view }: Asked, row: Row): Row {
  const entries = Object.entries(row.attributes).map(([name, value]) => [
    name,
    toTenantPath(value).replaceAll('{baseUri}', () => `${view.base}/api/`),
  ]);
  return {
    ...row,
    path: toTenantPath(row.path ?? ''),
    media: (row.media ?? '').replace('.admin.', '.vcloud.').toLowerCase(),
    attributes: Object.fromEntries(entries) as Record<string, string>,
  };
}

const right: QueryTable = {
  record: 'Right',
  attributes: ['name', 'category'],
  mayAsk: everybody,
  rows: ({ store }) =>
    [...store.rights.values()].map((item) => ({
      path: rightPath(item),
      urn: rightUrn(item),
      media: MEDIA.right,
      attributes: { name: item.name, category: item.category },
    })),
};

const of = (kind: KindName) => Object.keys(KINDS[kind].record);

export const EXTENSION_TABLES: Readonly<Record<string, QueryTable>> = {
  ...Object.fromEntries(KIND_NAMES.map(adminTable)),
  right,
  service: tenantTable('service', 'Service', ['name', 'vendor', 'namespace']),
  apiDefinition: tenantTable('apiDefinition', 'ApiDefinition', of('apiDefinition')),
  fileDescriptor: tenantTable('fileDescriptor', 'FileDescriptor', of('fileDescriptor')),
};
