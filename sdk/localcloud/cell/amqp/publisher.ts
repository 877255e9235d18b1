/**
 * Publishes to exchanges that may be missing, without one missing exchange hurting the others.
 * May import: fault; amqplib.
 */
import type { ChannelModel, ConfirmChannel, Options } from 'amqplib';

import { VcloudFault } from '../documents/fault.ts';

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

interface Line {
  readonly channel: ConfirmChannel;
  /** Told when the channel ends: with the error of the broker, or undefined when the connection went. */
  readonly waiting: Set<(error: Error | undefined) => void>;
}

async function openLine(connection: ChannelModel, forget: () => void): Promise<Line> {
  const channel = await connection.createConfirmChannel();
  const line: Line = { channel, waiting: new Set() };
  let failure: Error | undefined;
  channel.on('error', (error: Error) => {
    failure = error;
  });
  channel.on('close', () => {
    forget();
    for (const tell of line.waiting) tell(failure);
  });
  return line;
}

const refused = (exchange: string, error: Error) =>
  new VcloudFault(
    500,
    `The message could not be published to the exchange '${exchange}': ${error.message}`,
  );

/**
 * A missing exchange shows itself by the end of the channel that published to it. So each exchange has
 * a channel of its own, and what waits for a confirm there fails together.
 */
export function createPublisher(connection: ChannelModel): Publisher {
  const lines = new Map<string, Promise<Line>>();

  const lineTo = (exchange: string): Promise<Line> => {
    const known = lines.get(exchange);
    if (known) return known;
    const opening = openLine(connection, () => lines.delete(exchange));
    lines.set(exchange, opening);
    opening.catch(() => lines.delete(exchange));
    return opening;
  };

  return {
    async publish({ exchange, routingKey }, body, properties) {
      const line = await lineTo(exchange).catch(() => undefined);
      if (!line) return;
      const { promise, resolve } = Promise.withResolvers<Error | undefined>();
      line.waiting.add(resolve);
      try {
        line.channel.publish(exchange, routingKey, body, properties, (error: unknown) => {
          // An error here is the end of the channel, whose reason comes by the other way.
          if (!error) resolve(undefined);
        });
      } catch {
        // The channel ended in this very moment: the next request opens another.
        resolve(undefined);
      }
      const failure = await promise;
      line.waiting.delete(resolve);
      if (failure) throw refused(exchange, failure);
    },
  };
}
