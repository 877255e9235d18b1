/**
 * The entity resolver, and what tenants may know of extension services.
 * May import: authorize, caller, documents, element, fault, kinds, paths, represent, service-links, model, store; hono.
 */
import { type Context, Hono } from 'hono';

import { type CellEnv, requireOrg, requireProvider } from '../sessions/caller.ts';
import { sendDocument } from '../documents/documents.ts';
import { type Element, element, leaf, textOf } from '../documents/element.ts';
import { VcloudFault } from '../documents/fault.ts';
import { type View, link, pathOf, rightPath } from '../documents/represent.ts';
import type { Entity, Org } from '../model.ts';
import { type Store, ancestorOf, orgById } from '../store.ts';
import { EXTENSIBILITY, type Scene } from '../tenant/documents.ts';
import {
  MEDIA,
  adminOrgPath,
  orgPath,
  rolePath,
  taskPath,
  userPath,
  vAppPath,
  vdcPath,
} from '../tenant/paths.ts';
import { type Place, notFound, sceneOf } from '../tenant/routes.ts';
import { BLOCKING_MEDIA, blockingPath } from '../blocking/documents.ts';
import { idIn } from './authorization/authorize.ts';
import { baseUri, fillIn, isEnabled } from './service-links.ts';

interface Alternate {
  readonly path: string;
  readonly media: string;
}

interface Resolved {
  /** Only system administrators may know of it. */
  readonly hidden?: boolean;
  readonly org?: Org | undefined;
  readonly alternates: readonly Alternate[];
}

type Resolver = (store: Store, id: string) => Resolved | undefined;

const one = (org: Org | undefined, path: string, media: string): Resolved => ({
  org,
  alternates: [{ path, media }],
});

/** vCloud's own objects by the third part of their URN, in lower case. */
const CORE: Readonly<Record<string, Resolver>> = {
  org: (store, id) => {
    const org = orgById(store, id);
    if (!org) return undefined;
    const admin = { path: adminOrgPath(org), media: MEDIA.adminOrg };
    return { org, alternates: [{ path: orgPath(org), media: MEDIA.org }, admin] };
  },
  vapp: (store, id) => {
    const found = store.vApps.get(id);
    return found && one(found.org, vAppPath(found), MEDIA.vApp);
  },
  vdc: (store, id) => {
    const found = store.vdcs.get(id);
    return found && one(found.org, vdcPath(found), MEDIA.vdc);
  },
  blockingtask: (store, id) => {
    const found = store.blockingTasks.get(id);
    if (!found) return undefined;
    const alternate = { path: blockingPath(found), media: BLOCKING_MEDIA.task };
    return { hidden: true, alternates: [alternate] };
  },
  user: (store, id) => {
    const found = store.users.get(id);
    return found && one(found.org, userPath(found), MEDIA.user);
  },
  role: (store, id) => {
    const found = store.roles.get(id);
    return found && one(found.org, rolePath(found), MEDIA.role);
  },
  task: (store, id) => {
    const found = store.tasks.get(id);
    return found && one(orgById(store, found.org), taskPath(found), MEDIA.task);
  },
  right: (store, id) => {
    const found = store.rights.get(id);
    return found && one(undefined, rightPath(found), MEDIA.right);
  },
};

/** Links by the resource classes whose Nid is the URN's and whose UrnPattern matches the rest of it. */
function classLinks(store: Store, view: View, nid: string, nss: string): Element[] {
  const classes = [...store.entities.values()].filter((item) => {
    const service = ancestorOf(store, item, 'service');
    return item.kind === 'resourceClass' && service && isEnabled(service);
  });
  return classes.flatMap(({ content }) => {
    if (textOf(content, 'Nid')?.toLowerCase() !== nid.toLowerCase()) return [];
    const id = idIn(textOf(content, 'UrnPattern') ?? '', nss);
    const template = textOf(content, 'UrlTemplate');
    if (id === undefined || template === undefined) return [];
    const href = fillIn(view, template, id);
    return [element('vcloud:Link', { rel: 'alternate', href, type: textOf(content, 'MimeType') })];
  });
}

function resolve({ store, view, caller }: Scene, urn: string): Element[] {
  const [, nid, nss] = /^urn:([A-Za-z0-9][A-Za-z0-9-]{0,31}):(.+)$/s.exec(urn) ?? [];
  if (nid === undefined || nss === undefined)
    throw new VcloudFault(400, `'${urn}' is not a URN of the form urn:nid:nss`);
  const [, kind, id] = /^([A-Za-z]+):([0-9a-f-]{36})$/i.exec(nss) ?? [];
  const resolver = nid.toLowerCase() === 'vcloud' ? CORE[kind?.toLowerCase() ?? ''] : undefined;
  const found = resolver?.(store, id?.toLowerCase() ?? '');
  if (found?.org) requireOrg(caller, found.org);
  if (found?.hidden) requireProvider(caller);
  const own = (found?.alternates ?? []).map(({ path, media }) =>
    link(view, 'alternate', path, media),
  );
  return [...own, ...classLinks(store, view, nid, nss)];
}

function extensibilityElement(view: View): Element {
  const query = (rel: string, type: string) =>
    link(view, rel, `/api/query?type=${type}&format=records`, MEDIA.records);
  return element(
    'vcloud:ApiExtensibility',
    { href: `${view.base}/api/extensibility`, type: `${EXTENSIBILITY}+${view.format}` },
    [
      query('down:service', 'service'),
      query('down:apidefinitions', 'apiDefinition'),
      query('down:files', 'fileDescriptor'),
    ],
  );
}

const TENANT_MEDIA = 'application/vnd.vmware.vcloud.';

/** What a service's document shows to tenants. */
function tenantService(scene: Scene, service: Entity): Element {
  return tenantElement(scene, service, {
    name: 'Service',
    media: `${TENANT_MEDIA}service`,
    children: ['Namespace', 'Vendor'],
  });
}

interface TenantForm {
  readonly name: string;
  readonly media: string;
  readonly children: readonly string[];
}

function tenantElement({ view }: Scene, entity: Entity, form: TenantForm): Element {
  const path = pathOf(entity).replace('/api/admin/extension', '/api');
  const description =
    entity.description === undefined ? [] : [leaf('vcloud:Description', entity.description)];
  return element(
    `vcloud:${form.name}`,
    {
      name: entity.name,
      type: `${form.media}+${view.format}`,
      href: `${view.base}${path}`,
    },
    [
      ...description,
      ...form.children.flatMap((name) => {
        const text = textOf(entity.content, name);
        if (text === undefined) return [];
        return [
          leaf(
            `vcloud:${name}`,
            text.replaceAll('{baseUri}', () => baseUri(view)),
          ),
        ];
      }),
    ],
  );
}

function tenantViewRoutes(app: Hono<CellEnv>, place: Place): void {
  const { store } = place;
  /** Services that are not enabled are not there, and neither is what belongs to them. */
  const found = (c: Context<CellEnv>, kind: 'service' | 'apiDefinition'): Entity => {
    const id = c.req.param('id') ?? '';
    const entity = store.entities.get(id.toLowerCase());
    const service = entity && ancestorOf(store, entity, 'service');
    if (entity?.kind !== kind || !service || !isEnabled(service)) throw notFound(kind, id);
    return entity;
  };
  app.get('/api/service/apidefinition/:id', (c) =>
    sendDocument(c, {
      document: tenantElement(sceneOf(place, c), found(c, 'apiDefinition'), {
        name: 'ApiDefinition',
        media: `${TENANT_MEDIA}apidefinition`,
        children: ['EntryPoint', 'Namespace', 'ApiVendor'],
      }),
      type: 'TenantApiDefinition',
      media: `${TENANT_MEDIA}apidefinition`,
    }),
  );
  app.get('/api/service/:id', (c) =>
    sendDocument(c, {
      document: tenantService(sceneOf(place, c), found(c, 'service')),
      type: 'TenantService',
      media: `${TENANT_MEDIA}service`,
    }),
  );
}

/** Routes of the resolver and of the tenants' view of services. */
export function resolverRoutes(place: Place): Hono<CellEnv> {
  const app = new Hono<CellEnv>();
  app.get('/api/entity/:urn', (c) => {
    const scene = sceneOf(place, c);
    const urn = c.req.param('urn');
    const links = resolve(scene, urn);
    if (links.length === 0) throw notFound('entity', urn);
    const href = `${place.base}/api/entity/${encodeURIComponent(urn).replaceAll('%3A', ':')}`;
    const type = `${MEDIA.entity}+${scene.view.format}`;
    const document = element('vcloud:Entity', { name: urn, id: urn, type, href }, links);
    return sendDocument(c, { document, type: 'Entity', media: MEDIA.entity });
  });
  app.get('/api/extensibility', (c) =>
    sendDocument(c, {
      document: extensibilityElement(sceneOf(place, c).view),
      type: 'ApiExtensibility',
      media: EXTENSIBILITY,
    }),
  );
  tenantViewRoutes(app, place);
  return app;
}
