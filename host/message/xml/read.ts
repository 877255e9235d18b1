/**
 * A parsed tree to a typed value, by the rule of its type.
 * May import: kernel, message.
 */
import { HostError } from '../../kernel/errors.ts';
import type { ChildRule, ScalarKind, TypeRule } from './schema.ts';
import { NAMESPACES } from './schema.ts';
import type { XmlNode } from './tree.ts';

/**
 * Read what the rule knows and pass over the rest: newer API versions add elements.
 * Order is not checked; a missing or repeated element is the caller's to judge, a wrong scalar is `XML_INVALID`.
 */
export function readValue(rule: TypeRule, node: XmlNode, where: string): Record<string, unknown> {
  const value: Record<string, unknown> = {};
  for (const [name, text] of node.attributes) {
    const kind = Object.hasOwn(rule.attributes, name) ? rule.attributes[name] : undefined;
    if (kind) value[name] = readScalar(kind, text, `${where}/@${name}`);
  }
  for (const item of node.children) {
    const { name } = item;
    const child = Object.hasOwn(rule.children, name) ? rule.children[name] : undefined;
    if (!child || !sameFamily(item, child)) continue;
    const read = readContent(child, item, `${where}/${name}`);
    if (child.many) ((value[name] ??= []) as unknown[]).push(read);
    else value[name] ??= read;
  }
  return value;
}

function readContent(child: ChildRule, node: XmlNode, where: string): unknown {
  return typeof child.content === 'string'
    ? readScalar(child.content, node.text, where)
    : readValue(child.content, node, where);
}

/**
 * The reference pages and the XSD disagree about which of the two namespaces some children are in,
 * and no type has the same name in both: either is read, only the XSD's is sent.
 */
function sameFamily(node: XmlNode, child: ChildRule): boolean {
  if (node.namespace === NAMESPACES[child.prefix]) return true;
  return (
    child.prefix !== 'versions' &&
    (node.namespace === NAMESPACES.vcloud || node.namespace === NAMESPACES.vmext)
  );
}

function readScalar(kind: ScalarKind, text: string, where: string): string | number | boolean {
  if (kind === 'string') return text;
  const trimmed = text.trim();
  if (kind === 'boolean') {
    if (trimmed === 'true' || trimmed === '1') return true;
    if (trimmed === 'false' || trimmed === '0') return false;
  } else if (/^[+-]?\d{1,19}$/.test(trimmed) && Number.isSafeInteger(Number(trimmed)))
    return Number(trimmed);
  throw new HostError('XML_INVALID', `XML: ${where} is not a ${kind}`);
}
