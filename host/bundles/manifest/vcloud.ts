/**
 * The part of a manifest that vCloud gets to see: the extension service with all that belongs to it.
 * May import: nothing.
 */
import { z } from 'zod';

const text = (max: number) => z.string().min(1).max(max);
/** A bare UUID, or a URN that ends in one. */
const vcloudId = z
  .string()
  .regex(
    /^(?:urn:vcloud:[a-zA-Z]+:)?[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$/,
    'a UUID, or a URN that ends in one',
  );

const right = z.strictObject({
  /** vCloud shows it as `{namespace}:name`. */
  name: text(128),
  category: text(128).optional(),
  description: z.string().max(256).optional(),
  /** Key of its text in `localization`. */
  bundleKey: z.string().max(128).optional(),
});

const apiFilter = z.union(
  [
    z.strictObject({
      /** `java.util.regex` pattern that must match the whole path. */
      urlPattern: text(1_024),
    }),
    z.strictObject({
      /** vCloud's answers of this media type pass through the `response` handler. */
      responseContentType: text(255),
    }),
  ],
  { error: 'needs urlPattern (1 to 1024 characters) or responseContentType, not both' },
);

const serviceLink = z.strictObject({
  rel: text(255),
  /** May hold `{baseUri}` and `{resourceId}`. */
  linkHref: text(255),
  mimeType: text(255),
  resourceType: text(255),
  resourceId: z.string().max(255).optional(),
  externalResourceId: z.string().max(255).optional(),
});

const apiDefinition = z.strictObject({
  name: text(128),
  description: z.string().max(256).optional(),
  entryPoint: text(255),
  namespace: text(255),
  apiVendor: text(255).optional(),
  supportedApiVersions: z.array(text(32)).optional(),
  files: z
    .array(
      z.strictObject({
        name: text(128),
        mimeType: text(255),
        href: text(1_024),
        description: z.string().max(256).optional(),
      }),
    )
    .optional(),
});

const aclRule = z.strictObject({
  name: text(128),
  /** All resources of the class, or one by its name in `resources`. */
  serviceResource: z
    .union([z.literal('shared'), z.strictObject({ resource: text(128) })])
    .optional(),
  organization: z.union([z.enum(['published', 'shared']), z.strictObject({ org: vcloudId })]),
  principal: z.union([
    z.literal('shared'),
    z.strictObject({ right: text(128) }),
    z.strictObject({ user: vcloudId }),
  ]),
});

const resourceClass = z.strictObject({
  name: text(128),
  description: z.string().max(256).optional(),
  mimeType: text(128),
  urlTemplate: text(255).optional(),
  nid: text(255).optional(),
  urnPattern: text(255).optional(),
  resources: z
    .array(z.strictObject({ name: text(128), org: vcloudId, externalObjectId: text(255) }))
    .optional(),
  actions: z
    .array(
      z.strictObject({
        name: text(128),
        httpMethod: z.enum(['GET', 'POST', 'PUT', 'DELETE']),
        /** Without a group named `id` vCloud authorizes nobody. */
        urlPattern: text(1_024),
        aclRules: z.array(aclRule).optional(),
      }),
    )
    .optional(),
});

/** Texts by locale (`en`, `de_DE`), then by key. */
const localization = z.record(
  z.string().regex(/^[a-z]{2,3}(?:[_-][A-Za-z0-9]{2,8})*$/, 'a locale such as en or de_DE'),
  z.record(text(255), z.string().max(2_000)),
);

/** A service's queue is `vcx.EXCHANGE.ROUTINGKEY`; those of notifications are `vcx.events.NAME`. */
const OF_VCX = /^(?:vcx\.|(?:events|dead|canary)(?:\.|$))/;
const amqpName = text(255).regex(/^[\x21-\x7e]+$/, 'printable ASCII without spaces');

/** Of the service record: of two services that filter the same path vCloud calls the one with more. */
export const DEFAULT_PRIORITY = 50;

export const vcloudSchema = z.strictObject({
  /** Name of the service record. */
  name: text(128),
  /** Unique over all services of the cloud. */
  namespace: z
    .string()
    .regex(/^[A-Za-z][A-Za-z0-9._-]{0,127}$/)
    .refine(
      (name) => !/^com\.vmware\.vcloud/i.test(name),
      'vCloud keeps com.vmware.vcloud for itself',
    ),
  exchange: amqpName.refine(
    (name) => !OF_VCX.test(name),
    'vcx keeps vcx.* for itself, and events, dead and canary, which would be names of its queues',
  ),
  routingKey: amqpName,
  priority: z.int().min(0).max(100).default(DEFAULT_PRIORITY),
  vendor: z.string().max(128).optional(),
  authorizationEnabled: z.boolean().default(false),
  apiFilters: z.array(apiFilter).max(50).default([]),
  serviceLinks: z.array(serviceLink).default([]),
  rights: z.array(right).default([]),
  apiDefinitions: z.array(apiDefinition).optional(),
  resourceClasses: z.array(resourceClass).optional(),
  localization: localization.optional(),
});

/** When vCloud's `authorizationcheck` is asked about a call: `writes` is anything but GET and HEAD. */
export const authorizationCheckSchema = z.enum(['never', 'always', 'writes']);
