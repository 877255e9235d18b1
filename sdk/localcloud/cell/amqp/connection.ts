/**
 * A connection to the broker that comes back whenever it ends.
 * May import: amqplib.
 */
import { setTimeout as delay } from 'node:timers/promises';

import { type ChannelModel, connect } from 'amqplib';

const RETRY_MS = 300;
const HEARTBEAT_S = 10;
/** What closing may take: a broker that is gone does not answer. */
const CLOSE_MS = 1_000;

/** What is done with a connection while it lives. */
export interface Life {
  readonly connection: ChannelModel;
  /** Fires when the connection has ended, or is to end. */
  readonly ended: AbortSignal;
  /** Begin anew with another connection. */
  readonly end: () => void;
}

/**
 * Connect, live, and begin anew after every end until `stop` fires; resolves soon after that, whatever a life waits
 * for: what amqplib was asked when its connection died may never get an answer.
 */
export async function keepConnected(
  amqpUrl: string,
  stop: AbortSignal,
  live: (life: Life) => Promise<void>,
): Promise<void> {
  while (!stop.aborted) {
    // Whatever ended it, the answer is a new one.
    await once(amqpUrl, stop, live).catch(() => undefined);
    await delay(RETRY_MS, undefined, { signal: stop }).catch(() => undefined);
  }
}

async function once(
  amqpUrl: string,
  stop: AbortSignal,
  live: (life: Life) => Promise<void>,
): Promise<void> {
  const connection = await connect(withHeartbeat(amqpUrl), { noDelay: true, timeout: 5_000 });
  const closed = new AbortController();
  const end = () => closed.abort();
  connection.on('error', () => undefined);
  connection.on('close', end);
  const ended = AbortSignal.any([closed.signal, stop]);
  try {
    await Promise.race([live({ connection, ended, end }), untilAborted(ended)]);
  } finally {
    await Promise.race([
      connection.close().catch(() => undefined),
      delay(CLOSE_MS, undefined, { ref: false }),
    ]);
  }
}

/** amqplib takes the heartbeat from the address only. */
function withHeartbeat(amqpUrl: string): string {
  const url = new URL(amqpUrl);
  if (!url.searchParams.has('heartbeat')) url.searchParams.set('heartbeat', String(HEARTBEAT_S));
  return url.href;
}

/** Also for a signal that has fired already, which tells nobody any more. */
export function untilAborted(signal: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  if (signal.aborted) resolve();
  else signal.addEventListener('abort', () => resolve(), { once: true });
  return promise;
}
