/**
 * What has happened in the cloud: kept for queries, and told to those who publish it.
 * May import: happening, model, service-links, store, work.
 */
import { randomUUID } from 'node:crypto';

import { uuidIn } from '../extension/service-links.ts';
import type { User, VApp } from '../model.ts';
import type { Store } from '../store.ts';
import type { Happening, Named, Notice } from './happening.ts';
import type { CloudEvent } from '../work/work.ts';

/** All types of vCloud's own events begin so. */
export const EVENT_ROOT = 'com/vmware/vcloud/event/';
/** The namespace of what vCloud does itself. */
export const VCLOUD_NAMESPACE = 'com.vmware.vcloud';
/** The oldest are forgotten beyond this number, as a real audit trail is trimmed. */
const MAX_EVENTS = 10_000;

/** Parts of the kept record that are not to be made from the happening. */
export type Recorded = Partial<
  Pick<CloudEvent, 'serviceNamespace' | 'owner' | 'user' | 'properties'>
>;

export const urnOf = ({ kind, id }: Named): string => `urn:vcloud:${kind}:${id}`;

export const userNamed = ({ id, name }: Pick<User, 'id' | 'name'>): Named => ({
  kind: 'user',
  id,
  name,
});

export const vAppNamed = ({ id, name }: VApp): Named => ({ kind: 'vapp', id, name });

/** What a reference's attributes speak of: by its URN, or by the uuid in its address and its media type. */
export function namedIn(
  attributes: Readonly<Record<string, string>>,
  fallbackKind: string,
): Named | undefined {
  const name = attributes['name'];
  const more = name ? { name } : {};
  const [, kind, id] = /^urn:vcloud:(\w+):(\S+)$/i.exec(attributes['id'] ?? '') ?? [];
  if (kind !== undefined && id !== undefined) return { kind, id, ...more };
  const uuid = uuidIn(attributes['href'] ?? '');
  if (uuid === undefined) return undefined;
  const media = /([A-Za-z]+)(?:\+(?:xml|json))?$/.exec(attributes['type'] ?? '')?.[1];
  return { kind: media?.toLowerCase() ?? fallbackKind, id: uuid, ...more };
}

const attributesOf = (named: Named): Record<string, string> => ({
  id: urnOf(named),
  type: `vcloud:${named.kind}`,
  ...(named.name === undefined ? {} : { name: named.name }),
});

/** Keep a notice for queries and, while notifications are enabled, tell it to whoever publishes. */
export function tell(store: Store, notice: Notice, recorded: Recorded = {}): void {
  store.events.push({
    id: notice.eventId,
    org: notice.org.id,
    type: notice.type,
    timeStamp: notice.timestamp,
    success: notice.success,
    serviceNamespace: VCLOUD_NAMESPACE,
    owner: attributesOf(notice.entity),
    user: attributesOf(notice.user),
    properties: {},
    ...recorded,
  });
  if (store.events.length > MAX_EVENTS) store.events.shift();
  if (!store.settings.notifications) return;
  for (const listener of store.listeners) listener(notice);
}

/** Something has happened just now. */
export function raise(store: Store, happening: Happening, recorded: Recorded = {}): Notice {
  const notice = { ...happening, eventId: randomUUID(), timestamp: new Date().toISOString() };
  tell(store, notice, recorded);
  return notice;
}
