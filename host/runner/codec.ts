/**
 * Frames to bytes and back: a writer that batches, and a decoder that trusts nothing.
 * May import: runner's frames.
 */
import type { Frame, FrameType } from './frames.ts';

const TYPES = [
  'prelude',
  'preludeCache',
  'main',
  'mainCache',
  'plan',
  'open',
  'call',
  'hostReply',
  'dispose',
  'ping',
  'ready',
  'opened',
  'refused',
  'reply',
  'threw',
  'settled',
  'host',
  'log',
  'over',
  'gone',
  'catastrophe',
  'pong',
  'quickCall',
  'nextCall',
  'done',
  'bounced',
  'waits',
  'blank',
] as const satisfies readonly FrameType[];

const CODE_OF = Object.fromEntries(TYPES.map((type, code) => [type, code])) as Record<
  FrameType,
  number
>;

/** Bytes before the body: length field included. */
export const HEADER_BYTES = 17;
const LENGTH_BYTES = 4;
const BINARY = new Set<string>(['preludeCache', 'mainCache']);

/** A frame as the decoder hands it over: every field present, absent numbers 0, absent text empty. */
export interface DecodedFrame {
  readonly type: FrameType;
  readonly slot: number;
  readonly call: number;
  readonly value: number;
  /** Body as text; empty for the binary types. */
  readonly body: string;
  /** Body of the binary types, a copy of its own. */
  readonly bytes: Uint8Array | null;
  /** Length of the body on the wire. */
  readonly size: number;
}

interface Fields {
  readonly slot?: number;
  readonly call?: number;
  readonly value?: number;
  readonly body?: string | Uint8Array;
}

export interface FrameWriter {
  /** Append a frame; it leaves with the others of this turn of the event loop, a few at a time. */
  send(frame: Frame): void;
  /** Hand over at once what is waiting. */
  flush(): void;
}

/** So many are not held back to the end of the turn: the other process can begin on them meanwhile. */
const MOST_FRAMES = 8;
const START_BYTES = 16_384;
const KEEP_BYTES = 262_144;

/** Collects the frames of one turn and hands them to `write` in few chunks. */
export function createFrameWriter(write: (chunk: Buffer) => void): FrameWriter {
  let buffer = Buffer.allocUnsafeSlow(START_BYTES);
  let used = 0;
  let scheduled = false;
  let frames = 0;

  function reserve(bytes: number): void {
    if (used + bytes <= buffer.length) return;
    const larger = Buffer.allocUnsafeSlow(Math.max(buffer.length * 2, used + bytes));
    buffer.copy(larger, 0, 0, used);
    buffer = larger;
  }

  function flush(): void {
    frames = 0;
    if (used === 0) return;
    // The chunk is copied since the socket may keep it while the next frames are written.
    const chunk = Buffer.from(buffer.subarray(0, used));
    used = 0;
    if (buffer.length > KEEP_BYTES) buffer = Buffer.allocUnsafeSlow(START_BYTES);
    write(chunk);
  }

  function endTurn(): void {
    scheduled = false;
    flush();
  }

  return {
    flush,
    send(frame) {
      const { slot = 0, call = 0, value = 0, body } = frame as Fields;
      const most =
        body === undefined ? 0 : typeof body === 'string' ? body.length * 3 : body.length;
      reserve(HEADER_BYTES + most);
      const start = used;
      buffer[start + 4] = CODE_OF[frame.type];
      buffer.writeUInt32LE(slot, start + 5);
      buffer.writeUInt32LE(call, start + 9);
      buffer.writeUInt32LE(clampU32(value), start + 13);
      used += HEADER_BYTES;
      if (typeof body === 'string') used += body === '' ? 0 : buffer.write(body, used, 'utf8');
      else if (body) used += (buffer.set(body, used), body.length);
      buffer.writeUInt32LE(used - start - LENGTH_BYTES, start);
      frames += 1;
      if (frames >= MOST_FRAMES) flush();
      if (scheduled || used === 0) return;
      scheduled = true;
      setImmediate(endTurn);
    },
  };
}

/** Thrown by the decoder; the stream can not be read on after it. */
export class FrameError extends Error {}

/** Decodes with a cap that is checked before anything is allocated for a frame. */
export class FrameDecoder {
  readonly #onFrame: (frame: DecodedFrame) => void;
  #cap: number;
  /** A frame, or its length field, that began in an earlier chunk. */
  #partial = Buffer.alloc(0);
  #have = 0;

  constructor(maxBytes: number, onFrame: (frame: DecodedFrame) => void) {
    this.#cap = maxBytes;
    this.#onFrame = onFrame;
  }

  /** Change the cap on the length of one frame, bytes. */
  limit(maxBytes: number): void {
    this.#cap = maxBytes;
  }

  /** Feed bytes in any portions; calls back for every whole frame. Throws `FrameError`; do not use it after that. */
  push(chunk: Buffer): void {
    let at = this.#have > 0 ? this.#fill(chunk) : 0;
    while (chunk.length - at >= LENGTH_BYTES) {
      const total = this.#lengthAt(chunk, at);
      if (chunk.length - at < total) break;
      this.#onFrame(decode(chunk, at, total));
      at += total;
    }
    if (at >= chunk.length) return;
    const size = chunk.length - at < LENGTH_BYTES ? LENGTH_BYTES : this.#lengthAt(chunk, at);
    this.#partial = Buffer.allocUnsafeSlow(size);
    this.#have = chunk.copy(this.#partial, 0, at);
  }

  /** Length of the frame at an offset, its length field included. */
  #lengthAt(buffer: Buffer, at: number): number {
    const length = buffer.readUInt32LE(at);
    if (length < HEADER_BYTES - LENGTH_BYTES) throw new FrameError('frame shorter than its header');
    if (length + LENGTH_BYTES > this.#cap)
      throw new FrameError(`frame of ${length} bytes is over the cap of ${this.#cap}`);
    return length + LENGTH_BYTES;
  }

  /** Complete the partial frame from the chunk; returns how much of the chunk it took. */
  #fill(chunk: Buffer): number {
    let at = 0;
    if (this.#have < LENGTH_BYTES) {
      at = chunk.copy(this.#partial, this.#have, 0, LENGTH_BYTES - this.#have);
      this.#have += at;
      if (this.#have < LENGTH_BYTES) return at;
      const whole = Buffer.allocUnsafeSlow(this.#lengthAt(this.#partial, 0));
      this.#partial.copy(whole, 0, 0, LENGTH_BYTES);
      this.#partial = whole;
    }
    const whole = this.#partial;
    const took = chunk.copy(whole, this.#have, at, at + whole.length - this.#have);
    this.#have += took;
    if (this.#have === whole.length) {
      this.#have = 0;
      this.#onFrame(decode(whole, 0, whole.length));
    }
    return at + took;
  }
}

function decode(buffer: Buffer, at: number, total: number): DecodedFrame {
  const type = TYPES[buffer[at + 4] ?? TYPES.length];
  if (!type) throw new FrameError('unknown frame type');
  const from = at + HEADER_BYTES;
  const to = at + total;
  const binary = BINARY.has(type);
  return {
    type,
    slot: buffer.readUInt32LE(at + 5),
    call: buffer.readUInt32LE(at + 9),
    value: buffer.readUInt32LE(at + 13),
    body: binary || from === to ? '' : buffer.toString('utf8', from, to),
    bytes: binary ? new Uint8Array(buffer.subarray(from, to)) : null,
    size: to - from,
  };
}

function clampU32(value: number): number {
  return value > 0xff_ff_ff_ff ? 0xff_ff_ff_ff : value > 0 ? Math.floor(value) : 0;
}
