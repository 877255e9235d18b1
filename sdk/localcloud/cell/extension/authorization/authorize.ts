/**
 * Decides whether a user may make a request to a service, by its resource classes, actions and ACL rules.
 * May import: element, filters, java-regex, service-links, model, store.
 */
import { type Element, textOf } from '../../documents/element.ts';
import { translateJavaRegex } from '../../java-regex/regex.ts';
import type { Entity, User } from '../../model.ts';
import { type Store, childrenOf, orgById, rightsOf } from '../../store.ts';
import { mediaStem, uuidIn } from '../service-links.ts';

export interface Asking {
  readonly user: User;
  readonly method: string;
  /** As it came over the wire, without the query. */
  readonly path: string;
}

/** What a request is about: an object of vCloud, or one that a service has registered. */
interface Resource {
  /** Uuid by which rules refer to it. */
  readonly id: string;
  /** Id of the org that owns it. */
  readonly org: string;
}

/** The `id` group's text when the pattern matches the whole path; undefined when either is missing. */
export function idIn(pattern: string, path: string): string | undefined {
  const translation = translateJavaRegex(pattern);
  const group = translation.ok ? translation.names.get('id') : undefined;
  if (!translation.ok || group === undefined) return undefined;
  return translation.regexp.exec(path)?.groups?.[group];
}

/** Types of vCloud's own objects, and the org of one of them. */
const CORE: Readonly<Record<string, (store: Store, id: string) => string | undefined>> = {
  'application/vnd.vmware.admin.organization': (store, id) => orgById(store, id)?.id,
  'application/vnd.vmware.vcloud.org': (store, id) => orgById(store, id)?.id,
  'application/vnd.vmware.vcloud.vapp': (store, id) => store.vApps.get(id)?.org.id,
  'application/vnd.vmware.admin.user': (store, id) => store.users.get(id)?.org.id,
  'application/vnd.vmware.admin.role': (store, id) => store.roles.get(id)?.org.id,
  'application/vnd.vmware.vcloud.task': (store, id) => store.tasks.get(id)?.org,
};

function resourceOf(store: Store, resourceClass: Entity, id: string): Resource | undefined {
  const owner = CORE[mediaStem(textOf(resourceClass.content, 'MimeType') ?? '')];
  if (owner) {
    const uuid = uuidIn(id) ?? '';
    const org = owner(store, uuid);
    return org === undefined ? undefined : { id: uuid, org };
  }
  const found = childrenOf(store, resourceClass.id, 'serviceResource').find(
    ({ content }) => textOf(content, 'ExternalObjectId') === id,
  );
  const href = found?.content.find((child) => child.name === 'Org')?.attributes['href'];
  const org = uuidIn(href ?? '');
  return found && org !== undefined ? { id: found.id, org } : undefined;
}

interface Access {
  readonly access: string | undefined;
  readonly entity: string | undefined;
  readonly href: string;
}

function accessOf(rule: Entity, name: string): Access {
  const part: Element | undefined = rule.content.find((child) => child.name === name);
  const entity = part?.children.find((child) => child.name === 'Entity');
  const href = entity?.attributes['href'] ?? '';
  return { access: part && textOf(part.children, 'Access'), entity: uuidIn(href), href };
}

function allowsResource(rule: Entity, resource: Resource): boolean {
  const { access, entity } = accessOf(rule, 'ServiceResourceAccess');
  // Left out, the rule is for all resources of the class.
  return access === undefined || access === 'Shared' || entity === resource.id;
}

function allowsOrg(rule: Entity, user: User, resource: Resource): boolean {
  const { access, entity } = accessOf(rule, 'OrganizationAccess');
  if (access === 'Published') return true;
  if (access === 'Shared') return user.org.id === resource.org;
  return access === 'Entity' && entity === user.org.id;
}

function allowsPrincipal(store: Store, rule: Entity, user: User): boolean {
  const { access, entity, href } = accessOf(rule, 'PrincipalAccess');
  if (access === 'Shared') return true;
  if (access !== 'Entity' || entity === undefined) return false;
  if (/\/user\/|:user:/.test(href)) return entity === user.id;
  return rightsOf(store, user).some((right) => right.id === entity);
}

function actionAllows(store: Store, action: Entity, asking: Asking): boolean {
  if (textOf(action.content, 'HttpMethod') !== asking.method) return false;
  const id = idIn(textOf(action.content, 'UrlPattern') ?? '', asking.path);
  const resourceClass = action.parent === undefined ? undefined : store.entities.get(action.parent);
  if (id === undefined || !resourceClass) return false;
  const resource = resourceOf(store, resourceClass, id);
  if (!resource) return false;
  return childrenOf(store, action.id, 'aclRule').some(
    (rule) =>
      allowsResource(rule, resource) &&
      allowsOrg(rule, asking.user, resource) &&
      allowsPrincipal(store, rule, asking.user),
  );
}

export const authorizes = (service: Entity) =>
  textOf(service.content, 'AuthorizationEnabled') === 'true';

/**
 * Whether the service's rules let the request through. Without `AuthorizationEnabled` everybody may; with it, one
 * rule must say so, and system administrators are no exception.
 */
export function isAuthorized(store: Store, service: Entity, asking: Asking): boolean {
  if (!authorizes(service)) return true;
  return childrenOf(store, service.id, 'resourceClass')
    .flatMap((resourceClass) => childrenOf(store, resourceClass.id, 'resourceClassAction'))
    .some((action) => actionAllows(store, action, asking));
}
