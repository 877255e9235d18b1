/**
 * Where the objects of orgs are, what their documents are called, and references to them.
 * May import: element, represent, model.
 */
import { type Element, element } from '../documents/element.ts';
import type { View } from '../documents/represent.ts';
import type { Org, Role, User, VApp, Vdc } from '../model.ts';
import type { Task } from '../work/work.ts';

export const MEDIA = {
  orgList: 'application/vnd.vmware.vcloud.orgList',
  org: 'application/vnd.vmware.vcloud.org',
  adminOrg: 'application/vnd.vmware.admin.organization',
  user: 'application/vnd.vmware.admin.user',
  role: 'application/vnd.vmware.admin.role',
  right: 'application/vnd.vmware.admin.right',
  vApp: 'application/vnd.vmware.vcloud.vApp',
  vdc: 'application/vnd.vmware.vcloud.vdc',
  instantiate: 'application/vnd.vmware.vcloud.instantiateVAppTemplateParams',
  task: 'application/vnd.vmware.vcloud.task',
  tasksList: 'application/vnd.vmware.vcloud.tasksList',
  event: 'application/vnd.vmware.admin.event',
  vcloud: 'application/vnd.vmware.admin.vcloud',
  entity: 'application/vnd.vmware.vcloud.entity',
  records: 'application/vnd.vmware.vcloud.query.records',
} as const;

export const orgPath = ({ id }: Org) => `/api/org/${id}`;
export const adminOrgPath = ({ id }: Org) => `/api/admin/org/${id}`;
export const tasksPath = ({ id }: Org) => `/api/tasksList/${id}`;
export const userPath = ({ id }: Pick<User, 'id'>) => `/api/admin/user/${id}`;
export const rolePath = ({ id }: Pick<Role, 'id'>) => `/api/admin/role/${id}`;
export const vAppPath = ({ id }: Pick<VApp, 'id'>) => `/api/vApp/vapp-${id}`;
export const vdcPath = ({ id }: Pick<Vdc, 'id'>) => `/api/vdc/${id}`;
export const taskPath = ({ id }: Pick<Task, 'id'>) => `/api/task/${id}`;

interface Target {
  readonly path: string;
  readonly media?: string;
  readonly name?: string | undefined;
  readonly id?: string;
}

/** An element of `ReferenceType`. */
export function reference(view: View, name: `vcloud:${string}`, target: Target): Element {
  return element(name, {
    href: `${view.base}${target.path}`,
    id: target.id,
    name: target.name,
    type: target.media && `${target.media}+${view.format}`,
  });
}

export const orgReference = (view: View, name: `vcloud:${string}`, org: Org): Element =>
  reference(view, name, {
    path: orgPath(org),
    media: MEDIA.org,
    name: org.name,
    id: `urn:vcloud:org:${org.id}`,
  });

export const userReference = (view: View, name: `vcloud:${string}`, user: User): Element =>
  reference(view, name, {
    path: userPath(user),
    media: MEDIA.user,
    name: user.name,
    id: `urn:vcloud:user:${user.id}`,
  });

export const roleReference = (view: View, name: `vcloud:${string}`, role: Role): Element =>
  reference(view, name, {
    path: rolePath(role),
    media: MEDIA.role,
    name: role.name,
    id: `urn:vcloud:role:${role.id}`,
  });

export const vAppReference = (view: View, name: `vcloud:${string}`, vApp: VApp): Element =>
  reference(view, name, {
    path: vAppPath(vApp),
    media: MEDIA.vApp,
    name: vApp.name,
    id: `urn:vcloud:vapp:${vApp.id}`,
  });

export const vdcReference = (view: View, name: `vcloud:${string}`, vdc: Vdc): Element =>
  reference(view, name, {
    path: vdcPath(vdc),
    media: MEDIA.vdc,
    name: vdc.name,
    id: `urn:vcloud:vdc:${vdc.id}`,
  });
