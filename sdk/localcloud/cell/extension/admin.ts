/**
 * The extension tree and the query service: services with what hangs below them, rights, settings, blocking tasks, queries.
 * May import: blocking, caller, discovery, documents, element, fault, kinds, model, query, register, represent, rights,
 * settings, store; hono.
 */
import { Hono, type Context } from 'hono';

import { type CellEnv, requireProvider } from '../sessions/caller.ts';
import { discoveryRoutes } from './discovery.ts';
import { type Answer, readDocument, sendDocument, viewOf } from '../documents/documents.ts';
import { element } from '../documents/element.ts';
import { VcloudFault } from '../documents/fault.ts';
import { KINDS, KIND_NAMES, type KindName, childKinds, mediaOf } from './kinds.ts';
import { queryListElement, runQuery } from '../queries/query.ts';
import { createEntity, deleteEntity, updateService } from './register.ts';
import {
  EXTENSION,
  entityElement,
  link,
  pathOf,
  rightElement,
  rightsElement,
} from '../documents/represent.ts';
import { type AmqpSettings, amqpSettingsRoutes } from './settings/amqp.ts';
import { blockingSettingsRoutes } from './settings/blocking.ts';
import { notificationSettingsRoutes } from './settings/notifications.ts';
import { blockingRoutes } from '../blocking/routes.ts';
import { clearUnusedRights, createRight, deleteRight } from './rights.ts';
import type { Entity, Right } from '../model.ts';
import type { Store } from '../store.ts';

export interface AdminOptions {
  readonly store: Store;
  /** `http://127.0.0.1:PORT` */
  readonly base: string;
  readonly amqp: AmqpSettings;
}

const ADMIN = 'application/vnd.vmware.admin.';
const QUERY_MEDIA = 'application/vnd.vmware.vcloud.query.records';

const notFound = (what: string) => new VcloudFault(404, `No access to entity "${what}"`);

function entityOf(store: Store, kind: KindName, id: string): Entity {
  const entity = store.entities.get(id);
  if (!entity || entity.kind !== kind)
    throw notFound(`com.vmware.vcloud.entity.${KINDS[kind].urn}:${id}`);
  return entity;
}

function rightOf(store: Store, id: string): Right {
  const right = store.rights.get(id);
  if (!right) throw notFound(`com.vmware.vcloud.entity.right:${id}`);
  return right;
}

/** Every route that asks for it has an `:id` in its path. */
const idOf = (c: Context) => c.req.param('id') ?? '';

const rootOf = (kind: KindName) => ({
  ns: 'vmext' as const,
  name: KINDS[kind].element,
  type: KINDS[kind].type,
});

function entityAnswer(c: Context, options: AdminOptions, entity: Entity, status: 200 | 201 = 200) {
  return sendDocument(c, {
    document: entityElement(options.store, viewOf(c, options.base), entity),
    type: KINDS[entity.kind].type,
    media: mediaOf(entity.kind),
    status,
  });
}

/** GET and DELETE of one object; PUT for services only, since children have no edit link. */
function entityRoutes(app: Hono<CellEnv>, options: AdminOptions, kind: KindName): void {
  const { store } = options;
  const path = `${EXTENSION}/service${kind === 'service' ? '' : `/${KINDS[kind].path}`}/:id`;
  app.get(path, (c) => entityAnswer(c, options, entityOf(store, kind, idOf(c))));
  app.delete(path, (c) => {
    deleteEntity(store, entityOf(store, kind, idOf(c)));
    return c.body(null, 204);
  });
  if (kind !== 'service') return;
  app.put(path, async (c) => {
    const service = entityOf(store, kind, idOf(c));
    const node = await readDocument(c, rootOf(kind));
    return entityAnswer(c, options, updateService(store, service, node));
  });
}

/** Lists of children, in the form of a query, and POST of a new one. */
function collectionRoutes(app: Hono<CellEnv>, options: AdminOptions, parent: KindName): void {
  const { store, base } = options;
  const stem = `${EXTENSION}/service${parent === 'service' ? '' : `/${KINDS[parent].path}`}/:id`;
  for (const kind of childKinds(parent)) {
    const path = `${stem}/${KINDS[kind].collection}`;
    app.get(path, (c) => {
      const owner = entityOf(store, parent, idOf(c));
      const { query } = KINDS[kind];
      const url = new URL(c.req.url);
      const document = runQuery(store, viewOf(c, base), c.get('caller'), {
        type: query,
        path: url.pathname + url.search,
        parameters: new Map(url.searchParams),
        parent: owner.id,
      });
      return sendDocument(c, { document, type: 'query', media: QUERY_MEDIA });
    });
    app.post(path, async (c) => {
      const owner = entityOf(store, parent, idOf(c));
      const node = await readDocument(c, rootOf(kind));
      return entityAnswer(c, options, createEntity(store, node, kind, owner.id), 201);
    });
  }
}

const RIGHT_ROOT = { ns: 'vcloud', name: 'Right', type: 'Right' } as const;

function rightRoutes(app: Hono<CellEnv>, { store, base }: AdminOptions): void {
  const answer = (c: Context, right: Right, status: 200 | 201): Answer => ({
    document: rightElement(viewOf(c, base), right),
    type: 'Right',
    media: `${ADMIN}right`,
    status,
  });
  app.get(`${EXTENSION}/service/:id/rights`, (c) => {
    const service = entityOf(store, 'service', idOf(c));
    const rights = [...store.rights.values()].filter((right) => right.service === service.id);
    return sendDocument(c, {
      document: rightsElement(viewOf(c, base), service, rights),
      type: 'RightRefs',
      media: `${ADMIN}rights`,
    });
  });
  app.post(`${EXTENSION}/service/:id/rights`, async (c) => {
    const service = entityOf(store, 'service', idOf(c));
    const node = await readDocument(c, RIGHT_ROOT);
    return sendDocument(c, answer(c, createRight(store, service, node), 201));
  });
  app.get('/api/admin/right/:id', (c) => sendDocument(c, answer(c, rightOf(store, idOf(c)), 200)));
  app.delete('/api/admin/right/:id', (c) => {
    requireProvider(c.get('caller'));
    deleteRight(store, rightOf(store, idOf(c)));
    return c.body(null, 204);
  });
}

function clearingRoutes(app: Hono<CellEnv>, { store }: AdminOptions): void {
  app.post(`${EXTENSION}/service/action/clearUnusedRights`, (c) => {
    clearUnusedRights(store);
    return c.body(null, 204);
  });
}

function serviceListRoutes(app: Hono<CellEnv>, options: AdminOptions): void {
  const { store, base } = options;
  app.get(`${EXTENSION}/service`, (c) => {
    const view = viewOf(c, base);
    const services = [...store.entities.values()].filter((item) => item.kind === 'service');
    const links = [
      link(view, 'up', EXTENSION, `${ADMIN}vmwExtension`),
      link(view, 'add', `${EXTENSION}/service`, mediaOf('service')),
      ...services.map((service) => link(view, 'down', pathOf(service), mediaOf('service'))),
    ];
    const attributes = {
      href: `${base}${EXTENSION}/service`,
      type: `${ADMIN}extensionServices+${view.format}`,
    };
    return sendDocument(c, {
      document: element('vmext:ExtensionServices', attributes, links),
      type: 'ExtensionServices',
      media: `${ADMIN}extensionServices`,
    });
  });
  app.post(`${EXTENSION}/service`, async (c) => {
    const node = await readDocument(c, rootOf('service'));
    return entityAnswer(c, options, createEntity(store, node, 'service'), 201);
  });
}

/** `GET /api/query`: a query, or without a type the list of those that the caller may make. */
export function queryRoute({ store, base }: AdminOptions): (c: Context<CellEnv>) => Response {
  return (c) => {
    const url = new URL(c.req.url);
    const parameters = new Map(url.searchParams);
    if (!parameters.has('type'))
      return sendDocument(c, {
        document: queryListElement(viewOf(c, base), c.get('caller')),
        type: 'QueryList',
        media: 'application/vnd.vmware.vcloud.query.queryList',
      });
    const document = runQuery(store, viewOf(c, base), c.get('caller'), {
      type: parameters.get('type') ?? '',
      path: url.pathname + url.search,
      parameters,
    });
    return sendDocument(c, { document, type: 'query', media: QUERY_MEDIA });
  };
}

/** All routes of the extension tree, where only system administrators get to, and of rights, which all may read. */
export function adminRoutes(options: AdminOptions): Hono<CellEnv> {
  const app = new Hono<CellEnv>();
  discoveryRoutes(app, options.base);
  for (const routes of [
    amqpSettingsRoutes(options),
    notificationSettingsRoutes(options),
    blockingSettingsRoutes(options),
    blockingRoutes(options),
  ])
    app.route('/', routes);
  serviceListRoutes(app, options);
  clearingRoutes(app, options);
  rightRoutes(app, options);
  for (const kind of KIND_NAMES) collectionRoutes(app, options, kind);
  // Last, since `/service/:id` would also take what is written out above.
  for (const kind of KIND_NAMES.toReversed()) entityRoutes(app, options, kind);
  return app;
}
