/**
 * The manifest of a plug-in: one schema, from which the types and the validation come.
 * May import: kernel, quotas, bindings.
 */
import { z } from 'zod';

import { HostError } from '../../kernel/errors.ts';
import { configGrantSchema } from '../../bindings/config/index.ts';
import { fetchGrantSchema } from '../../bindings/fetch/grant.ts';
import { LIMITS, MAX_CALLS_PER_ISOLATE, type LimitName } from '../../quotas/limits.ts';
import { explainIssues } from './errors.ts';
import { notificationKeys } from './notifications.ts';
import { authorizationCheckSchema, vcloudSchema } from './vcloud.ts';

const name = z
  .string()
  .regex(/^[a-z][a-z0-9-]{0,62}$/, 'lower-case letters, digits and dashes, at most 63');
const version = z
  .string()
  .max(100)
  .regex(/^\d+\.\d+\.\d+(?:-[0-9A-Za-z.-]+)?$/, 'a version such as 1.2.0');

const route = z.strictObject({
  method: z.enum(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', '*']),
  /** Segments with `{name}` for a parameter, also inside a segment; a last `*` takes the rest. */
  path: z.string().regex(/^\/[^?#]*$/, 'a path that begins with a slash'),
  /** Names of the plug-in's own rights that the caller must hold, all of them. */
  rights: z.array(z.string()).default([]),
  /** Whether the handler may be run a second time after a crash. GET and HEAD always may. */
  idempotent: z.boolean().optional(),
  /** Asks vCloud's `authorizationcheck` too. @default that of the plug-in */
  authorizationCheck: authorizationCheckSchema.optional(),
});

/** `GET /api/admin/vdc/{id}`: `{org}` is the calling org, `{id}` must belong to it, `{any}` may be anybody's. */
const vcloudPath = z
  .string()
  .max(512)
  .regex(
    /^(?:GET|POST|PUT|DELETE) \/(?:api|cloudapi)(?:\/(?:[A-Za-z0-9._:-]+|[A-Za-z0-9._:-]*\{(?:org|id|any)\}))+$/,
    'a method and a path such as "GET /api/admin/vdc/{id}"; parameters are {org}, {id} and {any}',
  );

/** What range is allowed the operator decides: `quotas/limits-book.ts` checks it at install. */
const limits = z.strictObject(
  Object.fromEntries(
    (Object.keys(LIMITS) as LimitName[]).map((key) => [
      key,
      z.number(`a whole number of ${LIMITS[key].unit}`).optional(),
    ]),
  ) as Record<LimitName, z.ZodOptional<z.ZodNumber>>,
);

export const manifestSchema = z
  .strictObject({
    $schema: z.string().optional(),
    name,
    version,
    description: z.string().max(500).optional(),
    /** Entry module, below the plug-in's folder. */
    main: z
      .string()
      .regex(/^[A-Za-z0-9._/-]+$/)
      .default('main.ts'),
    vcloud: vcloudSchema,
    routes: z.array(route).max(1_000).default([]),
    /** For the routes that do not say. `authorizationcheck` answers by resource classes and ACL rules. */
    authorizationCheck: authorizationCheckSchema.default('never'),
    /** What `env.vcloud` wants beyond the objects of the calling org; each needs the operator's approval. */
    vcloudPaths: z.array(vcloudPath).max(100).default([]),
    bindings: z.array(z.string()).default([]),
    ...notificationKeys,
    /** With the binding `fetch`: where to. */
    fetch: fetchGrantSchema.optional(),
    /** What each org may configure, as `env.config`. */
    config: configGrantSchema.optional(),
    /** Asked, with no bindings and as nobody, before the version goes live; the answer must be from 200 to 299. */
    healthCheck: z
      .strictObject({
        path: z
          .string()
          .max(512)
          .regex(/^\/[^\s#]*$/, 'a path that begins with a slash'),
      })
      .optional(),
    /** `all`: every org has it once it is installed; `named`: those that the operator names. */
    tenants: z.enum(['all', 'named']).default('all'),
    /** Of a plug-in that an org owns: namespace of the provider's service to which it adds routes. */
    extends: z.string().max(128).optional(),
    /** Below this path, plug-ins that orgs own may add routes to this service; each org sees its own only. */
    tenantRoutes: z
      .strictObject({
        prefix: z
          .string()
          .max(255)
          .regex(/^(?:\/[A-Za-z0-9._~-]+)+$/, 'a path such as /api/x'),
      })
      .optional(),
    limits: limits.default({}),
    /** What happens to vCloud's own responses when the `response` handler fails. */
    responseFilter: z
      .strictObject({ failClosed: z.boolean().default(false) })
      .default({ failClosed: false }),
    isolation: z.enum(['plugin', 'org', 'request']).default('plugin'),
    /** Calls of one org that one isolate may hold at once; they share its globals, and its end. */
    callsPerIsolate: z.int().min(1).max(MAX_CALLS_PER_ISOLATE).default(1),
  })
  .superRefine((manifest, context) => {
    if (manifest.routes.length === 0 && manifest.vcloud.apiFilters.some((f) => 'urlPattern' in f))
      context.addIssue({
        code: 'custom',
        path: ['routes'],
        message: 'a filter on paths needs one route at least',
      });
    if (manifest.bindings.includes('fetch') !== (manifest.fetch !== undefined))
      context.addIssue({
        code: 'custom',
        path: ['fetch'],
        message: 'the binding `fetch` and the key `fetch` with its origins go together',
      });
    for (const message of extensionProblems(manifest))
      context.addIssue({ code: 'custom', path: ['vcloud'], message });
    if (manifest.isolation === 'request' && manifest.callsPerIsolate > 1)
      context.addIssue({
        code: 'custom',
        path: ['callsPerIsolate'],
        message:
          'with isolation `request` each call has an isolate of its own: leave one of the two out',
      });
    const known = new Set(manifest.vcloud.rights.map((entry) => entry.name));
    for (const [index, entry] of manifest.routes.entries())
      for (const wanted of entry.rights)
        if (!known.has(wanted))
          context.addIssue({
            code: 'custom',
            path: ['routes', index, 'rights'],
            message: `${JSON.stringify(wanted)} is not among vcloud.rights (${[...known].join(', ') || 'none'})`,
          });
    if (known.size !== manifest.vcloud.rights.length)
      context.addIssue({
        code: 'custom',
        path: ['vcloud', 'rights'],
        message: 'a right is named twice',
      });
  });

/** A service needs filters; what extends somebody else's brings nothing of its own to vCloud. */
function extensionProblems({ extends: host, vcloud, ...rest }: Extension): string[] {
  const { apiFilters, rights, serviceLinks, apiDefinitions = [], resourceClasses = [] } = vcloud;
  // One that only hears of events answers no calls.
  const silent = rest.notifications.length > 0 && rest.routes.length === 0;
  if (host === undefined)
    return apiFilters.length === 0 && !silent ? ['apiFilters: one filter at least'] : [];
  const own = { apiFilters, rights, serviceLinks, apiDefinitions, resourceClasses };
  return [
    ...Object.entries(own)
      .filter(([, list]) => list.length > 0)
      .map(([key]) => `${key}: a plug-in that extends a service has none of its own`),
    ...(rest.tenantRoutes ? ['tenantRoutes: a plug-in that extends a service has none'] : []),
    ...(rest.blockingTasks ? ['blockingTasks: operations are held for the whole cloud'] : []),
    ...(rest.vcloudPaths.length > 0
      ? ['vcloudPaths: only plug-ins of the provider have them']
      : []),
  ];
}

interface Extension {
  readonly extends?: string | undefined;
  readonly vcloud: z.infer<typeof vcloudSchema>;
  readonly tenantRoutes?: unknown;
  readonly blockingTasks?: unknown;
  readonly notifications: readonly unknown[];
  readonly routes: readonly unknown[];
  readonly vcloudPaths: readonly string[];
}

export type Manifest = z.infer<typeof manifestSchema>;
export type ManifestRoute = Manifest['routes'][number];

/** Validate a parsed plugin.json; throws BUNDLE_INVALID that names path, value and expectation. */
export function parseManifest(value: unknown): Manifest {
  const result = manifestSchema.safeParse(value);
  if (result.success) return result.data;
  const { issues } = result.error;
  throw new HostError(
    'BUNDLE_INVALID',
    `plugin.json: ${explainIssues(issues, value, manifestSchema)}`,
  );
}
