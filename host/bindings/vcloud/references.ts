/**
 * Finds what a path, a query or a document refers to by id, so that each can be checked before vCloud sees it.
 * May import: kernel, message, vcloud.
 */
import { HostError } from '../../kernel/errors.ts';
import { parseXml, type XmlNode } from '../../message/xml/tree.ts';

const UUID = '[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}';
const UUIDS = new RegExp(UUID, 'g');
/** Path of an object: up to and with the segment that holds its id. */
const OBJECT = new RegExp(`^(/api/[A-Za-z]+(?:/[A-Za-z]+)*/(?:[A-Za-z]+-)?${UUID})(?:/.*)?$`);
const URN = new RegExp(`^urn:vcloud:([A-Za-z]+):(${UUID})$`);

/** Where the object of a URN is found. */
const PLACES: Readonly<Record<string, string>> = {
  org: '/api/org/',
  vdc: '/api/vdc/',
  vapp: '/api/vApp/vapp-',
  vm: '/api/vApp/vm-',
  vapptemplate: '/api/vAppTemplate/vappTemplate-',
  catalog: '/api/catalog/',
  catalogitem: '/api/catalogItem/',
  media: '/api/media/',
  network: '/api/network/',
  disk: '/api/disk/',
  task: '/api/task/',
  user: '/api/admin/user/',
};

/** Every UUID in a text, lower case, once each. */
export function uuidsIn(text: string): string[] {
  return [...new Set((text.match(UUIDS) ?? []).map((uuid) => uuid.toLowerCase()))];
}

/** Path of the object that a reference names: an href, a path or a URN; null when it is none of these. */
export function objectOf(reference: string): string | null {
  const urn = URN.exec(reference.trim());
  if (urn?.[1] && urn[2]) {
    const place = PLACES[urn[1].toLowerCase()];
    return place === undefined ? null : `${place}${urn[2].toLowerCase()}`;
  }
  const path = reference.trim().replace(/^https?:\/\/[^/?#]+/i, '');
  return OBJECT.exec(path.split(/[?#]/)[0] ?? '')?.[1] ?? null;
}

/**
 * All texts of a document in which an id could stand. Throws `BINDING_ARGUMENT` for what two readers could read
 * differently: neither XML nor JSON, a DTD, another encoding than UTF-8.
 */
export function textsOf(body: string, type: string): { texts: string[]; body: string } {
  if (/[/+]json\b/i.test(type)) {
    const value = parseJson(body);
    // Written anew: a key that stands twice is there once, as we have read it.
    return { texts: jsonTexts(value), body: JSON.stringify(value) };
  }
  if (!/[/+]xml\b/i.test(type))
    throw new HostError('BINDING_ARGUMENT', 'vcloud: a body must be XML or JSON, and say so');
  const encoding = /^\uFEFF?\s*<\?xml[^>]*\bencoding\s*=\s*["']([^"']*)["']/.exec(body)?.[1];
  if (encoding !== undefined && !/^utf-8$/i.test(encoding))
    throw new HostError('BINDING_ARGUMENT', 'vcloud: a body must be UTF-8');
  return { texts: xmlTexts(readXml(body)), body };
}

function readXml(body: string): XmlNode {
  try {
    return parseXml(body);
  } catch (error) {
    throw new HostError('BINDING_ARGUMENT', 'vcloud: the body is not XML without a DTD', {
      cause: error,
    });
  }
}

function parseJson(body: string): unknown {
  try {
    return JSON.parse(body) as unknown;
  } catch (error) {
    throw new HostError('BINDING_ARGUMENT', 'vcloud: the body is not JSON', { cause: error });
  }
}

/** Without recursion: how deep it goes is the guest's choice. */
function jsonTexts(root: unknown): string[] {
  const texts: string[] = [];
  const rest = [root];
  while (rest.length > 0) {
    const value = rest.pop();
    if (typeof value === 'string') texts.push(value);
    else if (typeof value === 'object' && value !== null)
      for (const [key, inner] of Object.entries(value)) {
        texts.push(key);
        rest.push(inner);
      }
  }
  return texts;
}

function xmlTexts(node: XmlNode): string[] {
  return [...node.attributes.values(), node.text, ...node.children.flatMap(xmlTexts)];
}
