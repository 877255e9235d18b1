/**
 * Sends what a busy connection writes within a millisecond in one go: system calls cost more than the messages in them.
 * May import: nothing.
 */
import type { Socket } from 'node:net';

/** Writes within this time that make a socket busy; fewer go out at once, so that a single call never waits. */
const BUSY_WRITES = 4;
const WINDOW_MS = 1;

/** Gather the writes of a socket from now on. Ends, errors and back-pressure stay those of the socket. */
export function coalesceWrites(socket: Socket): void {
  const write = socket.write.bind(socket) as (...args: unknown[]) => boolean;
  let windowEnds = 0;
  let writes = 0;
  let corked = false;

  function release(): void {
    corked = false;
    socket.uncork();
  }
  socket.write = (...args: unknown[]) => {
    const now = performance.now();
    if (now >= windowEnds) {
      windowEnds = now + WINDOW_MS;
      writes = 0;
    }
    writes += 1;
    if (!corked && writes > BUSY_WRITES) {
      corked = true;
      socket.cork();
      setTimeout(release, WINDOW_MS);
    }
    return write(...args);
  };
}
