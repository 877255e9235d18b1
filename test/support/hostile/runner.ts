/**
 * A program in the place of the runner that was taken over: the plug-in's source is JSON and says what it does.
 * It is started with the flags, user and environment of every runner.
 */
import { Socket } from 'node:net';
import { createFrameWriter, FrameDecoder, type DecodedFrame } from '../../../host/runner/codec.ts';
import type { FromRunner } from '../../../host/runner/frames.ts';
import { snoop, type SnoopTargets } from './snoop.ts';

/** A frame whose numbers are relative to those of the frame that it answers, or raw bytes. */
export type Step =
  | {
      readonly type: FromRunner['type'];
      readonly slot?: number;
      readonly call?: number;
      readonly value?: number;
      readonly body?: string;
      /** Times that it is sent. @default 1 */
      readonly times?: number;
    }
  | { readonly raw: readonly number[] }
  | { readonly exit: number };

export interface Script {
  /** Instead of `opened`. */
  readonly onOpen?: readonly Step[];
  /** Instead of reply and `settled`. */
  readonly onCall?: readonly Step[];
  /** Instead of `gone`. */
  readonly onDispose?: readonly Step[];
  readonly onPing?: readonly Step[];
  /** Reply with what could be done to these, as JSON. */
  readonly snoop?: SnoopTargets;
  /** Stop reading from the socket when a call comes. */
  readonly deaf?: boolean;
}

const socket = new Socket({ fd: 3, readable: true, writable: true });
const writer = createFrameWriter((chunk) => socket.write(chunk));
const decoder = new FrameDecoder(1e8, (frame) => void onFrame(frame));
let script: Script = {};

socket.on('data', (chunk: Buffer) => decoder.push(chunk));
socket.on('close', () => process.exit());
socket.on('error', () => process.exit());
writer.send({ type: 'ready' });

async function onFrame(frame: DecodedFrame): Promise<void> {
  switch (frame.type) {
    case 'main':
      script = JSON.parse(frame.body) as Script;
      return;
    case 'open':
      return play(frame, script.onOpen ?? [{ type: 'opened', body: '["fetch"]' }]);
    case 'call':
    case 'quickCall':
    case 'nextCall':
      if (script.deaf === true) socket.pause();
      return play(frame, script.onCall ?? honest(await replyOf()));
    case 'dispose':
      return play(frame, script.onDispose ?? [{ type: 'gone' }]);
    case 'ping':
      return play(frame, script.onPing ?? [{ type: 'pong' }]);
    default:
  }
}

const honest = (body: string): Step[] => [{ type: 'reply', body }, { type: 'settled' }];

async function replyOf(): Promise<string> {
  return script.snoop ? JSON.stringify(await snoop(script.snoop)) : '"honest"';
}

function play(frame: DecodedFrame, steps: readonly Step[]): void {
  for (const step of steps) {
    if ('exit' in step) process.exit(step.exit);
    else if ('raw' in step) {
      writer.flush();
      socket.write(Buffer.from(step.raw));
    } else {
      const { type, body = '', times = 1 } = step;
      const slot = frame.slot + (step.slot ?? 0);
      const call = frame.call + (step.call ?? 0);
      const value = type === 'pong' ? frame.value + (step.value ?? 0) : (step.value ?? 0);
      const out = { type, slot, call, value, body } as FromRunner;
      for (let n = 0; n < times; n++) writer.send(out);
    }
  }
}
