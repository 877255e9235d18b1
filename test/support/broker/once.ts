/**
 * A process with one broker transport: opened and disposed, or, with `hold`, taking messages and keeping them.
 * May import: host/broker.
 */
import { openBroker } from '../../../host/broker/broker.ts';

const [url = '', mode] = process.argv.slice(2);
const broker = await openBroker({
  urls: [url],
  services: [{ exchange: 'once', routingKey: 'held' }],
});
broker.consume(() => undefined);
if (mode === 'hold') {
  await broker.ready(AbortSignal.timeout(20_000));
  process.send?.('ready');
} else {
  await broker.ready(AbortSignal.timeout(500)).catch(() => undefined);
  await broker[Symbol.asyncDispose]();
  process.disconnect?.();
}
