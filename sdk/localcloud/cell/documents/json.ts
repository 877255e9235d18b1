/**
 * Turns documents into the JSON form of the classic API and back, by the schema table.
 * May import: element, schema, rules.
 */
import type { Element, Ns } from './element.ts';
import type { ElementRule } from './schema/rules.ts';
import { TYPES } from './schema/schema.ts';

export type Json =
  | null
  | boolean
  | number
  | string
  | readonly Json[]
  | { readonly [key: string]: Json };

/** The JSON is no document of the type; the message says why. */
export class JsonFault extends Error {}

/** `RoutingKey` is `routingKey`, `URL` is `url`: the names that Java's bean rules make. */
export function jsonName(name: string): string {
  const upper = /^[A-Z]+(?=[A-Z][a-z]|$)|^[A-Z]/.exec(name)?.[0] ?? '';
  return upper.toLowerCase() + name.slice(upper.length);
}

function simpleToJson(type: string, text: string): Json {
  if (type === 'boolean') return text.trim() === 'true' || text.trim() === '1';
  return type === 'int' || type === 'long' ? Number(text) : text;
}

function ruleToJson(node: Element, rule: ElementRule): Json {
  const found = node.children.filter((child) => child.name === rule.name && child.ns === rule.ns);
  const values = found.map((child) => toJson(child, rule.type));
  return rule.many ? values : (values[0] ?? null);
}

/** The JSON of a document: every field the type has, null where the document is silent. */
export function toJson(node: Element, type: string): Json {
  const rules = TYPES[type];
  if (!rules) return simpleToJson(type, node.text);
  const elements = rules.elements
    .filter((rule) => rule.name !== 'VCloudExtension')
    .map((rule) => [jsonName(rule.name), ruleToJson(node, rule)] as const);
  const attributes = Object.entries(rules.attributes).map(([name, simple]) => {
    const value = node.attributes[name];
    return [
      name,
      value === undefined ? null : simpleToJson(simple.replace('!', ''), value),
    ] as const;
  });
  return Object.fromEntries<Json>([['otherAttributes', {}], ...elements, ...attributes]);
}

const IGNORED = new Set(['otherAttributes', 'vCloudExtension', '_type']);

function scalar(value: unknown, where: string): string {
  if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean')
    return String(value);
  throw new JsonFault(`'${where}' must be a string, number or boolean`);
}

function childrenFrom(fields: ReadonlyMap<string, unknown>, rule: ElementRule): Element[] {
  const value = fields.get(jsonName(rule.name));
  if (value === undefined || value === null) return [];
  const values = rule.many && Array.isArray(value) ? (value as unknown[]) : [value];
  return values.map((item) => fromJson(item, rule.type, rule));
}

/** Read JSON as a document of the type; fields may come in any order, unknown ones are refused. */
export function fromJson(
  value: unknown,
  type: string,
  as: { readonly ns: Ns; readonly name: string },
): Element {
  const { ns, name } = as;
  const rules = TYPES[type];
  if (!rules)
    return { ns, name, attributes: {}, children: [], text: scalar(value, jsonName(name)) };
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new JsonFault(`'${jsonName(name)}' must be an object`);
  const fields = new Map<string, unknown>(Object.entries(value));
  const known = new Set([
    ...IGNORED,
    ...rules.elements.map((rule) => jsonName(rule.name)),
    ...Object.keys(rules.attributes),
  ]);
  const unknown = fields.keys().find((key) => !known.has(key));
  if (unknown !== undefined)
    throw new JsonFault(`'${unknown}' is not a field of '${jsonName(name)}'`);
  const attributes = Object.keys(rules.attributes)
    .filter((key) => (fields.get(key) ?? null) !== null)
    .map((key) => [key, scalar(fields.get(key), key)] as const);
  return {
    ns,
    name,
    attributes: Object.fromEntries(attributes),
    children: rules.elements.flatMap((rule) => childrenFrom(fields, rule)),
    text: '',
  };
}
