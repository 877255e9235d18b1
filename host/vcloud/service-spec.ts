/**
 * The desired state of one extension service, as a manifest describes it; what registration reconciles vCloud with.
 * May import: nothing.
 */

/** An id of vCloud: a bare UUID or a URN that ends in one. */
export type VcloudId = string;

export interface ServiceSpec {
  readonly name: string;
  /** Unique over all services; can not be changed later. */
  readonly namespace: string;
  /** Exchange and routing key that vCloud publishes to; both must exist before registration. */
  readonly exchange: string;
  readonly routingKey: string;
  /** 0 to 100, the highest is asked first. @default 50 */
  readonly priority?: number;
  /** @default true */
  readonly enabled?: boolean;
  readonly vendor?: string;
  readonly description?: string;
  /** Whether vCloud itself decides by resource classes and ACL rules; without any it rejects everybody. @default false */
  readonly authorizationEnabled?: boolean;
  readonly apiFilters?: readonly ApiFilterSpec[];
  readonly serviceLinks?: readonly ServiceLinkSpec[];
  readonly rights?: readonly RightSpec[];
  readonly apiDefinitions?: readonly ApiDefinitionSpec[];
  readonly resourceClasses?: readonly ResourceClassSpec[];
  readonly localization?: LocalizationSpec;
}

/** Either a pattern for request paths (java.util.regex, at most 1024 characters) or a media type of responses. */
export type ApiFilterSpec =
  | { readonly urlPattern: string; readonly responseContentType?: undefined }
  | { readonly responseContentType: string; readonly urlPattern?: undefined };

/** A link that vCloud adds to its own objects. At most 255 characters each. */
export interface ServiceLinkSpec {
  readonly rel: string;
  /** May hold `{baseUri}` and `{resourceId}`. */
  readonly linkHref: string;
  /** Type of the linked thing. */
  readonly mimeType: string;
  /** Type of the objects that get the link, as `application/vnd.vmware.vcloud.org+xml`. */
  readonly resourceType: string;
  /** Only this object; all of the type when absent. */
  readonly resourceId?: string;
  readonly externalResourceId?: string;
}

export interface RightSpec {
  /** As in the manifest; vCloud shows it as `{namespace}:name`. */
  readonly name: string;
  /** @default the name of the service */
  readonly category?: string;
  readonly description?: string;
  /** Key of its text in the localization bundle. */
  readonly bundleKey?: string;
}

export interface ApiDefinitionSpec {
  readonly name: string;
  readonly description?: string;
  /** May hold `{baseUri}`. */
  readonly entryPoint: string;
  readonly namespace: string;
  readonly apiVendor?: string;
  readonly supportedApiVersions?: readonly string[];
  readonly files?: readonly FileSpec[];
}

export interface FileSpec {
  readonly name: string;
  readonly mimeType: string;
  readonly href: string;
  readonly description?: string;
}

export interface ResourceClassSpec {
  readonly name: string;
  readonly description?: string;
  readonly mimeType: string;
  readonly urlTemplate?: string;
  readonly nid?: string;
  readonly urnPattern?: string;
  readonly resources?: readonly ServiceResourceSpec[];
  readonly actions?: readonly ResourceClassActionSpec[];
}

export interface ServiceResourceSpec {
  readonly name: string;
  /** The org that owns it. */
  readonly org: VcloudId;
  readonly externalObjectId: string;
}

export interface ResourceClassActionSpec {
  readonly name: string;
  readonly httpMethod: 'GET' | 'POST' | 'PUT' | 'DELETE';
  /** Needs a group named `id`, or vCloud authorizes nobody. */
  readonly urlPattern: string;
  readonly aclRules?: readonly AclRuleSpec[];
}

export interface AclRuleSpec {
  readonly name: string;
  /** All resources of the class, or one by the name it has in `resources`. */
  readonly serviceResource?: 'shared' | { readonly resource: string };
  /** Members of any org, of the org that owns the resource, or of one org. */
  readonly organization: 'published' | 'shared' | { readonly org: VcloudId };
  /** Anybody, holders of a right by its name, or one user. */
  readonly principal: 'shared' | { readonly right: string } | { readonly user: VcloudId };
}

export interface LocalizationSpec {
  /** File name (the locale is in it) to its `key=value` lines. */
  readonly files: Readonly<Record<string, string>>;
}
