/**
 * Reads XML that somebody else wrote into a plain tree with resolved namespaces, and refuses what is unsafe.
 * May import: kernel. The library that reads is used here and nowhere else: it checks the form while it reads, which
 * costs a third of a check and a reading after it.
 */
import { XmlElement, XmlText, parseXml as parseDocument } from '@rgrove/parse-xml';
import { HostError } from '../../kernel/errors.ts';

export interface XmlNode {
  /** Namespace URI, '' when there is none. */
  readonly namespace: string;
  readonly name: string;
  /** Attributes without prefix by their name; prefixed ones as `{uri}name`. Declarations of namespaces are left out. */
  readonly attributes: ReadonlyMap<string, string>;
  readonly children: readonly XmlNode[];
  /** All character data directly inside, in order; entities decoded. */
  readonly text: string;
}

export interface XmlCaps {
  /** Size of the document in bytes. @default 4194304 */
  readonly bytes?: number;
  /** Nesting of elements. @default 64 */
  readonly depth?: number;
  /** Elements, comments and CDATA sections together. @default 50000 */
  readonly elements?: number;
}

export const XML_CAPS = {
  bytes: 4 * 1024 * 1024,
  depth: 64,
  elements: 50_000,
} as const satisfies XmlCaps;

/** Names of the document's own stand in it. */
const MAX_REASON = 200;
const XMLNS = 'http://www.w3.org/2000/xmlns/';
const XML = 'http://www.w3.org/XML/1998/namespace';

/** Attributes as they are written, names with their prefixes. */
type Given = readonly (readonly [name: string, value: string])[];
type Scope = ReadonlyMap<string, string>;

const OUTERMOST: Scope = new Map([['xml', XML]]);
const NO_ATTRIBUTES: ReadonlyMap<string, string> = new Map();
const NO_CHILDREN: readonly XmlNode[] = [];

/** Elements with these names could reach into prototypes, once somebody makes objects of them. */
const DANGEROUS = new Set(['__proto__', 'constructor', 'prototype']);

/** Parse a document. Throws `XML_INVALID` for a DTD, bad form, an unknown prefix or entity, or a broken cap. */
export function parseXml(source: string | Uint8Array, caps: XmlCaps = {}): XmlNode {
  const { bytes, depth, elements } = { ...XML_CAPS, ...caps };
  const size = typeof source === 'string' ? Buffer.byteLength(source) : source.byteLength;
  if (size > bytes) throw invalid(`larger than ${bytes} bytes`);
  // White space before the declaration, and a byte order mark, are lived with.
  const text = (typeof source === 'string' ? source : decodeUtf8(source)).trimStart();
  // Also inside comments and CDATA: no document of vCloud has a reason to hold one.
  if (/<!(?:DOCTYPE|ENTITY)/i.test(text)) throw invalid('a DTD or entity declaration is refused');
  if (countAbove(text, '<', 2 * elements)) throw invalid(`more than ${elements} elements`);
  return toNode(readRoot(text), OUTERMOST, depth);
}

/** Throws for everything that is not well-formed, characters and references that XML forbids included. */
function readRoot(text: string): XmlElement {
  // Line ends as XML 1.0 section 2.11 has them: the library does it too, but in quadratic time.
  const lines = text.includes('\r') ? text.replaceAll(/\r\n?/g, '\n') : text;
  try {
    const { root } = parseDocument(lines);
    if (root) return root;
  } catch (error) {
    // It recurses: some thousand levels, far above any cap, end its stack.
    if (error instanceof RangeError) throw invalid('nested too deeply', error);
    // Behind the first line the document is quoted, which no log and no operator is to see.
    const [reason = ''] = (error instanceof Error ? error.message : '').split('\n', 1);
    throw invalid(`not well-formed: ${reason.slice(0, MAX_REASON)}`, error);
  }
  throw invalid('no root element');
}

function toNode(element: XmlElement, outer: Scope, depth: number): XmlNode {
  if (depth <= 0) throw invalid('nested too deeply');
  const given: Given = Object.entries(element.attributes);
  const scope = declare(given, outer);
  const { namespace, name } = resolve(element.name, scope, true);
  if (DANGEROUS.has(name)) throw invalid(`an element named ${name}`);
  let children: XmlNode[] | null = null;
  let text = '';
  for (const item of element.children) {
    if (item instanceof XmlElement) (children ??= []).push(toNode(item, scope, depth - 1));
    else if (item instanceof XmlText) text += item.text;
  }
  const attributes = attributesOf(given, scope);
  return { namespace, name, attributes, children: children ?? NO_CHILDREN, text };
}

/** The scope inside an element: the outer one unless it declares prefixes of its own. */
function declare(given: Given, outer: Scope): Scope {
  let scope: Map<string, string> | null = null;
  for (const [qname, uri] of given) {
    if (!isDeclaration(qname)) continue;
    scope ??= new Map(outer);
    scope.set(qname === 'xmlns' ? '' : qname.slice(6), uri);
  }
  return scope ?? outer;
}

function isDeclaration(qname: string): boolean {
  return qname.startsWith('xmlns') && (qname.length === 5 || qname[5] === ':');
}

function attributesOf(given: Given, scope: Scope): ReadonlyMap<string, string> {
  let attributes: Map<string, string> | null = null;
  for (const [qname, value] of given) {
    const { namespace, name } = resolve(qname, scope, false);
    if (namespace === XMLNS) continue;
    attributes ??= new Map();
    attributes.set(namespace ? `{${namespace}}${name}` : name, value);
  }
  return attributes ?? NO_ATTRIBUTES;
}

/** The default namespace holds for elements only; an attribute without prefix is in none. */
function resolve(qname: string, scope: Scope, element: boolean) {
  const colon = qname.indexOf(':');
  if (colon < 0) {
    if (qname === 'xmlns' && !element) return { namespace: XMLNS, name: qname };
    return { namespace: element ? (scope.get('') ?? '') : '', name: qname };
  }
  const prefix = qname.slice(0, colon);
  const name = qname.slice(colon + 1);
  if (prefix === '' || name === '' || name.includes(':')) throw invalid(`bad name ${qname}`);
  if (prefix === 'xmlns') return { namespace: XMLNS, name };
  const namespace = scope.get(prefix);
  if (!namespace) throw invalid(`the prefix ${prefix} is not declared`);
  return { namespace, name };
}

function countAbove(text: string, character: string, limit: number): boolean {
  let count = 0;
  for (let at = text.indexOf(character); at !== -1; at = text.indexOf(character, at + 1))
    if (++count > limit) return true;
  return false;
}

const utf8 = new TextDecoder('utf-8', { fatal: true });

function decodeUtf8(bytes: Uint8Array): string {
  try {
    return utf8.decode(bytes);
  } catch (error) {
    throw invalid('not UTF-8', error);
  }
}

function invalid(reason: string, cause?: unknown): HostError {
  return new HostError('XML_INVALID', `XML: ${reason}`, cause === undefined ? {} : { cause });
}
