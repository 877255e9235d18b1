/**
 * The manifest's service as documents of vCloud, children as a tree.
 * May import: message, vcloud.
 */
import type { Doc } from '../../message/xml/documents.ts';
import { uuidOf } from '../links.ts';
import type {
  AclRuleSpec,
  ApiDefinitionSpec,
  ResourceClassActionSpec,
  ResourceClassSpec,
  ServiceSpec,
  VcloudId,
} from '../service-spec.ts';
import type { ChildDoc, ChildKind } from './kinds.ts';

/** Addresses of what documents refer to. Unknown ones make up a placeholder that equals no address. */
export interface Addresses {
  readonly origin: string;
  /** Address of a right by the name in the manifest. */
  right(name: string): string | undefined;
  /** Address of a service resource by class and name. */
  resource(resourceClass: string, name: string): string | undefined;
}

export interface DesiredChild {
  readonly kind: ChildKind;
  /** Made anew when it is sent, since addresses become known as others are created. */
  readonly document: (addresses: Addresses) => ChildDoc;
  readonly children: readonly DesiredChild[];
}

/** Stands for the address of what does not exist yet. */
export const PENDING = 'pending:';

export function desiredChildren(spec: ServiceSpec): DesiredChild[] {
  return [
    ...(spec.apiDefinitions ?? []).map(apiDefinition),
    ...(spec.resourceClasses ?? []).map(resourceClass),
    ...(spec.serviceLinks ?? []).map((link) =>
      leaf('ServiceLink', {
        LinkHref: link.linkHref,
        MimeType: link.mimeType,
        Rel: link.rel,
        ResourceType: link.resourceType,
        ResourceId: link.resourceId,
        ExternalResourceId: link.externalResourceId,
      }),
    ),
    ...(spec.apiFilters ?? []).map((filter) =>
      leaf('ApiFilter', {
        UrlPattern: filter.urlPattern,
        ResponseContentType: filter.responseContentType,
      }),
    ),
  ];
}

/** The fields of the service itself; what the manifest leaves open stays as it is found. */
export function desiredService(spec: ServiceSpec, found: Doc<'Service'> | null): Doc<'Service'> {
  return {
    name: spec.name,
    Description: spec.description ?? found?.Description,
    Namespace: spec.namespace,
    Enabled: spec.enabled ?? true,
    AuthorizationEnabled: spec.authorizationEnabled ?? false,
    RoutingKey: spec.routingKey,
    Priority: spec.priority ?? 50,
    Exchange: spec.exchange,
    Vendor: spec.vendor ?? found?.Vendor,
  };
}

function apiDefinition(spec: ApiDefinitionSpec): DesiredChild {
  const { supportedApiVersions: versions } = spec;
  const document: Doc<'ApiDefinition'> = {
    name: spec.name,
    Description: spec.description,
    EntryPoint: spec.entryPoint,
    Namespace: spec.namespace,
    ApiVendor: spec.apiVendor,
    SupportedApiVersions: versions && { Version: versions },
  };
  const files = (spec.files ?? []).map((file) =>
    leaf('FileDescriptor', {
      Description: file.description,
      File: { href: file.href, type: file.mimeType, name: file.name },
    }),
  );
  return { kind: 'ApiDefinition', document: () => document, children: files };
}

function resourceClass(spec: ResourceClassSpec): DesiredChild {
  const document: Doc<'ResourceClass'> = {
    name: spec.name,
    Description: spec.description,
    MimeType: spec.mimeType,
    UrlTemplate: spec.urlTemplate,
    Nid: spec.nid,
    UrnPattern: spec.urnPattern,
  };
  const resources = (spec.resources ?? []).map(({ name, org, externalObjectId }): DesiredChild => ({
    kind: 'ServiceResource',
    document: ({ origin }) => ({
      name,
      Org: orgReference(origin, org),
      ExternalObjectId: externalObjectId,
    }),
    children: [],
  }));
  const actions = (spec.actions ?? []).map((action) => resourceClassAction(spec.name, action));
  return { kind: 'ResourceClass', document: () => document, children: [...resources, ...actions] };
}

function resourceClassAction(className: string, spec: ResourceClassActionSpec): DesiredChild {
  const { name, httpMethod, urlPattern } = spec;
  return {
    kind: 'ResourceClassAction',
    document: () => ({ name, HttpMethod: httpMethod, UrlPattern: urlPattern }),
    children: (spec.aclRules ?? []).map((rule) => ({
      kind: 'AclRule',
      document: (addresses) => aclRule(className, rule, addresses),
      children: [],
    })),
  };
}

function aclRule(className: string, rule: AclRuleSpec, addresses: Addresses): Doc<'AclRule'> {
  const { serviceResource, organization, principal } = rule;
  return {
    name: rule.name,
    ServiceResourceAccess:
      serviceResource === undefined
        ? undefined
        : serviceResource === 'shared'
          ? { Access: 'Shared' }
          : toEntity(
              addresses.resource(className, serviceResource.resource) ??
                `${PENDING}${serviceResource.resource}`,
              'application/vnd.vmware.admin.serviceResource+xml',
            ),
    OrganizationAccess:
      organization === 'published'
        ? { Access: 'Published' }
        : organization === 'shared'
          ? { Access: 'Shared' }
          : { Access: 'Entity', Entity: orgReference(addresses.origin, organization.org) },
    PrincipalAccess: principalAccess(principal, addresses),
  };
}

function principalAccess(principal: AclRuleSpec['principal'], addresses: Addresses) {
  if (principal === 'shared') return { Access: 'Shared' };
  if ('right' in principal)
    return toEntity(
      addresses.right(principal.right) ?? `${PENDING}${principal.right}`,
      'application/vnd.vmware.admin.right+xml',
    );
  return toEntity(
    addressOf(addresses.origin, 'user', principal.user),
    'application/vnd.vmware.admin.user+xml',
  );
}

function toEntity(href: string, type: string) {
  return { Access: 'Entity', Entity: { href, type } };
}

function orgReference(origin: string, org: VcloudId) {
  return {
    href: addressOf(origin, 'org', org),
    type: 'application/vnd.vmware.admin.organization+xml',
  };
}

function addressOf(origin: string, collection: 'org' | 'user', id: VcloudId): string {
  return `${origin}/api/admin/${collection}/${uuidOf(id) ?? encodeURIComponent(id)}`;
}

function leaf<K extends ChildKind>(kind: K, document: Doc<K> & ChildDoc): DesiredChild {
  return { kind, document: () => document, children: [] };
}
