/**
 * What amqplib throws and emits, read into a code and one line that is safe to show.
 * May import: kernel.
 */
import { HostError, messageOf } from '../kernel/errors.ts';

/** Reply codes of AMQP 0-9-1 that this room tells apart. */
export const REPLY = {
  accessRefused: 403,
  notFound: 404,
  resourceLocked: 405,
  preconditionFailed: 406,
  notImplemented: 540,
} as const;

export interface Fault {
  /** AMQP reply code, or null when the broker did not give one. */
  readonly code: number | null;
  /** One line without credentials. */
  readonly text: string;
}

/** Read anything that was thrown by, or emitted from, a channel or connection. */
export function faultOf(error: unknown): Fault {
  if (error instanceof HostError) return { code: null, text: messageOf(error) };
  const code = (error as { code?: unknown } | null | undefined)?.code;
  if (typeof code === 'string') return { code: null, text: code };
  return {
    code: typeof code === 'number' ? code : null,
    text: brokerText(messageOf(error)) || 'connection lost',
  };
}

/** The broker's own words out of amqplib's sentence around them. */
function brokerText(message: string): string {
  const quoted = /with message "(.*)"$/.exec(message)?.[1];
  return scrub(quoted ?? message);
}

/** Take `user:password@` out of anything that looks like an address. */
export function scrub(text: string): string {
  return text.replaceAll(/\/\/[^\s/@]*@/g, '//');
}

/** A topology problem as the error that the operator sees. */
export function topologyError(message: string): HostError {
  return new HostError('BROKER_TOPOLOGY', message);
}
