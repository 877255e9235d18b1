/**
 * A typed value to XML text: the rule decides order, namespace and cardinality, the caller only gives values.
 * May import: kernel, message. fast-xml-parser is used here and nowhere else in the host: the reader is another library.
 */
import { XMLBuilder } from 'fast-xml-parser';
import { HostError } from '../../kernel/errors.ts';
import type { ChildRule, Prefix, ScalarKind, TypeRule } from './schema.ts';
import { NAMESPACES } from './schema.ts';
import { ILLEGAL_CHARACTER, escapeXml } from './text.ts';

const XSI_TYPE = 'xsi:type';

/** An element in the builder's ordered form. */
type BuilderNode = Record<string, unknown>;

const builder = new XMLBuilder({
  preserveOrder: true,
  ignoreAttributes: false,
  attributeNamePrefix: '',
  suppressEmptyNode: true,
  // Values are escaped here already, tab and line end included.
  processEntities: false,
});

const DECLARATION: BuilderNode = {
  '?xml': [{ '#text': '' }],
  ':@': { version: '1.0', encoding: 'UTF-8' },
};

/** A whole document; `value` must fit the rule, which the types of `encodeXml` see to. */
export function writeDocument(
  root: { readonly prefix: Prefix; readonly name: string },
  rule: TypeRule,
  value: object,
): string {
  const used = new Set<string>([root.prefix]);
  const node = element(root, rule, value as Record<string, unknown>, used);
  const declared = [...used].map((prefix) => [
    prefix === 'vcloud' || prefix === 'versions' ? 'xmlns' : `xmlns:${prefix}`,
    NAMESPACES[prefix as keyof typeof NAMESPACES],
  ]);
  // A type named by xsi:type is a QName with a prefix of its own.
  if (used.has('xsi')) declared.push(['xmlns:vcloud', NAMESPACES.vcloud]);
  node[':@'] = { ...Object.fromEntries(declared), ...(node[':@'] as object) };
  return builder.build([DECLARATION, node]);
}

function element(
  named: { readonly prefix: Prefix; readonly name: string },
  rule: TypeRule,
  value: Readonly<Record<string, unknown>>,
  used: Set<string>,
): BuilderNode {
  const { name } = named;
  for (const key of rule.requiredAttributes)
    if (value[key] === undefined) throw invalid(`${name} needs the attribute ${key}`);
  const attributes: Record<string, string> = {};
  for (const [key, kind] of Object.entries(rule.attributes))
    if (value[key] !== undefined) attributes[key] = scalar(kind, value[key], `${name}/@${key}`);
  const content = Object.entries(rule.children).flatMap(([key, child]) =>
    childNodes(key, child, value[key], used),
  );
  return { [tag(named)]: content, ':@': attributes };
}

function childNodes(
  name: string,
  child: ChildRule,
  value: unknown,
  used: Set<string>,
): BuilderNode[] {
  if (value === undefined || (child.many && (value as readonly unknown[]).length === 0)) {
    if (child.required) throw invalid(`the element ${name} is missing`);
    return [];
  }
  used.add(child.prefix);
  const named = { prefix: child.prefix, name };
  const values = child.many ? (value as readonly unknown[]) : [value];
  return values.map((item) => {
    const { content } = child;
    if (typeof content === 'string')
      return { [tag(named)]: [{ '#text': scalar(content, item, name) }] };
    const node = element(named, content, item as Record<string, unknown>, used);
    return child.xsiType ? withXsiType(node, child.xsiType, used) : node;
  });
}

function withXsiType(node: BuilderNode, xsiType: string, used: Set<string>): BuilderNode {
  used.add('xsi');
  return { ...node, ':@': { [XSI_TYPE]: `vcloud:${xsiType}`, ...(node[':@'] as object) } };
}

function tag({ prefix, name }: { readonly prefix: Prefix; readonly name: string }): string {
  return prefix === 'vmext' ? `vmext:${name}` : name;
}

function scalar(kind: ScalarKind, value: unknown, where: string): string {
  if (typeof value !== kind || (kind === 'number' && !Number.isSafeInteger(value)))
    throw invalid(`${where} is not a ${kind}`);
  const text = String(value);
  if (ILLEGAL_CHARACTER.test(text)) throw invalid(`${where} has a character that XML forbids`);
  return escapeXml(text);
}

function invalid(reason: string): HostError {
  return new HostError('XML_INVALID', `XML to send: ${reason}`);
}
