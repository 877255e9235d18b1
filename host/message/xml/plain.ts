/**
 * The quick way through a document that holds nothing but elements, attributes and text, as nearly all do that vCloud
 * sends: in one pass, about six times as fast as validator and parser. Whatever else there is, mistakes included, it
 * leaves to them.
 * May import: message.
 */
import type { XmlNode } from './tree.ts';

const XMLNS = 'http://www.w3.org/2000/xmlns/';
const XML = 'http://www.w3.org/XML/1998/namespace';

const DECLARATION = /^<\?xml [^<>?]*\?>/;
const NAME = '[A-Za-z_][A-Za-z0-9_.-]*';
const QNAME = `${NAME}(?::${NAME})?`;
/** Values without references, and without white space that would have to be made a space. */
const ATTRIBUTES = `(?:[ \\n]+${QNAME}="[^"<&\\t\\n\\r]*")*`;

interface Open {
  readonly qname: string;
  readonly namespace: string;
  readonly name: string;
  readonly attributes: ReadonlyMap<string, string>;
  readonly scope: Scope;
  readonly children: XmlNode[];
  text: string;
}

type Scope = ReadonlyMap<string, string>;

/** Null for what is not that plain: read it in full. The caller has looked for characters that XML forbids. */
export function readPlainXml(text: string, depth: number): XmlNode | null {
  // References and, in the ends of lines, what would have to be normalized.
  if (text.includes('&') || text.includes('\r')) return null;
  const start = DECLARATION.exec(text)?.[0].length ?? 0;
  const tag = new RegExp(`<(?:/(${QNAME})[ \\n]*|(${QNAME})(${ATTRIBUTES})[ \\n]*(/?))>`, 'y');
  const open: Open[] = [];
  let at = start;
  for (;;) {
    const next = text.indexOf('<', at);
    if (next < 0) return null;
    if (!addText(open, text.slice(at, next))) return null;
    tag.lastIndex = next;
    const found = tag.exec(text);
    if (!found) return null;
    at = tag.lastIndex;
    const [, closing, qname, attributes = '', empty] = found;
    if (qname !== undefined) {
      // What reaches into prototypes is the other way's to judge.
      if (qname in Object.prototype) return null;
      const element = begin(open, qname, attributes);
      if (!element || open.length >= depth) return null;
      open.push(element);
      if (empty === '') continue;
    }
    const ended = open.pop();
    if (!ended || (closing !== undefined && closing !== ended.qname)) return null;
    const parent = open.at(-1);
    if (parent) parent.children.push(nodeOf(ended));
    else return text.slice(at).trim() === '' ? nodeOf(ended) : null;
  }
}

/** Outside the root only white space may be; `]]>` may be nowhere. */
function addText(open: readonly Open[], text: string): boolean {
  const parent = open.at(-1);
  if (!parent) return text.trim() === '';
  if (text.includes('>')) return false;
  parent.text += text;
  return true;
}

function begin(open: readonly Open[], qname: string, attributes: string): Open | null {
  const given = [...attributes.matchAll(/([^\s=]+)="([^"]*)"/g)];
  const scope = declare(given, open.at(-1)?.scope ?? OUTERMOST);
  const element = scope && resolve(qname, scope, true);
  const read = scope && attributesOf(given, scope);
  if (!scope || !element || !read) return null;
  return { qname, ...element, attributes: read, scope, children: [], text: '' };
}

const OUTERMOST: Scope = new Map([['xml', XML]]);

/** The scope inside an element; null when it declares what may not be, or is not worth knowing here. */
function declare(given: readonly RegExpMatchArray[], outer: Scope): Scope | null {
  let scope: Map<string, string> | null = null;
  for (const [, name = '', uri = ''] of given) {
    if (name !== 'xmlns' && !name.startsWith('xmlns:')) continue;
    const prefix = name.slice('xmlns:'.length);
    if (prefix === 'xml' || prefix === 'xmlns' || (prefix !== '' && uri === '')) return null;
    scope ??= new Map(outer);
    scope.set(prefix, uri);
  }
  return scope ?? outer;
}

function attributesOf(
  given: readonly RegExpMatchArray[],
  scope: Scope,
): ReadonlyMap<string, string> | null {
  if (given.length > 1 && new Set(given.map(([, name]) => name)).size < given.length) return null;
  const attributes = new Map<string, string>();
  for (const [, qname = '', value = ''] of given) {
    if (qname === 'xmlns' || qname.startsWith('xmlns:')) continue;
    const resolved = resolve(qname, scope, false);
    if (!resolved) return null;
    const { namespace, name } = resolved;
    attributes.set(namespace === '' ? name : `{${namespace}}${name}`, value);
  }
  return attributes;
}

/** The default namespace holds for elements only. */
function resolve(qname: string, scope: Scope, element: boolean) {
  const colon = qname.indexOf(':');
  if (colon < 0) return { namespace: element ? (scope.get('') ?? '') : '', name: qname };
  const namespace = scope.get(qname.slice(0, colon));
  if (namespace === undefined || namespace === XMLNS) return null;
  return { namespace, name: qname.slice(colon + 1) };
}

function nodeOf({ namespace, name, attributes, children, text }: Open): XmlNode {
  return { namespace, name, attributes, children, text };
}
