/**
 * Events as cells publish them, many at once: into an exchange of vCloud, confirmed by the broker.
 * May import: test/support, amqplib.
 */
import { randomUUID } from 'node:crypto';

import { type ChannelModel, type ConfirmChannel, connect } from 'amqplib';

import { eventMessage } from '../../support/pipeline/events.ts';

export const EXCHANGE = 'systemExchange';

export interface FeedOptions {
  readonly count: number;
  /** The events go round over so many. @default 1 */
  readonly orgs?: number;
  /** Objects of each org. @default 100 */
  readonly entities?: number;
  /** @default xml */
  readonly form?: 'xml' | 'json';
  /** What comes instead of a plain event at this place. */
  readonly typeOf?: (index: number) => string;
}

export interface Feed extends AsyncDisposable {
  /** Publish; resolves with the ids of the events once the broker has all of them. */
  publish(options: FeedOptions): Promise<string[]>;
  /** Make a durable queue that gets every event. */
  bind(queue: string): Promise<void>;
  /** Messages that are ready in a queue. */
  depth(queue: string): Promise<number>;
  readonly connection: ChannelModel;
}

export const orgOf = (index: number): string => uuid(7, index);
const uuid = (kind: number, index: number) =>
  `${kind}0000000-0000-4000-8000-${String(index).padStart(12, '0')}`;

export async function openFeed(url: string): Promise<Feed> {
  const connection: ChannelModel = await connect(url, { noDelay: true });
  connection.on('error', () => undefined);
  const channel: ConfirmChannel = await connection.createConfirmChannel();
  await channel.assertExchange(EXCHANGE, 'topic', { durable: true });
  return {
    connection,
    async publish({ count, orgs = 1, entities = 100, form = 'xml', typeOf }) {
      const ids: string[] = [];
      for (let index = 0; index < count; index += 1) {
        const eventId = randomUUID();
        ids.push(eventId);
        const org = index % orgs;
        const entity = Math.floor(index / orgs) % entities;
        const { routingKey, headers, body } = eventMessage(form, {
          eventId,
          timestamp: new Date().toISOString(),
          type: typeOf?.(index) ?? 'com/vmware/vcloud/event/vm/create',
          org: `urn:vcloud:org:${orgOf(org)}`,
          entity: `urn:vcloud:vm:${uuid(9, org * entities + entity)}`,
        });
        channel.publish(EXCHANGE, routingKey, body, { headers, persistent: true });
        if (index % 1_000 === 999) await channel.waitForConfirms();
      }
      await channel.waitForConfirms();
      return ids;
    },
    async bind(queue) {
      await channel.assertQueue(queue, { durable: true });
      await channel.bindQueue(queue, EXCHANGE, '#');
    },
    depth: async (queue) => (await channel.checkQueue(queue)).messageCount,
    [Symbol.asyncDispose]: () => connection.close(),
  };
}
