/**
 * Loaded before the host: at SIGUSR2 the next delivery throws inside amqplib's callback, as a defect of ours would.
 * May import: amqplib.
 */
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';

interface Dispatcher {
  dispatchMessage(this: Dispatcher, fields: unknown, message: unknown): unknown;
}

// The class is not exported; its file lies beside the one that is.
const file = fileURLToPath(new URL('lib/channel.js', import.meta.resolve('amqplib')));
const { BaseChannel } = createRequire(import.meta.url)(file) as {
  BaseChannel: { prototype: Dispatcher };
};
const original = Object.getOwnPropertyDescriptor(BaseChannel.prototype, 'dispatchMessage')
  ?.value as Dispatcher['dispatchMessage'];
let armed = false;

BaseChannel.prototype.dispatchMessage = function dispatchOrThrow(fields, message) {
  if (!armed || message === null) return original.call(this, fields, message);
  armed = false;
  throw new Error('thrown on purpose');
};
process.on('SIGUSR2', () => {
  armed = true;
});
