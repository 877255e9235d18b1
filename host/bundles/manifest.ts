/**
 * The manifest of a plug-in: one schema, from which the types and the validation come.
 * May import: kernel, quotas.
 */
import { z } from 'zod';

import { HostError } from '../kernel/errors.ts';
import { LIMITS, type LimitName } from '../quotas/limits.ts';

const name = z
  .string()
  .regex(/^[a-z][a-z0-9-]{0,62}$/, 'lower-case letters, digits and dashes, at most 63');
const version = z.string().regex(/^\d+\.\d+\.\d+(?:-[0-9A-Za-z.-]+)?$/, 'a version such as 1.2.0');

const right = z.strictObject({
  name: z.string().min(1).max(128),
  category: z.string().min(1).max(128).optional(),
  description: z.string().max(256).optional(),
  bundleKey: z.string().max(128).optional(),
});

const apiFilter = z.strictObject({
  /** `java.util.regex` pattern that must match the whole path. */
  urlPattern: z.string().min(1).max(1_024),
});

const serviceLink = z.strictObject({
  rel: z.string().min(1).max(255),
  linkHref: z.string().min(1).max(255),
  mimeType: z.string().min(1).max(255),
  resourceType: z.string().min(1).max(255),
  resourceId: z.string().max(255).optional(),
});

const vcloud = z.strictObject({
  /** Name of the service record. */
  name: z.string().min(1).max(128),
  /** Unique over all services of the cloud. */
  namespace: z.string().regex(/^[A-Za-z][A-Za-z0-9._-]{0,127}$/),
  exchange: z.string().min(1).max(255),
  routingKey: z.string().min(1).max(255),
  priority: z.int().min(0).max(100).default(50),
  vendor: z.string().max(128).optional(),
  authorizationEnabled: z.boolean().default(false),
  apiFilters: z.array(apiFilter).min(1),
  serviceLinks: z.array(serviceLink).default([]),
  rights: z.array(right).default([]),
});

const route = z.strictObject({
  method: z.enum(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', '*']),
  /** Segments with `{name}` for a parameter, also inside a segment; a last `*` takes the rest. */
  path: z.string().regex(/^\/[^?#]*$/, 'a path that begins with a slash'),
  /** Names of the plug-in's own rights that the caller must hold, all of them. */
  rights: z.array(z.string()).default([]),
  /** Whether the handler may be run a second time after a crash. GET and HEAD always may. */
  idempotent: z.boolean().optional(),
});

function limit(key: LimitName) {
  const { min, ceiling, unit } = LIMITS[key];
  return z
    .int(`a whole number of ${unit}`)
    .min(min, `${min} to ${ceiling} ${unit}`)
    .max(ceiling, `${min} to ${ceiling} ${unit}`)
    .optional();
}

const limits = z.strictObject(
  Object.fromEntries(
    (Object.keys(LIMITS) as LimitName[]).map((key) => [key, limit(key)]),
  ) as Record<LimitName, ReturnType<typeof limit>>,
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
    vcloud,
    routes: z.array(route).min(1),
    bindings: z.array(z.string()).default([]),
    limits: limits.default({}),
    isolation: z.enum(['plugin', 'org', 'request']).default('plugin'),
  })
  .superRefine((manifest, context) => {
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

export type Manifest = z.infer<typeof manifestSchema>;
export type ManifestRoute = Manifest['routes'][number];

/** Validate a parsed plugin.json; throws BUNDLE_INVALID that names path, value and expectation. */
export function parseManifest(value: unknown): Manifest {
  const result = manifestSchema.safeParse(value);
  if (result.success) return result.data;
  const lines = result.error.issues.map(
    (issue) => `${issue.path.join('.') || '(top)'}: ${issue.message}`,
  );
  throw new HostError('BUNDLE_INVALID', `plugin.json: ${lines.join('; ')}`);
}
