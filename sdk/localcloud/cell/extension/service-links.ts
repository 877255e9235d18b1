/**
 * Links that services have registered for the objects of vCloud.
 * May import: element, represent, model, store.
 */
import { type Element, element, textOf } from '../documents/element.ts';
import type { View } from '../documents/represent.ts';
import type { Entity } from '../model.ts';
import { type Store, childrenOf } from '../store.ts';

export interface Shown {
  /** Media type of the object's document, without `+xml` or `+json`. */
  readonly media: string;
  /** Uuid of the object. */
  readonly id: string;
}

/** Media types are compared without case, form and parameters. */
export const mediaStem = (media: string) =>
  media
    .toLowerCase()
    .replace(/;.*$/s, '')
    .trim()
    .replace(/\+(?:xml|json)$/, '');

/** The uuid that an href, URN or bare id ends in, in lower case. */
export const uuidIn = (text: string): string | undefined =>
  /[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.exec(text)?.[0]?.toLowerCase();

/** Base of the REST API, as `{baseUri}` in links and templates means it. */
export const baseUri = ({ base }: View) => `${base}/api/`;

export const isEnabled = (service: Entity) => textOf(service.content, 'Enabled') === 'true';

function concerns(link: Entity, { media, id }: Shown): boolean {
  const type = textOf(link.content, 'ResourceType') ?? '';
  const wanted = textOf(link.content, 'ResourceId') ?? '';
  if (mediaStem(type) !== mediaStem(media)) return false;
  return wanted.trim() === '' || uuidIn(wanted.trim()) === id;
}

/** A template's address, with `{baseUri}` and `{resourceId}` filled in. */
export const fillIn = (view: View, template: string, id: string): string =>
  toUri(template.replaceAll('{baseUri}', () => baseUri(view)).replaceAll('{resourceId}', () => id));

/** An address as services write it may hold what no URI may; documents must stay valid all the same. */
const toUri = (text: string) => text.replaceAll(/[\s<>"{}|\\^`[\]]/g, encodeURIComponent);

function toLink(link: Entity, view: View, { id }: Shown): Element {
  const href = fillIn(view, textOf(link.content, 'LinkHref') ?? '', id);
  return element('vcloud:Link', {
    rel: textOf(link.content, 'Rel'),
    href,
    id: textOf(link.content, 'ExternalResourceId'),
    type: textOf(link.content, 'MimeType'),
  });
}

/** Links of all enabled services for an object: those for its type, and those for itself alone. */
export function serviceLinksFor(store: Store, view: View, shown: Shown): Element[] {
  return [...store.entities.values()]
    .filter((item) => item.kind === 'service' && isEnabled(item))
    .flatMap((service) => childrenOf(store, service.id, 'serviceLink'))
    .filter((link) => concerns(link, shown))
    .map((link) => toLink(link, view, shown));
}
