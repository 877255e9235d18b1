/**
 * Events of services: what may be posted, and the list that queries read.
 * May import: element, fault, store, work.
 */
import { randomUUID } from 'node:crypto';

import type { Element } from '../element.ts';
import { VcloudFault } from '../fault.ts';
import type { Org, Store } from '../store.ts';
import type { CloudEvent } from './work.ts';

/** The oldest are forgotten beyond this number, as a real audit trail is trimmed. */
const MAX_EVENTS = 10_000;

/** Keep an event, with an id and the time. */
export function recordEvent(store: Store, event: Omit<CloudEvent, 'id' | 'timeStamp'>): void {
  store.events.push({ ...event, id: randomUUID(), timeStamp: new Date().toISOString() });
  if (store.events.length > MAX_EVENTS) store.events.shift();
}

const refuse = (message: string) => new VcloudFault(400, `Event: ${message}`);

function textBetween(name: string, text: string | undefined, least: number, most: number): string {
  const found = text ?? '';
  if (found.length < least || found.length > most)
    throw refuse(`'${name}' must have ${least} to ${most} characters`);
  return found;
}

/** Keep a service's event by its validated document; 400 for what only vCloud itself may say. */
export function postEvent(store: Store, org: Org, node: Element): void {
  const { success, typeFull } = node.attributes;
  const type = textBetween('type', node.attributes['type'], 1, 128);
  const { serviceNamespace: namespace } = node.attributes;
  const serviceNamespace = textBetween('serviceNamespace', namespace, 1, 128);
  textBetween('typeFull', typeFull, 0, 2_000);
  if (type.startsWith('com/vmware/vcloud'))
    throw refuse("types that start with 'com/vmware/vcloud' are reserved");
  if (serviceNamespace.startsWith('com.vmware.vcloud'))
    throw refuse("the namespace 'com.vmware.vcloud' is reserved");
  const child = (name: string) => node.children.find((item) => item.name === name);
  const user = child('User');
  if (!user) throw refuse("the element 'User' is required");
  const properties = child('EventProperties')?.children ?? [];
  recordEvent(store, {
    org: org.id,
    type,
    serviceNamespace,
    success: success === undefined || success.trim() === 'true' || success.trim() === '1',
    owner: child('Owner')?.attributes ?? {},
    user: user.attributes,
    properties: Object.fromEntries(
      properties.map(({ attributes }) => [attributes['name'] ?? '', attributes['value'] ?? '']),
    ),
  });
}
