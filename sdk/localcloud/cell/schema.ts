/**
 * The table from the XSDs: which elements and attributes a type has, in which order, how many, in which namespace.
 * May import: element.
 */
import type { Ns } from './element.ts';

export interface ElementRule {
  readonly ns: Ns;
  readonly name: string;
  /** `string`, `boolean`, `int`, `long`, `any` (not checked), or the name of a complex type. */
  readonly type: string;
  readonly required: boolean;
  readonly many: boolean;
}

export interface TypeRule {
  /** Attribute to simple type; a `!` in front marks a required one. */
  readonly attributes: Readonly<Record<string, string>>;
  /** The sequence, in order. */
  readonly elements: readonly ElementRule[];
}

/** `vmext:Name type`, with `?` (the default, none or one), `!` (exactly one) or `*` behind. */
function rule(text: string): ElementRule {
  const [, ns, name, type, count] = /^(\w+):(\w+) (\w+)([!*?]?)$/.exec(text) ?? [];
  if (!ns || !name || !type) throw new Error(`bad schema rule: ${text}`);
  return { ns: ns as Ns, name, type, required: count === '!', many: count === '*' };
}

function type(base: TypeRule, attributes: TypeRule['attributes'], ...rules: string[]): TypeRule {
  return {
    attributes: { ...base.attributes, ...attributes },
    elements: [...base.elements, ...rules.map(rule)],
  };
}

const NOTHING: TypeRule = { attributes: {}, elements: [] };
const extensible = type(NOTHING, {}, 'vcloud:VCloudExtension any*');
const resource = type(extensible, { href: 'string', type: 'string' }, 'vcloud:Link Link*');
const identifiable = type(resource, { id: 'string', operationKey: 'string' });
const entity = type(
  identifiable,
  { name: '!string' },
  'vcloud:Description string',
  'vcloud:Tasks any',
);
const reference = type(extensible, {
  href: '!string',
  id: 'string',
  type: 'string',
  name: 'string',
});
const errorAttributes = {
  message: '!string',
  majorErrorCode: '!int',
  minorErrorCode: '!string',
  vendorSpecificErrorCode: 'string',
};

/** Complex types by the name the XSDs give them, without `Type`. */
export const TYPES: Readonly<Record<string, TypeRule>> = {
  Link: type(reference, { rel: '!string' }),
  Reference: reference,
  // stackTrace stands first because it does so in the JSON that real cells send.
  Error: type(
    extensible,
    { stackTrace: 'string', ...errorAttributes },
    'vcloud:TenantError TenantError',
  ),
  TenantError: type(extensible, errorAttributes),
  Session: type(
    resource,
    { user: 'string', org: 'string', userId: 'string', roles: 'string', locationId: 'string' },
    'vcloud:AuthorizedLocations AuthorizedLocations!',
  ),
  AuthorizedLocations: type(extensible, {}, 'vcloud:Location any*'),
  VMWExtension: resource,
  ExtensionServices: resource,
  AmqpSettings: type(
    resource,
    {},
    'vmext:AmqpHost string!',
    'vmext:AmqpPort int!',
    'vmext:AmqpUsername string!',
    'vmext:AmqpPassword string',
    'vmext:AmqpExchange string!',
    'vmext:AmqpVHost string!',
    'vmext:AmqpUseSSL boolean!',
    'vmext:AmqpSslAcceptAll boolean',
    'vmext:AmqpPrefix string',
  ),
  Right: type(
    entity,
    {},
    'vcloud:Category string!',
    'vcloud:BundleKey string',
    'vcloud:ServiceNamespace string',
  ),
  RightRefs: type(resource, {}, 'vmext:Right Reference*'),
  AdminService: type(
    entity,
    {},
    'vmext:Namespace string',
    'vmext:Enabled boolean',
    'vmext:AuthorizationEnabled boolean',
    'vmext:RoutingKey string',
    'vmext:Priority int',
    'vmext:Exchange string',
    'vmext:Vendor string',
    'vmext:ApiFilters ApiFilters',
    'vmext:ServiceLinks ServiceLinks',
    'vmext:ApiDefinitions ApiDefinitions',
    'vmext:ResourceClasses ResourceClasses',
  ),
  ApiFilters: type(extensible, {}, 'vmext:ApiFilter ApiFilter*'),
  ApiFilter: type(identifiable, {}, 'vmext:UrlPattern string', 'vmext:ResponseContentType string'),
  ServiceLinks: type(extensible, {}, 'vmext:ServiceLink ServiceLink*'),
  ServiceLink: type(
    identifiable,
    {},
    'vmext:LinkHref string',
    'vmext:MimeType string',
    'vmext:Rel string',
    'vmext:ResourceType string',
    'vmext:ResourceId string',
    'vmext:ExternalResourceId string',
  ),
  ApiDefinitions: type(extensible, {}, 'vmext:ApiDefinition ApiDefinition*'),
  ApiDefinition: type(
    entity,
    {},
    'vmext:EntryPoint string',
    'vmext:Namespace string',
    'vmext:ApiVendor string',
    'vmext:SupportedApiVersions Versions',
    'vmext:Files Files',
  ),
  Versions: type(extensible, {}, 'vmext:Version string*'),
  Files: type(extensible, {}, 'vmext:FileDescriptor FileDescriptor*'),
  FileDescriptor: type(
    identifiable,
    { name: 'string' },
    'vmext:Description string',
    'vmext:File Reference',
  ),
  ResourceClasses: type(extensible, {}, 'vmext:ResourceClass ResourceClass*'),
  ResourceClass: type(
    entity,
    {},
    'vmext:MimeType string',
    'vmext:UrlTemplate string',
    'vmext:Nid string',
    'vmext:UrnPattern string',
    'vmext:ServiceResources ServiceResources',
    'vmext:ResourceClassActions ResourceClassActions',
  ),
  ServiceResources: type(extensible, {}, 'vmext:ServiceResource ServiceResource*'),
  ServiceResource: type(entity, {}, 'vmext:Org Reference', 'vmext:ExternalObjectId string'),
  ResourceClassActions: type(extensible, {}, 'vmext:ResourceClassAction ResourceClassAction*'),
  ResourceClassAction: type(
    entity,
    {},
    'vmext:HttpMethod string',
    'vmext:UrlPattern string',
    'vmext:AclRules AclRules',
  ),
  AclRules: type(extensible, {}, 'vmext:AclRule AclRule*'),
  AclRule: type(
    entity,
    {},
    'vmext:ServiceResourceAccess AclAccess',
    'vmext:OrganizationAccess AclAccess',
    'vmext:PrincipalAccess AclAccess',
  ),
  AclAccess: type(extensible, {}, 'vmext:Access string', 'vmext:Entity Reference'),
};
