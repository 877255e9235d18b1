/**
 * The measure of all things: a bare amqplib consumer that sends each message back, with confirm, then ack.
 * Arguments: broker URL, queue.
 * May import: amqplib.
 */
import { connect } from 'amqplib';

const PREFETCH = 256;

const [url = '', queue = ''] = process.argv.slice(2);
const connection = await connect(url, { noDelay: true });
const incoming = await connection.createChannel();
const outgoing = await connection.createConfirmChannel();
await incoming.prefetch(PREFETCH);
await incoming.consume(queue, (message) => {
  if (!message) return;
  const { correlationId, replyTo, headers } = message.properties;
  outgoing.publish(
    headers?.['replyToExchange'] as string,
    replyTo as string,
    message.content,
    { correlationId: correlationId as string, mandatory: true },
    (error: unknown) => {
      if (!error) incoming.ack(message);
    },
  );
});
process.on('disconnect', () => process.exit());
process.send?.('ready');
