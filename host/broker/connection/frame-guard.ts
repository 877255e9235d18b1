/**
 * Keeps one hostile message from wedging every service: amqplib reads header tables by recursion and gathers bodies
 * without a bound, and what fails there ends the connection, upon which the broker delivers the same message again.
 * And keeps a dead channel from costing the connection: RabbitMQ still sends deliveries behind its `channel.close`.
 * May import: amqplib (its frame reader, found by shape).
 */
import type { ChannelModel } from 'amqplib';

/** What this file needs of amqplib's connection; a live test shows that it is still there. */
interface FrameReader {
  /** Bytes that are not read yet; it begins with a whole frame whenever decoding fails. */
  rest: Buffer;
  /** The next frame, or false when more bytes are needed. Calls itself after reading more. */
  recvFrame(): Frame | false;
  /** By number; null when closed. A frame for a closed one makes amqplib end the connection. */
  readonly channels?: readonly (object | null | undefined)[];
}

interface Frame {
  readonly id?: number;
  readonly channel: number;
  /** Of a content header: bytes of the body to come. */
  readonly size?: number;
  readonly content?: Buffer;
  readonly fields?: unknown;
}

export interface FrameGuardOptions {
  /** A longer body is cut one byte above this, so that the decoder sees that it is too large. */
  readonly maxBytes: number;
  /** A header that can not be read was replaced by an empty one, or a body was cut. */
  readonly report: (what: 'unreadable-properties' | 'oversized-body', detail: string) => void;
}

const HEADER_FRAME = 2;
const BASIC_PROPERTIES = 60;

/** Guard the frames of a fresh connection. Without amqplib's known shape it does nothing. */
export function guardFrames(model: ChannelModel, options: FrameGuardOptions): void {
  const reader = model.connection as unknown as FrameReader;
  if (typeof reader.recvFrame !== 'function') return;
  const read = reader.recvFrame.bind(reader);
  const cap = createBodyCap(options);
  let inside = false;
  reader.recvFrame = () => {
    // The original calls itself, and a frame must be measured once.
    if (inside) return readOrReplace(reader, read, options);
    inside = true;
    try {
      for (;;) {
        const frame = readOrReplace(reader, read, options);
        if (!frame) return frame;
        if (isLate(frame, reader)) continue;
        const capped = cap(frame);
        if (capped) return capped;
      }
    } finally {
      inside = false;
    }
  };
}

function isLate({ channel }: Frame, { channels }: FrameReader): boolean {
  return channel > 0 && channels !== undefined && !channels[channel];
}

function readOrReplace(
  reader: FrameReader,
  read: () => Frame | false,
  { report }: FrameGuardOptions,
): Frame | false {
  const before = reader.rest;
  try {
    return read();
  } catch (error) {
    const replaced = emptyHeader(before);
    // Anything else that can't be read is a broken stream, and ends the connection as it should.
    if (!replaced || reader.rest === before) throw error;
    report('unreadable-properties', error instanceof Error ? error.message : String(error));
    return replaced;
  }
}

/** The content header at the start of these bytes, without its properties. */
function emptyHeader(bytes: Buffer): Frame | null {
  if (bytes.length < 19 || bytes.readUInt8(0) !== HEADER_FRAME) return null;
  const channel = bytes.readUInt16BE(1);
  const size = Number(bytes.readBigUInt64BE(11));
  return { id: BASIC_PROPERTIES, channel, size, fields: {} };
}

/** Passes frames on, bodies up to the cap; null for a frame that is to be left out. */
function createBodyCap({ maxBytes, report }: FrameGuardOptions): (frame: Frame) => Frame | null {
  const cuts = new Map<number, { pass: number; left: number }>();
  return (frame) => {
    // A cut that a dying channel left unfinished is not the next message's.
    if (frame.size !== undefined) cuts.delete(frame.channel);
    if (frame.size !== undefined && frame.size > maxBytes) {
      cuts.set(frame.channel, { pass: maxBytes + 1, left: frame.size });
      report('oversized-body', `${frame.size} bytes`);
      return { ...frame, size: maxBytes + 1 };
    }
    const cut = frame.content && cuts.size > 0 ? cuts.get(frame.channel) : undefined;
    if (!cut || !frame.content) return frame;
    const passed = frame.content.subarray(0, cut.pass);
    cut.pass -= passed.length;
    cut.left -= frame.content.length;
    if (cut.left <= 0) cuts.delete(frame.channel);
    return passed.length > 0 ? { channel: frame.channel, content: passed } : null;
  };
}
