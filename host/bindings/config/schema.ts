/**
 * The JSON Schema by which a manifest describes its configuration, turned into a zod schema.
 * May import: kernel.
 *
 * Our own reading and not `z.fromJSONSchema`: that one passes over keywords it does not know, which would
 * let an author believe in a check that is not made, and runs the patterns of foreign authors on foreign text
 * with a backtracking engine. Here a keyword outside the list is refused, and patterns take linear time.
 */
import { RE2JS } from 're2js';
import { z } from 'zod';

import { HostError, messageOf } from '../../kernel/errors.ts';

type Json = Readonly<Record<string, unknown>>;
type At = readonly (string | number)[];

const MAX_DEPTH = 10;
const MAX_NODES = 500;
/**
 * Linear time is the length of the text times the size of the compiled pattern, and all of it is spent in this
 * process: 65,000 characters against the worst 500 of a pattern took 24 s.
 */
const MAX_PATTERN_STEPS = 400;
const MAX_PATTERN_TEXT = 4_096;

/** They check nothing; `default` fills in. */
const NOTES = new Set(['$schema', '$comment', 'title', 'description', 'examples', 'default']);
const count = z.int().min(0).max(1_000_000).optional();
const bound = z.number().optional();

/** Keywords of each type besides the notes. Anything else is refused. */
const KEYWORDS = {
  string: z.object({
    minLength: count,
    maxLength: count,
    pattern: z.string().max(500).optional(),
    format: z.enum(['uri', 'email', 'uuid', 'date-time', 'date', 'ipv4', 'ipv6']).optional(),
  }),
  number: z.object({
    minimum: bound,
    maximum: bound,
    exclusiveMinimum: bound,
    exclusiveMaximum: bound,
    multipleOf: z.number().positive().optional(),
  }),
  boolean: z.object({}),
  null: z.object({}),
  array: z.object({ items: z.unknown(), minItems: count, maxItems: count }),
  object: z.object({
    properties: z.record(z.string(), z.unknown()).default({}),
    required: z.array(z.string()).default([]),
    additionalProperties: z.unknown().default(true),
  }),
} as const;

type TypeName = keyof typeof KEYWORDS | 'integer';

const FORMATS = {
  uri: () => z.url(),
  email: () => z.email(),
  uuid: () => z.uuid(),
  'date-time': () => z.iso.datetime({ offset: true }),
  date: () => z.iso.date(),
  ipv4: () => z.ipv4(),
  ipv6: () => z.ipv6(),
} as const;

/** Throws BUNDLE_INVALID that names the place, the keyword and what is known there. */
export function readJsonSchema(schema: unknown): z.ZodType {
  let nodes = 0;

  function read(node: unknown, at: At): z.ZodType {
    nodes += 1;
    if (nodes > MAX_NODES || at.length > 2 * MAX_DEPTH) throw wrong(at, 'too large or too deep');
    if (!isObject(node)) throw wrong(at, 'not an object');
    const checked = 'enum' in node || 'const' in node ? oneOfValues(node, at) : byType(node, at);
    return withDefault(checked, node, at);
  }
  function byType(node: Json, at: At): z.ZodType {
    const { type } = node;
    if (!isTypeName(type))
      throw wrong([...at, 'type'], `one of ${Object.keys(KEYWORDS).join(', ')}, integer`);
    if (type === 'array') return readArray(node, at);
    if (type === 'object') return readObjectType(node, at);
    return readScalar(type, node, at);
  }
  function readArray(node: Json, at: At): z.ZodType {
    const { items, minItems = 0, maxItems = Infinity } = keywords('array', node, at);
    const list = z.array(items === undefined ? z.unknown() : read(items, [...at, 'items']));
    return list.min(minItems).max(maxItems);
  }
  function readObjectType(node: Json, at: At): z.ZodType {
    const { properties, required, additionalProperties } = keywords('object', node, at);
    const unknown = required.find((name) => !Object.hasOwn(properties, name));
    if (unknown !== undefined)
      throw wrong([...at, 'required'], `${JSON.stringify(unknown)} is not among the properties`);
    const shape = Object.entries(properties).map(([name, property]) => {
      const checked = read(property, [...at, 'properties', name]);
      return [name, required.includes(name) ? checked : checked.optional()] as const;
    });
    const object = z.object(Object.fromEntries(shape));
    if (additionalProperties === false) return object.strict();
    if (additionalProperties === true) return object.loose();
    return object.catchall(read(additionalProperties, [...at, 'additionalProperties']));
  }

  return read(schema, []);
}

function readScalar(type: Exclude<TypeName, 'array' | 'object'>, node: Json, at: At): z.ZodType {
  if (type === 'string') return readString(node, at);
  if (type === 'number' || type === 'integer') return readNumber(type, node, at);
  keywords(type, node, at);
  return type === 'null' ? z.null() : z.boolean();
}

function readString(node: Json, at: At): z.ZodType {
  const { minLength, maxLength, pattern, format } = keywords('string', node, at);
  let text = z.string();
  if (minLength !== undefined) text = text.min(minLength);
  if (maxLength !== undefined) text = text.max(maxLength);
  const matched = pattern === undefined ? text : text.refine(...matches(pattern, at));
  return format === undefined ? matched : matched.pipe(FORMATS[format]());
}

function matches(pattern: string, at: At): [(text: string) => boolean, string] {
  try {
    const compiled = RE2JS.compile(pattern);
    if (compiled.programSize() > MAX_PATTERN_STEPS) throw new Error('too many steps');
    // As JSON Schema has it, a pattern is looked for anywhere in the text.
    return [
      (text) => text.length <= MAX_PATTERN_TEXT && compiled.test(text),
      `does not match ${pattern}, or has more than ${MAX_PATTERN_TEXT} characters`,
    ];
  } catch (error) {
    throw wrong([...at, 'pattern'], `not understood by RE2: ${messageOf(error)}`);
  }
}

function readNumber(type: 'number' | 'integer', node: Json, at: At): z.ZodType {
  const rules = keywords('number', node, at);
  let number: z.ZodNumber = type === 'integer' ? z.int() : z.number();
  if (rules.minimum !== undefined) number = number.min(rules.minimum);
  if (rules.maximum !== undefined) number = number.max(rules.maximum);
  if (rules.exclusiveMinimum !== undefined) number = number.gt(rules.exclusiveMinimum);
  if (rules.exclusiveMaximum !== undefined) number = number.lt(rules.exclusiveMaximum);
  if (rules.multipleOf !== undefined) number = number.multipleOf(rules.multipleOf);
  return number;
}

function oneOfValues(node: Json, at: At): z.ZodType {
  refuseOthers(node, ['type', 'enum', 'const'], at);
  const values = 'const' in node ? [node['const']] : node['enum'];
  if (!Array.isArray(values) || values.length === 0 || !values.every(isScalar))
    throw wrong([...at, 'enum'], 'a list of texts, numbers, booleans or null');
  return z.literal(values);
}

/** An absent value becomes the default, which must fit itself. */
function withDefault(schema: z.ZodType, node: Json, at: At): z.ZodType {
  if (!('default' in node)) return schema;
  const result = schema.safeParse(node['default']);
  if (!result.success) throw wrong([...at, 'default'], 'does not fit the schema');
  const value = result.data;
  return schema.default(() => structuredClone(value));
}

function keywords<T extends keyof typeof KEYWORDS>(type: T, node: Json, at: At) {
  const known = KEYWORDS[type];
  refuseOthers(node, ['type', ...Object.keys(known.shape)], at);
  const result = known.safeParse(node);
  if (result.success) return result.data as z.infer<(typeof KEYWORDS)[T]>;
  const [issue] = result.error.issues;
  throw wrong([...at, ...((issue?.path ?? []) as At)], issue?.message ?? 'not valid');
}

function refuseOthers(node: Json, known: readonly string[], at: At): void {
  for (const key of Object.keys(node))
    if (!known.includes(key) && !NOTES.has(key))
      throw wrong([...at, key], `not supported here; known are ${known.join(', ')}`);
}

function isTypeName(type: unknown): type is TypeName {
  return typeof type === 'string' && (type === 'integer' || Object.hasOwn(KEYWORDS, type));
}

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isScalar(value: unknown): value is string | number | boolean | null {
  return value === null || ['string', 'number', 'boolean'].includes(typeof value);
}

function wrong(at: At, why: string): HostError {
  return new HostError('BUNDLE_INVALID', `${['config', 'schema', ...at].join('.')}: ${why}`);
}
