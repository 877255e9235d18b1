/**
 * Handled events on NATS, shared by all hosts; ended by the clock of the server.
 * May import: storage, cluster.
 */
import {
  HANDLED_DEFAULTS,
  type HandledEvents,
  type HandledEventsOptions,
} from '../../storage/handled-events.ts';
import { openBucket } from '../link/bucket.ts';
import { keyPart } from '../link/keys.ts';
import type { Link } from '../link/link.ts';

/** Throws a CLUSTER code. When the bucket is full, `add` throws: events are then handled without being remembered. */
export async function openNatsHandledEvents(
  link: Link,
  { keepMs }: Pick<HandledEventsOptions, 'keepMs'> = {},
): Promise<HandledEvents> {
  const bucket = await openBucket(link, 'events', { maxAgeMs: keepMs ?? HANDLED_DEFAULTS.keepMs });
  return {
    has: async ({ key }) => (await bucket.get(keyPart(key))) !== null,
    async add(events) {
      await Promise.all(events.map(({ key }) => bucket.put(keyPart(key), '')));
    },
  };
}
