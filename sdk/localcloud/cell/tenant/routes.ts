/**
 * Organizations, their administrative view, and the provider's view of the whole cloud.
 * May import: caller, documents, fault, represent, model, store, tenant; hono.
 */
import { type Context, Hono } from 'hono';

import {
  type CellEnv,
  requireAdministrator,
  requireOrg,
  requireProvider,
  sees,
} from '../sessions/caller.ts';
import { sendDocument, viewOf } from '../documents/documents.ts';
import { type Element, element } from '../documents/element.ts';
import { VcloudFault } from '../documents/fault.ts';
import { rightReference } from '../documents/represent.ts';
import type { Org } from '../model.ts';
import { SYSTEM_ORG, type Store, orgById } from '../store.ts';
import {
  type Scene,
  adminOrgElement,
  orgElement,
  orgListElement,
  orgRightsElement,
  orgRolesElement,
} from './documents.ts';
import { MEDIA, orgReference, roleReference } from './paths.ts';

export interface Place {
  readonly store: Store;
  /** `http://127.0.0.1:PORT` */
  readonly base: string;
}

export const notFound = (kind: string, id: string) =>
  new VcloudFault(404, `No access to entity "com.vmware.vcloud.entity.${kind}:${id}"`);

export const sceneOf = ({ store, base }: Place, c: Context<CellEnv>): Scene => ({
  store,
  view: viewOf(c, base),
  caller: c.get('caller'),
});

/** The org of a path; 404 when there is none, 403 when it is not the caller's. */
export function orgOf({ store }: Place, c: Context<CellEnv>): Org {
  const id = c.req.param('id') ?? '';
  const org = orgById(store, id);
  if (!org) throw notFound('org', id);
  requireOrg(c.get('caller'), org);
  return org;
}

function vcloudElement({ store, view }: Scene): Element {
  const orgs = [SYSTEM_ORG, ...store.orgs].map((org) =>
    orgReference(view, 'vcloud:OrganizationReference', org),
  );
  const rights = [...store.rights.values()].map((right) =>
    rightReference(view, 'vcloud:RightReference', right),
  );
  const roles = [...store.roles.values()].map((role) =>
    roleReference(view, 'vcloud:RoleReference', role),
  );
  return element(
    'vcloud:VCloud',
    { name: 'localcloud', href: `${view.base}/api/admin`, type: `${MEDIA.vcloud}+${view.format}` },
    [
      element('vcloud:OrganizationReferences', {}, orgs),
      element('vcloud:RightReferences', {}, rights),
      element('vcloud:RoleReferences', {}, roles),
    ],
  );
}

function adminRoutes(app: Hono<CellEnv>, place: Place): void {
  const administered = (c: Context<CellEnv>) => {
    const org = orgOf(place, c);
    requireAdministrator(c.get('caller'), org);
    return org;
  };
  app.get('/api/admin', (c) => {
    requireProvider(c.get('caller'));
    const document = vcloudElement(sceneOf(place, c));
    return sendDocument(c, { document, type: 'VCloud', media: MEDIA.vcloud });
  });
  app.get('/api/admin/org/:id', (c) => {
    const document = adminOrgElement(sceneOf(place, c), administered(c));
    return sendDocument(c, { document, type: 'AdminOrg', media: MEDIA.adminOrg });
  });
  app.get('/api/admin/org/:id/rights', (c) => {
    const document = orgRightsElement(sceneOf(place, c), administered(c), 'vcloud:OrgRights');
    const media = 'application/vnd.vmware.admin.org.rights';
    return sendDocument(c, { document, type: 'OrganizationRights', media });
  });
  app.get('/api/admin/org/:id/roles', (c) => {
    const document = orgRolesElement(sceneOf(place, c), administered(c), 'vcloud:OrgRoles');
    const media = 'application/vnd.vmware.admin.org.roles';
    return sendDocument(c, { document, type: 'OrganizationRoles', media });
  });
}

/** Routes of what every member of an org may look at, and of the administrative view of orgs. */
export function tenantRoutes(place: Place): Hono<CellEnv> {
  const { store } = place;
  const app = new Hono<CellEnv>();
  app.get('/api/org', (c) => {
    const orgs = [SYSTEM_ORG, ...store.orgs].filter((org) => sees(c.get('caller'), org));
    const document = orgListElement(sceneOf(place, c), orgs);
    return sendDocument(c, { document, type: 'OrgList', media: MEDIA.orgList });
  });
  app.get('/api/org/:id', (c) => {
    const document = orgElement(sceneOf(place, c), orgOf(place, c));
    return sendDocument(c, { document, type: 'Org', media: MEDIA.org });
  });
  adminRoutes(app, place);
  return app;
}
