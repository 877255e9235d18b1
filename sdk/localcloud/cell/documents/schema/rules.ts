/**
 * The words of the schema table, and the base types that others extend.
 * May import: element.
 */
import type { Ns } from '../element.ts';

export interface ElementRule {
  readonly ns: Ns;
  readonly name: string;
  /** `string`, `boolean`, `int`, `long`, `dateTime`, `any` (not checked), or the name of a complex type. */
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

/** A type with what its base has first, as XSD extension does. */
export function type(
  base: TypeRule,
  attributes: TypeRule['attributes'],
  ...rules: string[]
): TypeRule {
  return {
    attributes: { ...base.attributes, ...attributes },
    elements: [...base.elements, ...rules.map(rule)],
  };
}

export const NOTHING: TypeRule = { attributes: {}, elements: [] };
export const extensible = type(NOTHING, {}, 'vcloud:VCloudExtension any*');
export const resource = type(extensible, { href: 'string', type: 'string' }, 'vcloud:Link Link*');
export const identifiable = type(resource, { id: 'string', operationKey: 'string' });
export const entity = type(
  identifiable,
  { name: '!string' },
  'vcloud:Description string',
  'vcloud:Tasks TasksInProgress',
);
export const reference = type(extensible, {
  href: '!string',
  id: 'string',
  type: 'string',
  name: 'string',
});
export const errorAttributes = {
  message: '!string',
  majorErrorCode: '!int',
  minorErrorCode: '!string',
  vendorSpecificErrorCode: 'string',
};
