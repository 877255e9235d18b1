/**
 * The child's end of the socket on descriptor 3; the process ends with it.
 * May import: runner.
 */
import { Socket } from 'node:net';
import { FrameDecoder, createFrameWriter, type DecodedFrame, type FrameWriter } from './codec.ts';

/** The host is trusted; this cap only keeps a broken stream from taking all memory. */
const MAX_FRAME_BYTES = 268_435_456;

/** End this process at once: exiting in order may hang on a wedged isolate. */
export function die(): void {
  process.kill(process.pid, 'SIGKILL');
  // Still here: the first process of a pid namespace does not hear its own SIGKILL.
  process.abort();
}

/** Read frames until the host closes its end or sends nonsense: then this process dies. */
export function openLink(onFrame: (frame: DecodedFrame) => void): FrameWriter {
  const socket = new Socket({ fd: 3, readable: true, writable: true });
  const decoder = new FrameDecoder(MAX_FRAME_BYTES, onFrame);
  const writer = createFrameWriter((chunk) => {
    socket.write(chunk);
  });
  socket.on('data', (chunk: Buffer) => decoder.push(chunk));
  socket.on('close', die);
  socket.on('end', die);
  socket.on('error', die);
  // A host call of a guest that rejects, or a frame that breaks our own code: nothing is left to trust.
  process.on('uncaughtException', die);
  process.on('unhandledRejection', () => undefined);
  return writer;
}
