/**
 * Checks a document against the schema table, as strictly as the validating parser of a real cell.
 * May import: element, schema, rules.
 */
import { type Element, NAMESPACES, type Ns } from './element.ts';
import type { ElementRule } from './schema/rules.ts';
import { TYPES } from './schema/schema.ts';

const SIMPLE: Readonly<Record<string, RegExp>> = {
  string: /^[\s\S]*$/,
  boolean: /^\s*(?:true|false|0|1)\s*$/,
  int: /^\s*[+-]?\d{1,10}\s*$/,
  long: /^\s*[+-]?\d{1,19}\s*$/,
  dateTime: /^\s*-?\d{4,}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)?\s*$/,
};

const shown = (ns: Ns, name: string) =>
  ns === 'other' ? `'${name}' of another namespace` : `'{${NAMESPACES[ns]}}${name}'`;

function fitsSimple(type: string, text: string): boolean {
  if (!(SIMPLE[type] ?? /^/).test(text)) return false;
  return type !== 'int' || Math.abs(Number(text)) <= 2_147_483_648;
}

function checkAttributes(node: Element, type: string): string | undefined {
  const rules = TYPES[type]?.attributes ?? {};
  for (const [name, value] of Object.entries(node.attributes)) {
    const wanted = Object.hasOwn(rules, name) ? rules[name]?.replace('!', '') : undefined;
    if (wanted === undefined) return `attribute '${name}' is not allowed in element '${node.name}'`;
    if (!fitsSimple(wanted, value))
      return `attribute '${name}' of '${node.name}' is not of type ${wanted}`;
  }
  const missing = Object.entries(rules).find(
    ([name, rule]) => rule.startsWith('!') && !Object.hasOwn(node.attributes, name),
  );
  return missing && `attribute '${missing[0]}' must appear on element '${node.name}'`;
}

/** What the parser would still have taken when it met something else. */
function expected(rules: readonly ElementRule[]): string {
  const firstRequired = rules.findIndex((rule) => rule.required);
  const open = firstRequired < 0 ? rules : rules.slice(0, firstRequired + 1);
  return open.length === 0
    ? 'no child element is expected at this point'
    : `one of ${open.map((rule) => rule.name).join(', ')} is expected`;
}

function checkSequence(node: Element, rules: readonly ElementRule[]): string | undefined {
  let at = 0;
  for (const child of node.children) {
    const found = rules.findIndex(
      (rule, index) => index >= at && rule.name === child.name && rule.ns === child.ns,
    );
    const skipped = rules.slice(at, found < 0 ? undefined : found).some((rule) => rule.required);
    const rule = rules[found];
    if (!rule || skipped)
      return `invalid content was found starting with element ${shown(child.ns, child.name)} in '${node.name}': ${expected(rules.slice(at))}`;
    const wrong = validate(child, rule.type);
    if (wrong !== undefined) return wrong;
    at = rule.many ? found : found + 1;
  }
  const missing = rules
    .slice(at)
    .find((rule) => rule.required && !node.children.some((child) => child.name === rule.name));
  return (
    missing &&
    `the content of element '${node.name}' is not complete: '${missing.name}' is expected`
  );
}

/** Undefined when the element fits the type, else what is wrong, with the name of the element. */
export function validate(node: Element, type: string): string | undefined {
  if (type === 'any') return undefined;
  const rules = Object.hasOwn(TYPES, type) ? TYPES[type] : undefined;
  if (rules)
    return node.text.trim() === ''
      ? (checkAttributes(node, type) ?? checkSequence(node, rules.elements))
      : `element '${node.name}' cannot have text`;
  const [child] = node.children;
  if (child) return `element '${child.name}' is not allowed in '${node.name}', which is a ${type}`;
  const [attribute] = Object.keys(node.attributes);
  if (attribute !== undefined)
    return `attribute '${attribute}' is not allowed in element '${node.name}'`;
  return fitsSimple(type, node.text) ? undefined : `element '${node.name}' is not of type ${type}`;
}
