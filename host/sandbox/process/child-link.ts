/**
 * The host's end of a child program: frames out, checked frames in, exactly one report of its end.
 * May import: kernel, runner's frame protocol.
 */
import { messageOf } from '../../kernel/errors.ts';
import { FrameDecoder, createFrameWriter, type DecodedFrame } from '../../runner/codec.ts';
import type { ToRunner } from '../../runner/frames.ts';
import type { Spawned, Spawner } from './spawn.ts';

export interface ChildLink {
  readonly pid: number;
  /** Node's own pid, below a wrapper such as unshare. */
  innerPid(): number;
  send(frame: ToRunner): void;
  /** Change the cap on one frame of the child, bytes. */
  limit(maxBytes: number): void;
  /** SIGKILL. The first reason given is the one that is reported. Idempotent. */
  kill(reason: string): void;
  /** Resolves when the process is gone, never rejects. */
  readonly gone: Promise<void>;
}

export interface ChildEvents {
  /** A well-formed frame; what it means is to be checked. */
  onFrame(frame: DecodedFrame): void;
  /** Killed, dead or lying: called once, at the first sign. `broken`: it did not keep the protocol. */
  onLost(reason: string, broken: boolean): void;
}

/** Cap on frames until `limit` says otherwise: a child has nothing to say before it has work. */
const FIRST_CAP_BYTES = 65_536;
/** A child that does not read is killed when so much waits for it. */
const MAX_UNREAD_BYTES = 134_217_728;

/** Start a program. Throws when it can not even be tried. */
export function openChild(spawner: Spawner, program: string, events: ChildEvents): ChildLink {
  const spawned = spawner.start(program);
  const gone = Promise.withResolvers<void>();
  let lost = false;

  function lose(reason: string, broken = false): void {
    if (lost) return;
    lost = true;
    spawned.kill();
    spawned.socket?.destroy();
    events.onLost(reason, broken);
  }

  watchProcess(spawned, lose, () => gone.resolve());
  const decoder = new FrameDecoder(FIRST_CAP_BYTES, (frame) => {
    if (frame.type === 'ready') spawned.settle();
    if (!lost) events.onFrame(frame);
  });
  const writer = createFrameWriter((chunk) => {
    if (lost) return;
    spawned.socket.write(chunk);
    // Whoever sends is in the midst of something: the loss is told after it.
    if (spawned.socket.writableLength > MAX_UNREAD_BYTES)
      setImmediate(() => lose('it does not read its frames'));
  });
  spawned.socket?.on('data', (chunk: Buffer) => {
    if (lost) return;
    try {
      decoder.push(chunk);
    } catch (error) {
      lose(`it broke the protocol: ${messageOf(error)}`, true);
    }
  });
  return {
    pid: spawned.child.pid ?? 0,
    innerPid: () => spawned.innerPid(),
    send: (frame) => lost || writer.send(frame),
    limit: (bytes) => decoder.limit(bytes),
    kill: (reason) => lose(reason),
    gone: gone.promise,
  };
}

function watchProcess(spawned: Spawned, lose: (reason: string) => void, done: () => void): void {
  const { child, socket } = spawned;
  child.once('error', (error) => {
    lose(`it could not be started: ${error.message}`);
    if (child.pid === undefined) done();
  });
  child.once('exit', (code, signal) => {
    lose(`it ended by ${signal ?? `exit code ${code}`}`);
    done();
  });
  // A reset or a closed end means that the process is dying; its exit may take a moment longer.
  socket?.on('error', (error: Error) => lose(`its socket failed: ${error.message}`));
  socket?.on('end', () => lose('it closed its socket'));
}
