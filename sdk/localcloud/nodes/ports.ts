/**
 * Finds TCP ports on loopback that nobody listens on.
 * May import: nothing of ours.
 */
import { randomInt } from 'node:crypto';
import { connect, createServer } from 'node:net';

/**
 * Ports are drawn below the range that kernels give to outgoing connections (32768 and up), so that a
 * node that is stopped finds its port free when it starts again.
 */
const FIRST = 20_000;
const LAST = 31_999;

/** True when a listener on 127.0.0.1 can be opened on the port right now. */
async function isFree(port: number): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const server = createServer();
  server.once('error', () => resolve(false));
  server.listen({ port, host: '127.0.0.1', exclusive: true }, () => {
    server.close(() => resolve(true));
  });
  return promise;
}

/** A free port; another process may still take it first, so callers retry. */
export async function freePort(): Promise<number> {
  for (let attempt = 0; attempt < 200; attempt += 1) {
    const port = randomInt(FIRST, LAST);
    if (await isFree(port)) return port;
  }
  throw new Error(`no free TCP port between ${FIRST} and ${LAST} on 127.0.0.1`);
}

/** True when something accepts connections on the port of 127.0.0.1. */
export async function answers(port: number): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const socket = connect({ port, host: '127.0.0.1' });
  socket.setTimeout(1_000, () => resolve(false));
  socket.once('connect', () => resolve(true));
  socket.once('error', () => resolve(false));
  return promise.finally(() => socket.destroy());
}
