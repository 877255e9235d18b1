/**
 * The measure of all things: a bare amqplib consumer that acknowledges each event.
 * Arguments: broker URL, queue, prefetch.
 * May import: amqplib.
 */
import { connect } from 'amqplib';

const [url = '', queue = '', prefetch = ''] = process.argv.slice(2);
const connection = await connect(url, { noDelay: true });
const channel = await connection.createChannel();
await channel.prefetch(Number(prefetch));
await channel.consume(queue, (message) => {
  if (message) channel.ack(message);
});
process.on('disconnect', () => process.exit());
process.send?.('ready');
