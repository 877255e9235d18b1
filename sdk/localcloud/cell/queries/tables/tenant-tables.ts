/**
 * Query types of organizations, users, roles, virtual datacenters and vApps.
 * May import: caller, documents, paths, store, table, work.
 */
import { sees } from '../../sessions/caller.ts';
import { SYSTEM_ORG } from '../../store.ts';
import { rolesOf, usersOf } from '../../tenant/documents.ts';
import { MEDIA, orgPath, rolePath, userPath, vAppPath, vdcPath } from '../../tenant/paths.ts';
import { hasEnded } from '../../work/work.ts';
import {
  type Asked,
  type QueryTable,
  type Row,
  administrators,
  everybody,
  provider,
  written,
} from './table.ts';

const visibleOrgs = ({ store, caller }: Asked) =>
  [SYSTEM_ORG, ...store.orgs].filter((org) => sees(caller, org));

const organization: QueryTable = {
  record: 'Org',
  attributes: ['name', 'displayName', 'isEnabled', 'isReadOnly', 'numberOfVApps'],
  mayAsk: everybody,
  rows: (asked) =>
    visibleOrgs(asked).map((org) => ({
      path: orgPath(org),
      urn: `urn:vcloud:org:${org.id}`,
      media: MEDIA.org,
      attributes: written({
        name: org.name,
        displayName: org.name,
        isEnabled: true,
        isReadOnly: false,
        numberOfVApps: [...asked.store.vApps.values()].filter((vApp) => vApp.org === org).length,
      }),
    })),
};

function userRows(asked: Asked, withOrg: boolean): Row[] {
  return visibleOrgs(asked).flatMap((org) =>
    usersOf(asked.store, org).map((user) => ({
      path: userPath(user),
      urn: `urn:vcloud:user:${user.id}`,
      media: MEDIA.user,
      attributes: written({
        name: user.name,
        fullName: user.fullName ?? user.name,
        isEnabled: user.isEnabled,
        isLdapUser: false,
        org: withOrg ? `${asked.view.base}${orgPath(org)}` : undefined,
      }),
    })),
  );
}

function roleRows(asked: Asked, withOrg: boolean): Row[] {
  return visibleOrgs(asked).flatMap((org) =>
    rolesOf(asked.store, org).map((role) => ({
      path: rolePath(role),
      urn: `urn:vcloud:role:${role.id}`,
      media: MEDIA.role,
      attributes: written({
        name: role.name,
        isReadOnly: role.takes !== undefined,
        org: withOrg ? `${asked.view.base}${orgPath(org)}` : undefined,
        orgName: withOrg ? org.name : undefined,
      }),
    })),
  );
}

const VAPP_STATUS = { 0: 'UNRESOLVED', 8: 'POWERED_OFF', [-1]: 'FAILED_CREATION' } as const;

function vAppRows({ store, view, caller }: Asked, withOrg: boolean): Row[] {
  const visible = [...store.vApps.values()].filter((vApp) => sees(caller, vApp.org));
  const busy = new Set(
    store.tasks
      .values()
      .filter(({ status }) => !hasEnded(status))
      .map(({ operates }) => operates?.vApp),
  );
  return visible.map((vApp) => ({
    path: vAppPath(vApp),
    urn: `urn:vcloud:vapp:${vApp.id}`,
    media: MEDIA.vApp,
    attributes: written({
      name: vApp.name,
      org: withOrg ? `${view.base}${orgPath(vApp.org)}` : undefined,
      isEnabled: true,
      isBusy: busy.has(vApp.id),
      creationDate: vApp.created.toISOString(),
      vdc: `${view.base}${vdcPath({ id: vApp.vdc })}`,
      vdcName: store.vdcs.get(vApp.vdc)?.name,
      status: VAPP_STATUS[vApp.status],
      ownerName: store.users.get(vApp.owner)?.name,
      isDeployed: false,
    }),
  }));
}

function vdcRows({ store, view, caller }: Asked, withOrg: boolean): Row[] {
  const visible = [...store.vdcs.values()].filter((vdc) => sees(caller, vdc.org));
  return visible.map((vdc) => ({
    path: vdcPath(vdc),
    urn: `urn:vcloud:vdc:${vdc.id}`,
    media: MEDIA.vdc,
    attributes: written({
      name: vdc.name,
      isEnabled: true,
      orgName: vdc.org.name,
      org: withOrg ? `${view.base}${orgPath(vdc.org)}` : undefined,
      numberOfVApps: [...store.vApps.values()].filter((vApp) => vApp.vdc === vdc.id).length,
    }),
  }));
}

const USER = ['name', 'fullName', 'isEnabled', 'isLdapUser'];
const ROLE = ['name', 'isReadOnly'];
const VAPP = 'name isEnabled isBusy creationDate vdc vdcName status ownerName isDeployed'.split(
  ' ',
);
const VDC = ['name', 'isEnabled', 'orgName', 'numberOfVApps'];

export const TENANT_TABLES: Readonly<Record<string, QueryTable>> = {
  organization,
  user: {
    record: 'User',
    attributes: USER,
    mayAsk: administrators,
    rows: (asked) => userRows(asked, false),
  },
  adminUser: {
    record: 'AdminUser',
    attributes: [...USER, 'org'],
    mayAsk: provider,
    rows: (asked) => userRows(asked, true),
  },
  role: {
    record: 'Role',
    attributes: ROLE,
    mayAsk: administrators,
    rows: (asked) => roleRows(asked, false),
  },
  adminRole: {
    record: 'AdminRole',
    attributes: [...ROLE, 'org', 'orgName'],
    mayAsk: provider,
    rows: (asked) => roleRows(asked, true),
  },
  orgVdc: {
    record: 'OrgVdc',
    attributes: VDC,
    mayAsk: everybody,
    rows: (asked) => vdcRows(asked, false),
  },
  adminOrgVdc: {
    record: 'AdminVdc',
    attributes: [...VDC, 'org'],
    mayAsk: provider,
    rows: (asked) => vdcRows(asked, true),
  },
  vApp: {
    record: 'VApp',
    attributes: VAPP,
    mayAsk: everybody,
    rows: (asked) => vAppRows(asked, false),
  },
  adminVApp: {
    record: 'AdminVApp',
    attributes: [...VAPP, 'org'],
    mayAsk: provider,
    rows: (asked) => vAppRows(asked, true),
  },
};
