/**
 * Events of services: what may be posted, and what is made of it.
 * May import: element, fault, notice, model, store.
 */
import type { Element } from '../documents/element.ts';
import { VcloudFault } from '../documents/fault.ts';
import { namedIn, raise, userNamed } from '../events/notice.ts';
import type { Org } from '../model.ts';
import type { Store } from '../store.ts';

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
  const owner = child('Owner')?.attributes ?? {};
  const succeeded = success === undefined || success.trim() === 'true' || success.trim() === '1';
  raise(
    store,
    {
      type,
      success: succeeded,
      org,
      user: namedIn(user.attributes, 'user') ?? userNamed(store.administrator),
      entity: namedIn(owner, 'entity') ?? { kind: 'org', id: org.id, name: org.name },
    },
    {
      serviceNamespace,
      owner,
      user: user.attributes,
      properties: Object.fromEntries(
        properties.map(({ attributes }) => [attributes['name'] ?? '', attributes['value'] ?? '']),
      ),
    },
  );
}
