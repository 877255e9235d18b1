/**
 * The kinds of objects below an extension service: a table that routes, links, queries and checks share.
 * May import: nothing of ours.
 */

export type KindName =
  | 'service'
  | 'apiFilter'
  | 'serviceLink'
  | 'apiDefinition'
  | 'fileDescriptor'
  | 'resourceClass'
  | 'resourceClassAction'
  | 'serviceResource'
  | 'aclRule';

export interface Kind {
  /** Element name in the namespace vmext; also the type in the schema table, but for Service. */
  readonly element: string;
  readonly type: string;
  /** Part of the URN: `urn:vcloud:{urn}:{uuid}`. */
  readonly urn: string;
  /** Path of one object: `/api/admin/extension/service/{path}/{uuid}`; empty for the service. */
  readonly path: string;
  /** Path of the collection below the parent, and the write-only container in its document. */
  readonly collection: string;
  readonly container: string;
  readonly parent?: KindName;
  /** Elements that must be there and not empty when the object is made. */
  readonly required: readonly string[];
  /** Longest text of an element, in characters. */
  readonly longest: Readonly<Record<string, number>>;
  /** Query type, and attribute of the record to where its value is: see `valueOf` in `tables/`. */
  readonly query: string;
  readonly record: Readonly<Record<string, string>>;
}

const all = (names: readonly string[], length: number) =>
  Object.fromEntries(names.map((name) => [name, length]));

/** What records of API definitions and their files say of the service. */
const SERVICE = {
  serviceName: '^service.@name',
  serviceNamespace: '^service.Namespace',
  serviceVendor: '^service.Vendor',
};

export const KINDS: Readonly<Record<KindName, Kind>> = {
  service: {
    element: 'Service',
    type: 'AdminService',
    urn: 'externalService',
    path: '',
    collection: '',
    container: '',
    required: ['Namespace', 'RoutingKey', 'Exchange'],
    longest: all(['Namespace', 'RoutingKey', 'Exchange', 'Vendor'], 255),
    query: 'adminService',
    record: {
      name: '@name',
      enabled: 'Enabled',
      exchange: 'Exchange',
      priority: 'Priority',
      routingKey: 'RoutingKey',
      vendor: 'Vendor',
      namespace: 'Namespace',
      isAuthorizationEnabled: 'AuthorizationEnabled',
    },
  },
  apiFilter: {
    element: 'ApiFilter',
    type: 'ApiFilter',
    urn: 'apiFilter',
    path: 'apifilter',
    collection: 'apifilters',
    container: 'ApiFilters',
    parent: 'service',
    required: [],
    longest: { UrlPattern: 1024, ResponseContentType: 255 },
    query: 'apiFilter',
    record: { urlPattern: 'UrlPattern', service: '^service' },
  },
  serviceLink: {
    element: 'ServiceLink',
    type: 'ServiceLink',
    urn: 'serviceLink',
    path: 'link',
    collection: 'links',
    container: 'ServiceLinks',
    parent: 'service',
    required: ['LinkHref', 'MimeType', 'Rel', 'ResourceType'],
    longest: all(
      ['LinkHref', 'MimeType', 'Rel', 'ResourceType', 'ResourceId', 'ExternalResourceId'],
      255,
    ),
    query: 'serviceLink',
    record: {
      rel: 'Rel',
      linkHref: 'LinkHref',
      mimeType: 'MimeType',
      resourceType: 'ResourceType',
      service: '^service',
      resourceId: 'ResourceId',
    },
  },
  apiDefinition: {
    element: 'ApiDefinition',
    type: 'ApiDefinition',
    urn: 'apiDefinition',
    path: 'apidefinition',
    collection: 'apidefinitions',
    container: 'ApiDefinitions',
    parent: 'service',
    required: ['EntryPoint', 'Namespace'],
    longest: all(['EntryPoint', 'Namespace', 'ApiVendor'], 255),
    query: 'adminApiDefinition',
    record: {
      name: '@name',
      entryPoint: 'EntryPoint',
      service: '^service',
      namespace: 'Namespace',
      apiVendor: 'ApiVendor',
      ...SERVICE,
    },
  },
  fileDescriptor: {
    element: 'FileDescriptor',
    type: 'FileDescriptor',
    urn: 'fileDescriptor',
    path: 'filedescriptor',
    collection: 'files',
    container: 'Files',
    parent: 'apiDefinition',
    required: [],
    longest: {},
    query: 'adminFileDescriptor',
    record: {
      name: 'File@name',
      fileUrl: 'File@href',
      fileMimeType: 'File@type',
      apiDefinition: '^apiDefinition',
      apiName: '^apiDefinition.@name',
      apiNamespace: '^apiDefinition.Namespace',
      apiVendor: '^apiDefinition.ApiVendor',
      service: '^service',
      ...SERVICE,
    },
  },
  resourceClass: {
    element: 'ResourceClass',
    type: 'ResourceClass',
    urn: 'resourceClass',
    path: 'resourceclass',
    collection: 'resourceclasses',
    container: 'ResourceClasses',
    parent: 'service',
    required: ['MimeType', 'Nid'],
    longest: { ...all(['UrlTemplate', 'Nid', 'UrnPattern'], 255), MimeType: 128 },
    query: 'resourceClass',
    record: {
      name: '@name',
      service: '^service',
      mimeType: 'MimeType',
      urlTemplate: 'UrlTemplate',
      nid: 'Nid',
      urnPattern: 'UrnPattern',
    },
  },
  resourceClassAction: {
    element: 'ResourceClassAction',
    type: 'ResourceClassAction',
    urn: 'resourceClassAction',
    path: 'resourceclassaction',
    collection: 'resourceclassactions',
    container: 'ResourceClassActions',
    parent: 'resourceClass',
    required: ['HttpMethod', 'UrlPattern'],
    longest: { UrlPattern: 1024 },
    query: 'resourceClassAction',
    record: {
      name: '@name',
      httpMethod: 'HttpMethod',
      urlPattern: 'UrlPattern',
      resourceClass: '^resourceClass',
    },
  },
  serviceResource: {
    element: 'ServiceResource',
    type: 'ServiceResource',
    urn: 'serviceResource',
    path: 'serviceresource',
    collection: 'serviceresources',
    container: 'ServiceResources',
    parent: 'resourceClass',
    required: ['Org', 'ExternalObjectId'],
    longest: { ExternalObjectId: 255 },
    query: 'serviceResource',
    record: {
      name: '@name',
      org: 'Org@href',
      resourceClass: '^resourceClass',
      externalObjectId: 'ExternalObjectId',
    },
  },
  aclRule: {
    element: 'AclRule',
    type: 'AclRule',
    urn: 'aclRule',
    path: 'aclrule',
    collection: 'aclrules',
    container: 'AclRules',
    parent: 'resourceClassAction',
    required: [],
    longest: {},
    query: 'aclRule',
    record: {
      name: '@name',
      resourceClassAction: '^resourceClassAction',
      org: 'OrganizationAccess/Entity@href',
      principal: 'PrincipalAccess/Entity@href',
      serviceResource: 'ServiceResourceAccess/Entity@href',
      orgAccess: 'OrganizationAccess/Access',
      principalAccess: 'PrincipalAccess/Access',
      serviceResourceAccess: 'ServiceResourceAccess/Access',
    },
  },
};

export const KIND_NAMES = Object.keys(KINDS) as readonly KindName[];

/** Kinds whose objects stand directly below one of this kind. */
export const childKinds = (parent: KindName): KindName[] =>
  KIND_NAMES.filter((name) => KINDS[name].parent === parent);

/** Media type of a kind's documents, without `+xml` or `+json`. */
export const mediaOf = (kind: KindName) =>
  `application/vnd.vmware.admin.${KINDS[kind].element.charAt(0).toLowerCase()}${KINDS[kind].element.slice(1)}`;
