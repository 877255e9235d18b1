/**
 * `env.events`: events of the service in vCloud's audit trail, under the calling org and user.
 * May import: kernel, message, vcloud.
 */
import { z } from 'zod';

import { HostError } from '../../kernel/errors.ts';
import { legalize } from '../../message/xml/text.ts';
import { uuidOf } from '../../vcloud/links.ts';
import { checkArguments } from '../arguments.ts';
import type { Binding, Grant } from '../binding.ts';
import { discreet, orgUuid, type VcloudAccess } from '../vcloud/access.ts';
import type { OrgLinks } from '../vcloud/org-links.ts';
import type { Ownership } from '../vcloud/ownership.ts';
import { objectOf } from '../vcloud/references.ts';

export interface EventsRooms {
  readonly access: VcloudAccess;
  readonly ownership: Ownership;
  readonly links: OrgLinks;
  /** Namespace of the service of a plug-in; null when it has none. */
  readonly namespaceOf: (plugin: string) => string | null;
}

const PROPERTIES = 50;

const emitArguments = z.tuple([
  z.object({
    type: z
      .string()
      .regex(/^[\w./-]{1,128}$/)
      .refine((type) => !/^com\/vmware\/vcloud/i.test(type)),
    success: z.boolean().nullish(),
    /** Text for people. */
    typeFull: z.string().max(2_000).nullish(),
    owner: z.string().min(1).max(512).nullish(),
    properties: z
      .record(z.string().min(1).max(128), z.string().max(2_000))
      .refine((given) => Object.keys(given).length <= PROPERTIES)
      .nullish(),
  }),
]);

export function createEventsBinding(rooms: EventsRooms): Binding {
  return {
    name: 'events',
    async call(grant, method, args, signal) {
      if (method !== 'emit') throw new HostError('BINDING_ARGUMENT', 'events: unknown method');
      const [event] = checkArguments('events', emitArguments, args);
      await emit(rooms, grant, event, signal);
      return null;
    },
  };
}

type Wish = z.infer<typeof emitArguments>[0];

async function emit(
  rooms: EventsRooms,
  grant: Grant,
  event: Wish,
  signal: AbortSignal,
): Promise<void> {
  const { access, links } = rooms;
  const namespace = rooms.namespaceOf(grant.plugin);
  const user = uuidOf(grant.user);
  if (namespace === null || user === null)
    throw new HostError(
      'BINDING_DENIED',
      'events: only the calls of an extension service have them',
    );
  const org = orgUuid(grant);
  const owner = await ownerOf(rooms, grant, event.owner ?? `/api/org/${org}`, signal);
  const properties = Object.entries(event.properties ?? {}).map(([name, value]) => ({
    name: legalize(name),
    value: legalize(value),
  }));
  const value = {
    type: event.type,
    serviceNamespace: namespace,
    success: event.success ?? true,
    ...(event.typeFull == null ? {} : { typeFull: legalize(event.typeFull) }),
    Owner: { href: `${access.origin}${owner}` },
    User: { href: `${access.origin}/api/admin/user/${user}` },
    ...(properties.length > 0 ? { EventProperties: { EventProperty: properties } } : {}),
  };
  const client = access.charge(grant);
  try {
    const wanted = { rel: 'event:create', otherwise: `/api/admin/org/${org}/events` };
    const path = await links.find(client, org, wanted, signal);
    await client.sendXml('POST', path, { name: 'Event', value }, { signal });
  } catch (error) {
    throw discreet(error);
  }
}

async function ownerOf(
  { ownership }: EventsRooms,
  grant: Grant,
  reference: string,
  signal: AbortSignal,
): Promise<string> {
  const object = objectOf(reference);
  if (object === null || !(await ownership.proves(grant, object, signal)))
    throw new HostError('VCLOUD_OUT_OF_SCOPE', "events: the owner is not the calling org's");
  return object;
}
