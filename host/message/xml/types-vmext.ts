/**
 * The types of the extension namespace (XSD: extension/services, settings, notification, taskExtensionRequest).
 * May import: message.
 */
import { elementsOf, extend, type } from './schema.ts';
import {
  entity,
  entityLink,
  error,
  identifiable,
  link,
  reference,
  resource,
  taskOperationList,
  taskRequest,
} from './types-vcloud.ts';

const { optional, one, many, typed } = elementsOf('vmext');

export const apiFilter = extend(identifiable, {
  children: { UrlPattern: optional('string'), ResponseContentType: optional('string') },
});

export const serviceLink = extend(identifiable, {
  children: {
    LinkHref: optional('string'),
    MimeType: optional('string'),
    Rel: optional('string'),
    ResourceType: optional('string'),
    ResourceId: optional('string'),
    ExternalResourceId: optional('string'),
  },
});

/** `Description` is this type's own element, hence `vmext:`; in entities it is inherited and `vcloud:`. */
export const fileDescriptor = extend(identifiable, {
  children: { Description: optional('string'), File: optional(reference) },
});

export const apiDefinition = extend(entity, {
  children: {
    EntryPoint: optional('string'),
    Namespace: optional('string'),
    ApiVendor: optional('string'),
    SupportedApiVersions: optional(type({ children: { Version: many('string') } })),
    Files: optional(type({ children: { FileDescriptor: many(fileDescriptor) } })),
  },
});

export const aclAccess = type({
  children: {
    Access: optional('string'),
    Entity: typed(reference, 'ResourceReferenceType'),
  },
});

export const aclRule = extend(entity, {
  children: {
    ServiceResourceAccess: optional(aclAccess),
    OrganizationAccess: optional(aclAccess),
    PrincipalAccess: optional(aclAccess),
  },
});

export const resourceClassAction = extend(entity, {
  children: {
    HttpMethod: optional('string'),
    UrlPattern: optional('string'),
    AclRules: optional(type({ children: { AclRule: many(aclRule) } })),
  },
});

export const serviceResource = extend(entity, {
  children: { Org: optional(reference), ExternalObjectId: optional('string') },
});

export const resourceClass = extend(entity, {
  children: {
    MimeType: optional('string'),
    UrlTemplate: optional('string'),
    Nid: optional('string'),
    UrnPattern: optional('string'),
    ServiceResources: optional(type({ children: { ServiceResource: many(serviceResource) } })),
    ResourceClassActions: optional(
      type({ children: { ResourceClassAction: many(resourceClassAction) } }),
    ),
  },
});

/** `AdminServiceType`. The four containers at the end are write-only: a GET answers with links instead. */
export const service = extend(entity, {
  children: {
    Namespace: optional('string'),
    Enabled: optional('boolean'),
    AuthorizationEnabled: optional('boolean'),
    RoutingKey: optional('string'),
    Priority: optional('number'),
    Exchange: optional('string'),
    Vendor: optional('string'),
    ApiFilters: optional(type({ children: { ApiFilter: many(apiFilter) } })),
    ServiceLinks: optional(type({ children: { ServiceLink: many(serviceLink) } })),
    ApiDefinitions: optional(type({ children: { ApiDefinition: many(apiDefinition) } })),
    ResourceClasses: optional(type({ children: { ResourceClass: many(resourceClass) } })),
  },
});

export const rightRefs = extend(resource, { children: { Right: many(reference) } });

export const bundleUploadParams = type({
  attributes: { fileSize: 'number', serviceNamespace: 'string' },
});
export const bundleUploadSocket = type({ attributes: { uploadLocation: 'string' } });

export const authorizationCheckParams = type({
  children: { User: optional(reference), HttpMethod: optional('string'), URL: optional('string') },
});
export const authorizationCheckResponse = type({ children: { IsAuthorized: optional('boolean') } });

export const amqpSettings = extend(resource, {
  children: {
    AmqpHost: one('string'),
    AmqpPort: one('number'),
    AmqpUsername: one('string'),
    AmqpPassword: optional('string'),
    AmqpExchange: one('string'),
    AmqpVHost: one('string'),
    AmqpUseSSL: one('boolean'),
    AmqpSslAcceptAll: optional('boolean'),
    AmqpPrefix: optional('string'),
  },
});

/** The last child is lower-case in the schema. */
export const amqpSettingsTest = extend(resource, {
  children: { Valid: one('boolean'), error: optional(error) },
});

export const notificationsSettings = extend(resource, {
  children: { EnableNotifications: one('boolean') },
});

export const blockingTaskSettings = extend(resource, {
  children: {
    TimeoutAction: one('string'),
    BlockingTaskOperations: one(taskOperationList),
    TimeoutInMilliseconds: one('number'),
  },
});

export const blockingTask = extend(taskRequest, {
  attributes: { status: 'string' },
  required: ['status'],
});

export const blockingTaskOperationParams = extend(resource, {
  children: { Message: one('string') },
});
export const blockingTaskUpdateProgressParams = extend(blockingTaskOperationParams, {
  children: { TimeoutValueInMilliseconds: optional('number') },
});

/** `Link` is declared by this type itself, hence `vmext:`. */
export const notification = type({
  attributes: { type: 'string', eventId: 'string' },
  required: ['type', 'eventId'],
  children: {
    Link: many(link),
    EntityLink: many(entityLink),
    Timestamp: one('string'),
    OperationSuccess: one('boolean'),
  },
});
