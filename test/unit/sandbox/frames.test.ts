import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  createFrameWriter,
  FrameDecoder,
  FrameError,
  HEADER_BYTES,
  type DecodedFrame,
} from '../../../host/runner/codec.ts';
import type { Frame } from '../../../host/runner/frames.ts';

function encode(frames: readonly Frame[]): Buffer {
  const chunks: Buffer[] = [];
  const writer = createFrameWriter((chunk) => chunks.push(chunk));
  for (const frame of frames) writer.send(frame);
  writer.flush();
  return Buffer.concat(chunks);
}

function decode(bytes: Buffer, portions: readonly number[] = [], cap = 1e6): DecodedFrame[] {
  const frames: DecodedFrame[] = [];
  const decoder = new FrameDecoder(cap, (frame) => frames.push(frame));
  let at = 0;
  for (const size of portions) {
    decoder.push(bytes.subarray(at, at + size));
    at += size;
  }
  decoder.push(bytes.subarray(at));
  return frames;
}

const numbers = fc.integer({ min: 0, max: 0xff_ff_ff_ff });
const replies = fc.record({
  type: fc.constantFrom('reply', 'threw', 'host', 'log', 'settled' as const),
  slot: numbers,
  call: numbers,
  value: numbers,
  body: fc.string({ unit: 'grapheme', maxLength: 2_000 }),
});

test('what is encoded is decoded, in whatever portions it arrives', () => {
  fc.assert(
    fc.property(
      fc.array(replies, { maxLength: 8 }),
      fc.array(fc.integer({ min: 0, max: 600 }), { maxLength: 40 }),
      (frames, portions) => {
        expect(decode(encode(frames), portions)).toMatchObject(frames);
      },
    ),
  );
});

test('binary bodies arrive unchanged, and not as text', () => {
  const body = Uint8Array.from({ length: 1_000 }, (_, index) => index % 256);
  const [frame] = decode(encode([{ type: 'mainCache', body }]));
  expect(frame?.bytes).toEqual(body);
  expect(frame?.body).toBe('');
});

test('the frames of one turn leave eight at a time, the rest at its end', async () => {
  const sizes: number[] = [];
  const writer = createFrameWriter((chunk) => sizes.push(chunk.length / HEADER_BYTES));
  for (let value = 0; value < 20; value++) writer.send({ type: 'ping', value });
  expect(sizes).toEqual([8, 8]);
  await new Promise((resolve) => setImmediate(resolve));
  expect(sizes).toEqual([8, 8, 4]);
  writer.send({ type: 'ping', value: 20 });
  writer.flush();
  await new Promise((resolve) => setImmediate(resolve));
  expect(sizes).toEqual([8, 8, 4, 1]);
});

test('a length over the cap is refused before anything else of the frame has come', () => {
  const decoder = new FrameDecoder(1_000, () => undefined);
  expect(() => decoder.push(Buffer.from([0xff, 0xff, 0xff, 0xff]))).toThrowError(FrameError);
  const split = new FrameDecoder(1_000, () => undefined);
  split.push(Buffer.from([0xe9, 3]));
  expect(() => split.push(Buffer.from([0, 0]))).toThrowError(FrameError);
});

test('a frame exactly at the cap passes, one byte more does not', () => {
  const frame = encode([{ type: 'refused', slot: 1, value: 0, body: 'x'.repeat(100) }]);
  expect(decode(frame, [], HEADER_BYTES + 100)).toHaveLength(1);
  expect(() => decode(frame, [], HEADER_BYTES + 99)).toThrowError(FrameError);
});

test('frames shorter than a header and of unknown type are refused', () => {
  expect(() => decode(Buffer.from([12, 0, 0, 0, ...Array<number>(12).fill(0)]))).toThrowError(
    FrameError,
  );
  expect(() => decode(Buffer.from([13, 0, 0, 0, 99, ...Array<number>(12).fill(0)]))).toThrowError(
    FrameError,
  );
});

test('noise is refused or waited for, and never breaks the decoder in another way', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), (noise) => {
      try {
        decode(Buffer.from(noise), [7, 13], 4_096);
      } catch (error) {
        expect(error).toBeInstanceOf(FrameError);
      }
    }),
  );
});
