/**
 * Loaded before the host: at SIGUSR2 the next delivery throws inside amqplib's callback, as a defect of ours would.
 * May import: amqplib.
 */
import { BaseChannel } from 'amqplib/lib/channel.js';

interface Dispatcher {
  dispatchMessage(fields: unknown, message: unknown): unknown;
}

const { prototype } = BaseChannel as unknown as { prototype: Dispatcher };
const { dispatchMessage } = prototype;
let armed = false;

prototype.dispatchMessage = function dispatchOrThrow(this: Dispatcher, fields, message) {
  if (!armed || message === null) return dispatchMessage.call(this, fields, message);
  armed = false;
  throw new Error('thrown on purpose');
};
process.on('SIGUSR2', () => {
  armed = true;
});
