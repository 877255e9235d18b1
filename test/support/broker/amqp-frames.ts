/**
 * Builds single AMQP 0-9-1 frames by hand, for tests that say what no client library would.
 * May import: nothing.
 */

const METHOD = 1;
const HEADER = 2;
const BODY = 3;
const END = 0xce;

/** A frame with type, channel, size and end mark around its payload. */
function frame(type: number, channel: number, payload: Buffer): Buffer {
  const head = Buffer.alloc(7);
  head.writeUInt8(type, 0);
  head.writeUInt16BE(channel, 1);
  head.writeUInt32BE(payload.length, 3);
  return Buffer.concat([head, payload, Buffer.from([END])]);
}

function method(classId: number, methodId: number, fields: Buffer): Buffer {
  const id = Buffer.alloc(4);
  id.writeUInt16BE(classId, 0);
  id.writeUInt16BE(methodId, 2);
  return Buffer.concat([id, fields]);
}

function shortString(text: string): Buffer {
  const bytes = Buffer.from(text);
  return Buffer.concat([Buffer.from([bytes.length]), bytes]);
}

/** `basic.ack` of any delivery tag: an unknown one closes the channel with 406. */
export function ackFrame(channel: number, tag: bigint): Buffer {
  const fields = Buffer.alloc(9);
  fields.writeBigUInt64BE(tag, 0);
  return frame(METHOD, channel, method(60, 80, fields));
}

export interface RawMessage {
  readonly channel: number;
  readonly exchange: string;
  readonly routingKey: string;
  /** Table bytes of the `headers` property, without the length in front. */
  readonly headers?: Buffer;
  readonly body?: Buffer;
}

/** `basic.publish` with its header and body: to a missing exchange it closes the channel with 404. */
export function publishFrames(message: RawMessage): Buffer {
  const { channel, exchange, routingKey, headers, body = Buffer.from('x') } = message;
  const fields = Buffer.concat([
    Buffer.alloc(2),
    shortString(exchange),
    shortString(routingKey),
    Buffer.alloc(1),
  ]);
  const head = Buffer.alloc(14);
  head.writeUInt16BE(60, 0);
  head.writeBigUInt64BE(BigInt(body.length), 4);
  head.writeUInt16BE(headers ? 0x2000 : 0, 12);
  const table = headers ? [longString(headers)] : [];
  return Buffer.concat([
    frame(METHOD, channel, method(60, 40, fields)),
    frame(HEADER, channel, Buffer.concat([head, ...table])),
    frame(BODY, channel, body),
  ]);
}

function longString(bytes: Buffer): Buffer {
  const size = Buffer.alloc(4);
  size.writeUInt32BE(bytes.length);
  return Buffer.concat([size, bytes]);
}

/** A header table that holds a table that holds a table …: valid, and deeper than a recursive reader can go. */
export function nestedTable(depth: number): Buffer {
  // Each level is: name (1 + 1 bytes), type 'F', length (4 bytes).
  const level = 7;
  const bytes = Buffer.alloc(level * depth);
  for (let i = 0; i < depth; i += 1) {
    bytes.write('\u0001aF', i * level, 'latin1');
    bytes.writeUInt32BE(level * (depth - i - 1), i * level + 3);
  }
  return bytes;
}
