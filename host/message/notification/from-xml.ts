/**
 * The XML form of a notification: `vmext:Notification` with links to everything that it is about.
 * May import: kernel, message.
 */
import { messageOf } from '../../kernel/errors.ts';
import { type Doc, decodeNode } from '../xml/documents.ts';
import { type XmlNode, parseXml } from '../xml/tree.ts';
import { type ReadBody, eventIdOf, eventTypeOf, timestampOf } from './body.ts';
import type { EntityRef } from './event.ts';
import { refOf } from './references.ts';

type EntityLink = NonNullable<Doc<'Notification'>['EntityLink']>[number];

/** Far above any real notification. */
const CAPS = { depth: 16, elements: 1_000 } as const;

/** What each relation of an entity link says. */
const RELATIONS = {
  entity: 'entity',
  up: 'org',
  down: 'user',
  task: 'task',
  'task:owner': 'taskOwner',
} as const;
type Relation = keyof typeof RELATIONS;
type Refs = Record<(typeof RELATIONS)[Relation], EntityRef | null>;

const KNOWN_ATTRIBUTES = new Set(['type', 'eventId']);
const KNOWN_ELEMENTS = new Set(['Link', 'EntityLink', 'Timestamp', 'OperationSuccess']);
const RESOLVER = 'entityResolver';

/** Read a document. A DTD, an unknown entity or a broken cap of size, depth or number is a reason like any other. */
export function bodyFromXml(source: Uint8Array, maxBytes: number): ReadBody {
  try {
    const root = parseXml(source, { ...CAPS, bytes: maxBytes });
    return read(root, decodeNode('Notification', root));
  } catch (error) {
    return messageOf(error);
  }
}

function read(root: XmlNode, document: Doc<'Notification'>): ReadBody {
  const { Link = [], EntityLink = [] } = document;
  const eventId = eventIdOf(document.eventId ?? '');
  if (eventId === null) return 'the attribute eventId is missing or not an id';
  const type = eventTypeOf(document.type ?? '');
  if (type === null) return 'the attribute type is missing or not an event type';
  const timestamp = timestampOf(document.Timestamp ?? '');
  if (timestamp === null) return 'Timestamp is missing or not a time';
  const refs = readRefs(EntityLink);
  if (typeof refs === 'string') return refs;
  return {
    form: 'xml',
    eventId,
    type,
    timestamp,
    operationSuccess: document.OperationSuccess ?? null,
    ...refs,
    resolver: resolverOf(Link),
    extra: extraOf(root, document),
  };
}

function readRefs(links: readonly EntityLink[]): Refs | string {
  const refs: Refs = { entity: null, org: null, user: null, task: null, taskOwner: null };
  for (const { rel, id = '', type, name } of links) {
    if (!isRelation(rel)) continue;
    const ref = refOf({ id, type, name });
    if (!ref) return `the EntityLink ${rel} has no URN`;
    refs[RELATIONS[rel]] ??= ref;
  }
  return refs;
}

function isRelation(rel: string | undefined): rel is Relation {
  return rel !== undefined && Object.hasOwn(RELATIONS, rel);
}

/** Only an address of the API; whoever follows it takes the path and asks the vCloud that is configured. */
function resolverOf(links: NonNullable<Doc<'Notification'>['Link']>): string | null {
  const href = links.find((link) => link.rel === RESOLVER)?.href ?? '';
  return /^https?:\/\/[^\s<>"]{1,1000}$/.test(href) ? href : null;
}

function extraOf(root: XmlNode, { Link = [], EntityLink = [] }: Doc<'Notification'>) {
  const found: [string, unknown][] = [];
  for (const [name, value] of root.attributes)
    if (!KNOWN_ATTRIBUTES.has(name)) found.push([name, value]);
  for (const child of root.children)
    if (!KNOWN_ELEMENTS.has(child.name)) found.push([child.name, plain(child)]);
  const links = Link.filter((link) => link.rel !== RESOLVER);
  if (links.length > 0) found.push(['Link', links]);
  const entityLinks = EntityLink.filter((link) => !isRelation(link.rel));
  if (entityLinks.length > 0) found.push(['EntityLink', entityLinks]);
  // Names are foreign: what is made of entries has them all as ordinary ones.
  return Object.fromEntries(found);
}

/** Text, or an object of attributes and children; of children with one name the last one stays. */
function plain(node: XmlNode): unknown {
  if (node.attributes.size === 0 && node.children.length === 0) return node.text;
  return Object.fromEntries<unknown>([
    ...node.attributes,
    ...node.children.map((child): [string, unknown] => [child.name, plain(child)]),
    ...(node.text.trim() === '' ? [] : ([['text', node.text]] as const)),
  ]);
}
