import { EventEmitter } from 'node:events';

import type { Channel, ChannelModel, ConsumeMessage } from 'amqplib';
import { expect, test } from 'vitest';

import { AmqpDelivery } from '../../../host/broker/consume/amqp-delivery.ts';
import { guardFrames } from '../../../host/broker/connection/frame-guard.ts';

function delivery(throws = false) {
  const calls: string[] = [];
  const act = (name: string) => () => {
    calls.push(name);
    if (throws) throw new Error('Channel closed');
  };
  const raw = { ack: act('ack'), nack: act('nack') } as unknown as Channel;
  const channel = { raw, alive: true, unsettled: 0 };
  const message = {
    fields: { exchange: 'e', routingKey: 'k', redelivered: false, deliveryTag: 1 },
    properties: {},
    content: Buffer.from('x'),
  } as unknown as ConsumeMessage;
  return { calls, channel, delivery: new AmqpDelivery(channel, message, 7) };
}

test('a message without properties is a delivery with nulls and no headers', () => {
  expect(delivery().delivery).toMatchObject({
    exchange: 'e',
    routingKey: 'k',
    correlationId: null,
    replyTo: null,
    headers: {},
    arrivedAt: 7,
  });
});

test('only the first settlement reaches the channel', () => {
  const { calls, channel, delivery: one } = delivery();
  expect(channel.unsettled).toBe(1);
  one.requeue();
  one.ack();
  one.requeue();
  expect([calls, channel.unsettled]).toEqual([['nack'], 0]);
});

test('settling on a dead channel does nothing, and on a dying one does not throw', () => {
  const dead = delivery();
  dead.channel.alive = false;
  dead.delivery.ack();
  expect(dead.calls).toEqual([]);
  const dying = delivery(true);
  dying.delivery.ack();
  expect(dying.calls).toEqual(['ack']);
});

/** A reader as amqplib's: takes frames off a list, and calls itself once more before the last. */
function reader(frames: (object | Error)[]) {
  const connection = {
    rest: Buffer.alloc(0),
    recvFrame(): object | false {
      const frame = frames.shift();
      connection.rest = Buffer.alloc(0);
      if (frame instanceof Error) throw frame;
      return frame ?? false;
    },
  };
  const model = Object.assign(new EventEmitter(), { connection }) as unknown as ChannelModel;
  return { connection, model };
}

test('a header that can not be decoded becomes an empty one; any other broken frame ends the stream', () => {
  const { connection, model } = reader([new RangeError('stack'), new RangeError('stack')]);
  const reports: string[] = [];
  guardFrames(model, { maxBytes: 10, report: (what) => reports.push(what) });
  const header = Buffer.alloc(30);
  header.writeUInt8(2, 0);
  header.writeUInt16BE(5, 1);
  header.writeBigUInt64BE(3n, 11);
  connection.rest = header;
  expect(connection.recvFrame()).toEqual({ id: 60, channel: 5, size: 3, fields: {} });
  connection.rest = Buffer.alloc(30, 1);
  expect(() => connection.recvFrame()).toThrowError('stack');
  expect(reports).toEqual(['unreadable-properties']);
});

test('a body above the cap is cut one byte above it, on its own channel only', () => {
  const content = (channel: number, size: number) => ({ channel, content: Buffer.alloc(size) });
  const { connection, model } = reader([
    { id: 60, channel: 1, size: 25, fields: {} },
    content(1, 8),
    { id: 60, channel: 2, size: 10, fields: {} },
    content(1, 8),
    content(2, 10),
    content(1, 9),
    { id: 60, channel: 1, size: 4, fields: {} },
    content(1, 4),
  ]);
  guardFrames(model, { maxBytes: 10, report: () => undefined });
  const sizes: unknown[] = [];
  for (let frame = connection.recvFrame(); frame; frame = connection.recvFrame()) {
    const { channel, size, content } = frame as {
      channel: number;
      size?: number;
      content?: Buffer;
    };
    sizes.push([channel, size ?? content?.length]);
  }
  expect(sizes).toEqual([
    [1, 11],
    [1, 8],
    [2, 10],
    [1, 3],
    [2, 10],
    [1, 4],
    [1, 4],
  ]);
});
