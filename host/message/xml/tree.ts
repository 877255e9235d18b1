/**
 * Reads XML that somebody else wrote into a plain tree with resolved namespaces, and refuses what is unsafe.
 * May import: kernel. fast-xml-parser is used in the xml-* files and nowhere else.
 */
import { XMLParser, XMLValidator } from 'fast-xml-parser';
import { HostError, messageOf } from '../../kernel/errors.ts';
import { ILLEGAL_CHARACTER, decodeEntities } from './text.ts';

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

const XMLNS = 'http://www.w3.org/2000/xmlns/';
const XML = 'http://www.w3.org/XML/1998/namespace';

/** One element of fast-xml-parser's ordered form: its name as a key, attributes under `:@`. */
type RawNode = Readonly<Record<string, unknown>>;
type Scope = ReadonlyMap<string, string>;

const ATTRIBUTE = '@';

const parser = new XMLParser({
  preserveOrder: true,
  ignoreAttributes: false,
  // Keeps an attribute named like a member of Object.prototype an ordinary one.
  attributeNamePrefix: ATTRIBUTE,
  onDangerousProperty: (name) => name,
  parseTagValue: false,
  parseAttributeValue: false,
  trimValues: false,
  // Decoding is ours: the five built-in and numeric entities, everything else refused.
  processEntities: false,
  cdataPropName: '#cdata',
  jPath: false,
  maxNestedTags: XML_CAPS.depth,
});

/** Parse a document. Throws `XML_INVALID` for a DTD, bad form, an unknown prefix or entity, or a broken cap. */
export function parseXml(source: string | Uint8Array, caps: XmlCaps = {}): XmlNode {
  const { bytes, depth, elements } = { ...XML_CAPS, ...caps };
  if (Buffer.byteLength(source) > bytes) throw invalid(`larger than ${bytes} bytes`);
  const text = typeof source === 'string' ? source.replace(/^\uFEFF/, '') : decodeUtf8(source);
  // Also inside comments and CDATA: no document of vCloud has a reason to hold one.
  if (/<!(?:DOCTYPE|ENTITY)/i.test(text)) throw invalid('a DTD or entity declaration is refused');
  if (ILLEGAL_CHARACTER.test(text)) throw invalid('a character that XML forbids');
  if (countAbove(text, '<', 2 * elements)) throw invalid(`more than ${elements} elements`);
  const verdict = XMLValidator.validate(text);
  if (verdict !== true) throw invalid(`not well-formed: ${verdict.err.msg}`);
  // The validator overlooks this behind an empty root.
  if (text.slice(text.lastIndexOf('>') + 1).trim()) throw invalid('text behind the root');
  return toRoot(parseRaw(text), depth);
}

function parseRaw(text: string): readonly RawNode[] {
  try {
    return parser.parse(text) as readonly RawNode[];
  } catch (error) {
    throw invalid(messageOf(error), error);
  }
}

function toRoot(nodes: readonly RawNode[], depth: number): XmlNode {
  const roots = nodes.filter((node) => !nameOf(node).startsWith('?') && nameOf(node) !== '#text');
  const [root, ...more] = roots;
  if (!root || more.length > 0) throw invalid(`${roots.length} root elements`);
  return toNode(root, new Map([['xml', XML]]), depth);
}

function toNode(raw: RawNode, outer: Scope, depth: number): XmlNode {
  if (depth <= 0) throw invalid('nested too deeply');
  const qname = nameOf(raw);
  const given = Object.entries((raw[':@'] ?? {}) as Record<string, string>).map(
    ([name, value]) => [name.slice(ATTRIBUTE.length), attributeValue(value)] as const,
  );
  const scope = declare(given, outer);
  const { namespace, name } = resolve(qname, scope, true);
  const content = raw[qname] as readonly RawNode[];
  const children = content.filter((item) => !/^[#?]/.test(nameOf(item)));
  return {
    namespace,
    name,
    attributes: attributesOf(given, scope),
    children: children.map((child) => toNode(child, scope, depth - 1)),
    text: content.map(textOf).join(''),
  };
}

/** The scope inside an element: the outer one unless it declares prefixes of its own. */
function declare(attributes: readonly (readonly [string, string])[], outer: Scope): Scope {
  const declared = attributes.filter(([name]) => name === 'xmlns' || name.startsWith('xmlns:'));
  if (declared.length === 0) return outer;
  const scope = new Map(outer);
  for (const [name, uri] of declared) scope.set(name === 'xmlns' ? '' : name.slice(6), uri);
  return scope;
}

function attributesOf(
  given: readonly (readonly [string, string])[],
  scope: Scope,
): Map<string, string> {
  const attributes = new Map<string, string>();
  for (const [qname, value] of given) {
    const { namespace, name } = resolve(qname, scope, false);
    if (namespace === XMLNS) continue;
    attributes.set(namespace ? `{${namespace}}${name}` : name, value);
  }
  return attributes;
}

/** The default namespace holds for elements only; an attribute without prefix is in none. */
function resolve(qname: string, scope: Scope, element: boolean) {
  const [prefix, name, ...more] = qname.includes(':') ? qname.split(':') : ['', qname];
  if (!name || prefix === undefined || more.length > 0) throw invalid(`bad name ${qname}`);
  if (prefix === 'xmlns' || (!element && qname === 'xmlns')) return { namespace: XMLNS, name };
  if (prefix === '') return { namespace: element ? (scope.get('') ?? '') : '', name };
  const namespace = scope.get(prefix);
  if (!namespace) throw invalid(`the prefix ${prefix} is not declared`);
  return { namespace, name };
}

function textOf(item: RawNode): string {
  if (typeof item['#text'] === 'string') return decode(item['#text']);
  const cdata = item['#cdata'] as readonly { readonly '#text': string }[] | undefined;
  return cdata?.[0]?.['#text'] ?? '';
}

function attributeValue(raw: string): string {
  if (raw.includes('<')) throw invalid('"<" inside an attribute value');
  // XML 1.0 section 3.3.3: literal white space becomes a space, character references stay.
  return decode(raw.replaceAll(/[\t\n\r]/g, ' '));
}

function decode(text: string): string {
  const decoded = decodeEntities(text);
  if (decoded === null) throw invalid('an entity that is not built in, or a bare "&"');
  return decoded;
}

function nameOf(node: RawNode): string {
  for (const key in node) if (key !== ':@') return key;
  return '';
}

function countAbove(text: string, character: string, limit: number): boolean {
  let count = 0;
  for (let at = text.indexOf(character); at !== -1; at = text.indexOf(character, at + 1))
    if (++count > limit) return true;
  return false;
}

function decodeUtf8(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (error) {
    throw invalid('not UTF-8', error);
  }
}

function invalid(reason: string, cause?: unknown): HostError {
  return new HostError('XML_INVALID', `XML: ${reason}`, cause === undefined ? {} : { cause });
}
