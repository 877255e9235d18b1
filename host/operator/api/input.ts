/**
 * What comes in with a request to the API, checked before anything looks at it.
 * May import: kernel and everything below operator.
 */
import type { Context } from 'hono';
import { z } from 'zod';

import { HostError } from '../../kernel/errors.ts';
import { readBody } from './body.ts';

/** Largest JSON body, bytes. */
const JSON_BYTES = 262_144;

const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** A bare id or a URN; becomes the URN in lower case, as vCloud itself writes it. */
export const orgSchema = z
  .string()
  .max(64)
  .transform((text, context) => {
    const bare = text.toLowerCase().replace(/^urn:vcloud:org:/, '');
    if (UUID.test(bare)) return `urn:vcloud:org:${bare}`;
    context.addIssue({
      code: 'custom',
      message: 'the id of an org: a UUID, or urn:vcloud:org:UUID',
    });
    return z.NEVER;
  });

/** Id of an owner in the trust store: a name, or the URN of an org, for which its bare id will do. */
export const ownerSchema = z.union([orgSchema, z.string().min(1).max(128)]);

export const pluginSchema = z
  .string()
  .regex(/^[a-z][a-z0-9-]{0,62}$/, 'lower-case letters, digits and dashes, at most 63');

export const versionSchema = z
  .string()
  .max(100)
  .regex(/^\d+\.\d+\.\d+(?:-[0-9A-Za-z.-]+)?$/, 'a version such as 1.2.0');

/** In a query: `?force`, `?force=1`, `?force=true`. */
export const flagSchema = z
  .enum(['', '0', '1', 'true', 'false'], 'a flag: 1 or 0')
  .default('0')
  .transform((text) => text !== '0' && text !== 'false');

/** Throws OPERATOR_INPUT that names each wrong place, never the value: it may be a secret. */
export function parseInput<T extends z.ZodType>(
  schema: T,
  value: unknown,
  what: string,
): z.output<T> {
  const result = checked(schema, value, what);
  if (result.success) return result.data;
  const places = result.error.issues
    .slice(0, 10)
    .map(({ path, message }) => `${[what, ...path.map(String)].join('.')}: ${message}`);
  throw new HostError('OPERATOR_INPUT', places.join('; '));
}

/** What is nested so deep that checking it takes the whole stack is no defect of ours. */
function checked<T extends z.ZodType>(schema: T, value: unknown, what: string) {
  try {
    return schema.safeParse(value);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new HostError('OPERATOR_INPUT', `${what}: nested too deep`);
  }
}

/** The query, which may hold these keys and no others. */
export function queryOf<T extends z.ZodType>(c: Context, schema: T): z.output<T> {
  return parseInput(schema, c.req.query(), 'query');
}

/** The plug-in of the path. Throws PLUGIN_UNKNOWN for what is no name. */
export function pluginOf(c: Context): string {
  const name = c.req.param('name') ?? '';
  if (pluginSchema.safeParse(name).success) return name;
  throw new HostError('PLUGIN_UNKNOWN', 'there is no plug-in of such a name');
}

/** Plug-in and org of the path. */
export function scopeOf(c: Context): { plugin: string; org: string } {
  return { plugin: pluginOf(c), org: parseInput(orgSchema, c.req.param('org'), 'org') };
}

/** The JSON body; none at all is undefined. Throws OPERATOR_INPUT or OPERATOR_BODY_TOO_LARGE. */
export async function bodyOf<T extends z.ZodType>(
  c: Context,
  schema: T,
  maxBytes: number = JSON_BYTES,
): Promise<z.output<T>> {
  const bytes = await readBody(c.req.raw, { maxBytes, code: 'OPERATOR_BODY_TOO_LARGE' });
  return parseInput(schema, jsonOf(c, bytes), 'body');
}

function jsonOf(c: Context, bytes: Buffer): unknown {
  if (bytes.length === 0) return undefined;
  // No form of a foreign page can send this type.
  if (!/^application\/json\s*(?:;|$)/i.test(c.req.header('content-type') ?? ''))
    throw new HostError('OPERATOR_INPUT', 'body: the Content-Type must be application/json');
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch {
    // The parser's message would quote the body.
    throw new HostError('OPERATOR_INPUT', 'body: not JSON in UTF-8');
  }
}
