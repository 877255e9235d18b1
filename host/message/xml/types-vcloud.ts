/**
 * The types of the vCloud namespace that vcx sends or reads (XSD: common, entity, task, session, event, user).
 * `VCloudExtension` and `Tasks` of the base types are never sent, and passed over when read.
 * May import: message.
 */
import { elementsOf, extend, type } from './schema.ts';

const { optional, one, many } = elementsOf('vcloud');

export const reference = type({
  attributes: { href: 'string', id: 'string', type: 'string', name: 'string' },
  required: ['href'],
});

export const link = extend(reference, { attributes: { rel: 'string' }, required: ['rel'] });

export const resource = type({
  attributes: { href: 'string', type: 'string' },
  children: { Link: many(link) },
});

export const identifiable = extend(resource, {
  attributes: { id: 'string', operationKey: 'string' },
});

export const entity = extend(identifiable, {
  attributes: { name: 'string' },
  required: ['name'],
  children: { Description: optional('string') },
});

export const container = extend(resource, {
  attributes: { name: 'string', page: 'number', pageSize: 'number', total: 'number' },
});

const errorAttributes = {
  message: 'string',
  majorErrorCode: 'number',
  minorErrorCode: 'string',
  vendorSpecificErrorCode: 'string',
} as const;
const errorRequired = ['message', 'majorErrorCode', 'minorErrorCode'] as const;

export const tenantError = type({ attributes: errorAttributes, required: errorRequired });

export const error = type({
  attributes: { ...errorAttributes, stackTrace: 'string' },
  required: errorRequired,
  children: { TenantError: optional(tenantError) },
});

export const task = extend(entity, {
  attributes: {
    status: 'string',
    operation: 'string',
    operationName: 'string',
    serviceNamespace: 'string',
    startTime: 'string',
    endTime: 'string',
    expiryTime: 'string',
    cancelRequested: 'boolean',
  },
  required: ['status'],
  children: {
    Owner: optional(reference),
    Error: optional(error),
    User: optional(reference),
    Organization: optional(reference),
    Progress: optional('number'),
    Params: optional('string'),
    Details: optional('string'),
    Result: optional(type({ children: { ResultContent: optional('string') } })),
  },
});

export const tasksList = extend(container, { children: { Task: many(task) } });

/** An operation as API 33.0 and above name it; the vendor's public schemas end before that. */
const taskOperation = type({
  children: { Category: optional('string'), Operation: one('string') },
});

/** Bare names before API 33.0, `TaskOperationType` elements from then on; never both. */
export const taskOperationList = extend(resource, {
  children: { Operation: many('string'), TaskOperationType: many(taskOperation) },
});

const eventProperty = type({
  attributes: { name: 'string', value: 'string' },
  required: ['name', 'value'],
});

export const event = type({
  attributes: {
    type: 'string',
    serviceNamespace: 'string',
    success: 'boolean',
    typeFull: 'string',
  },
  children: {
    Owner: optional(reference),
    User: optional(reference),
    EventProperties: optional(type({ children: { EventProperty: many(eventProperty) } })),
  },
});

export const right = extend(entity, {
  children: {
    Category: one('string'),
    BundleKey: optional('string'),
    ServiceNamespace: optional('string'),
  },
});

export const session = extend(resource, {
  attributes: {
    user: 'string',
    org: 'string',
    userId: 'string',
    roles: 'string',
    locationId: 'string',
  },
});

/** `TaskRequestBaseType`, the base of a blocking task. */
export const taskRequest = extend(entity, {
  attributes: { createdTime: 'string', timeoutDate: 'string', timeoutAction: 'string' },
  required: ['createdTime', 'timeoutDate', 'timeoutAction'],
  children: {
    Organization: one(reference),
    User: optional(reference),
    TaskOwner: optional(reference),
  },
});

export const references = extend(container, { children: { Reference: many(reference) } });

/** `EntityLinkType`: points by id, not by address. */
export const entityLink = type({
  attributes: { id: 'string', type: 'string', name: 'string', rel: 'string' },
  required: ['id', 'rel'],
});
