/**
 * Reads and writes documents as XML.
 * May import: element; fast-xml-parser.
 */
import { XMLParser, XMLValidator } from 'fast-xml-parser';

import { type Element, NAMESPACES, type Ns } from './element.ts';

const MAX_CHARS = 1_000_000;
const MAX_DEPTH = 40;

/** The text is no document that the cell takes; the message says why. */
export class XmlFault extends Error {}

type Raw = Readonly<Record<string, unknown>>;

const CDATA = '#cdata';
const isText = (item: Raw) => Object.hasOwn(item, '#text') || Object.hasOwn(item, CDATA);

const parser = new XMLParser({
  preserveOrder: true,
  ignoreAttributes: false,
  attributeNamePrefix: '',
  // Values stay text, and entities are decoded here: five names and numbers, nothing a document defines.
  parseTagValue: false,
  parseAttributeValue: false,
  processEntities: false,
  trimValues: false,
  cdataPropName: CDATA,
  ignoreDeclaration: true,
  ignorePiTags: true,
});

type Scope = ReadonlyMap<string, string>;

const ENTITIES: Readonly<Record<string, string>> = {
  lt: '<',
  gt: '>',
  amp: '&',
  quot: '"',
  apos: "'",
};

function decodeEntities(text: string): string {
  return text.replaceAll(/&([^;&\s]*);?/g, (whole, name: string) => {
    const named = Object.hasOwn(ENTITIES, name) ? ENTITIES[name] : undefined;
    if (named !== undefined && whole.endsWith(';')) return named;
    const [, hex, decimal] = /^#(?:x([0-9a-fA-F]+)|(\d+))$/.exec(name) ?? [];
    const point = hex ? Number.parseInt(hex, 16) : Number(decimal ?? Number.NaN);
    if (!(point > 0 && point <= 0x10ffff)) throw new XmlFault(`the entity '${whole}' is not known`);
    return String.fromCodePoint(point);
  });
}

function scopeOf(outer: Scope, attributes: Readonly<Record<string, string>>): Scope {
  const own = Object.entries(attributes).filter(([name]) => /^xmlns(?::|$)/.test(name));
  if (own.length === 0) return outer;
  return new Map([
    ...outer,
    ...own.map(([name, uri]) => [name.slice(6), decodeEntities(uri)] as const),
  ]);
}

function resolve(qualified: string, scope: Scope): { ns: Ns; name: string } {
  const colon = qualified.indexOf(':');
  const prefix = colon < 0 ? '' : qualified.slice(0, colon);
  const uri = scope.get(prefix);
  if (prefix !== '' && uri === undefined)
    throw new XmlFault(`the prefix '${prefix}' of element '${qualified}' is not bound`);
  const known = Object.entries(NAMESPACES).find(([, value]) => value === uri);
  return { ns: (known?.[0] as Ns | undefined) ?? 'other', name: qualified.slice(colon + 1) };
}

/** Text with its entities decoded; a CDATA section holds none. */
function textIn(item: Raw): string {
  const text = item['#text'];
  if (typeof text === 'string') return decodeEntities(text);
  const section = item[CDATA] as readonly { readonly '#text'?: string }[] | undefined;
  return section?.map((part) => part['#text'] ?? '').join('') ?? '';
}

function convert(raw: Raw, outer: Scope, depth: number): Element {
  if (depth > MAX_DEPTH) throw new XmlFault(`nested deeper than ${MAX_DEPTH} elements`);
  const tag = Object.keys(raw).find((key) => key !== ':@') ?? '';
  const given = (raw[':@'] ?? {}) as Readonly<Record<string, string>>;
  const scope = scopeOf(outer, given);
  const attributes = Object.fromEntries(
    Object.entries(given)
      .filter(([name]) => name !== 'xmlns' && !name.includes(':'))
      .map(([name, value]) => [name, decodeEntities(value)]),
  );
  const content = raw[tag] as readonly Raw[];
  const children = content
    .filter((item) => !isText(item))
    .map((item) => convert(item, scope, depth + 1));
  const text = content.map((item) => textIn(item)).join('');
  return { ...resolve(tag, scope), attributes, children, text };
}

function parse(text: string): Raw[] {
  try {
    return parser.parse(text) as Raw[];
  } catch (error) {
    throw new XmlFault(`not readable: ${String(error)}`, { cause: error });
  }
}

/** Parse one document; throws `XmlFault` for a DTD, an entity of its own, bad form or too much. */
export function readXml(text: string): Element {
  if (text.length > MAX_CHARS) throw new XmlFault(`longer than ${MAX_CHARS} characters`);
  if (/<!DOCTYPE|<!ENTITY/i.test(text))
    throw new XmlFault('a document type declaration is not allowed');
  const valid = XMLValidator.validate(text);
  if (valid !== true)
    throw new XmlFault(`not well-formed: ${valid.err.msg} (line ${valid.err.line})`);
  const roots = parse(text).filter((item) => !isText(item));
  const [root] = roots;
  if (!root || roots.length > 1) throw new XmlFault('not exactly one root element');
  return convert(root, new Map(), 1);
}

const escapeText = (text: string) =>
  text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('\r', '&#13;');
const escapeAttribute = (text: string) =>
  escapeText(text).replaceAll('"', '&quot;').replaceAll('\n', '&#10;').replaceAll('\t', '&#9;');

function write(node: Element, defaultNs: Ns, head: string): string {
  const tag = node.ns === defaultNs || node.ns === 'other' ? node.name : `${node.ns}:${node.name}`;
  const attributes = Object.entries(node.attributes)
    .map(([name, value]) => ` ${name}="${escapeAttribute(value)}"`)
    .join('');
  const open = `<${tag}${head}${attributes}`;
  if (node.children.length === 0 && node.text === '') return `${open}/>`;
  const inner = node.children.map((child) => write(child, defaultNs, '')).join('');
  return `${open}>${inner || escapeText(node.text)}</${tag}>`;
}

function namespacesIn(node: Element): Set<Ns> {
  return node.children.reduce((all, child) => all.union(namespacesIn(child)), new Set([node.ns]));
}

/** Write a document: vcloud (or versions) is the default namespace, vmext has its usual prefix. */
export function writeXml(root: Element): string {
  const used = namespacesIn(root);
  const defaultNs: Ns = used.has('versions') ? 'versions' : 'vcloud';
  const prefixed = used.has('vmext') ? ` xmlns:vmext="${NAMESPACES.vmext}"` : '';
  const head = ` xmlns="${NAMESPACES[defaultNs]}"${prefixed}`;
  return `<?xml version="1.0" encoding="UTF-8"?>\n${write(root, defaultNs, head)}\n`;
}
