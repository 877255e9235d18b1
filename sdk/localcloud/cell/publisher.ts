/**
 * Publishes to exchanges that may be missing, without one missing exchange hurting the others.
 * May import: fault; amqplib.
 */
import type { ChannelModel, ConfirmChannel, Options } from 'amqplib';

import { VcloudFault } from './fault.ts';

export interface Publisher {
  /**
   * Resolves when the broker has the message, or when the connection went and nobody can know; rejects
   * with 500 when the exchange is missing or refuses.
   */
  publish(
    to: { readonly exchange: string; readonly routingKey: string },
    body: Buffer,
    properties: Options.Publish,
  ): Promise<void>;
}

/**
 * A missing exchange shows itself by the end of the channel that published to it. So each exchange has
 * a channel of its own, and what waits for a confirm there fails together.
 */
export function createPublisher(connection: ChannelModel): Publisher {
  const channels = new Map<string, Promise<ConfirmChannel>>();
  const failures = new WeakMap<ConfirmChannel, Error>();

  const open = async (exchange: string): Promise<ConfirmChannel> => {
    const channel = await connection.createConfirmChannel();
    channel.on('error', (error: Error) => failures.set(channel, error));
    channel.on('close', () => channels.delete(exchange));
    return channel;
  };

  const channelFor = (exchange: string): Promise<ConfirmChannel> => {
    const known = channels.get(exchange);
    if (known) return known;
    const opening = open(exchange);
    channels.set(exchange, opening);
    opening.catch(() => channels.delete(exchange));
    return opening;
  };

  return {
    async publish(to, body, properties) {
      const channel = await channelFor(to.exchange).catch(() => undefined);
      if (!channel) return;
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      const refused = (error: Error) =>
        reject(
          new VcloudFault(
            500,
            `The message could not be published to the exchange '${to.exchange}': ${error.message}`,
          ),
        );
      const ended = () => {
        const failure = failures.get(channel);
        if (failure) refused(failure);
        else resolve();
      };
      channel.once('close', ended);
      try {
        channel.publish(to.exchange, to.routingKey, body, properties, (error: unknown) => {
          if (!error) resolve();
        });
        await promise;
      } catch (error) {
        if (error instanceof VcloudFault) throw error;
        // The channel closed between the two lines: its reason is known by now.
        ended();
        await promise;
      } finally {
        channel.off('close', ended);
      }
    },
  };
}
