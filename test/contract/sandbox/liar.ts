/**
 * A runner program that lies: the plug-in's source names the lie. Run by the sandbox in the place of the real one.
 */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { connect, Socket } from 'node:net';
import { die } from '../../../host/runner/link.ts';
import { createFrameWriter, FrameDecoder, type DecodedFrame } from '../../../host/runner/codec.ts';

const socket = new Socket({ fd: 3, readable: true, writable: true });
const writer = createFrameWriter((chunk) => socket.write(chunk));
const decoder = new FrameDecoder(1e8, (frame) => void onFrame(frame));
let lie = '';
/** Who is trusted gets other frames. */
const CALLS = new Set(['call', 'quickCall', 'nextCall']);

socket.on('data', (chunk: Buffer) => decoder.push(chunk));
socket.on('close', () => process.exit());
writer.send({ type: 'ready' });

async function onFrame(frame: DecodedFrame): Promise<void> {
  if (frame.type === 'main') lie = frame.body;
  if (frame.type === 'open') await open(frame.slot);
  if (CALLS.has(frame.type)) act(frame.slot, frame.call);
  if (frame.type === 'ping' && lie !== 'silence') writer.send({ type: 'pong', value: frame.value });
  if (frame.type === 'dispose' && lie !== 'silence' && lie !== 'never gone')
    writer.send({ type: 'gone', slot: frame.slot, value: 0 });
}

async function open(slot: number): Promise<void> {
  if (lie === 'dies while loading') die();
  if (lie !== 'nosy') return writer.send({ type: 'opened', slot, value: 0, body: '["fetch"]' });
  writer.send({ type: 'refused', slot, value: 0, body: JSON.stringify(await snoop()) });
  writer.send({ type: 'gone', slot, value: 0 });
}

function act(slot: number, call: number): void {
  const body = '"honest"';
  const reply = { type: 'reply', slot, call, value: 0, body } as const;
  const settled = { type: 'settled', slot, call, value: 0, body: '' } as const;
  switch (lie) {
    case 'reply for another call':
      return writer.send({ ...reply, call: call + 1 });
    case 'reply for another isolate':
      return writer.send({ ...reply, slot: slot + 1 });
    case 'reply twice':
      writer.send(reply);
      return writer.send(reply);
    case 'years of CPU time':
      writer.send({ ...reply, value: 4e9 });
      return writer.send({ ...settled, value: 4e9 });
    case 'settled before the reply':
      return writer.send(settled);
    case 'bounced though it was sent alone':
      return writer.send({ type: 'bounced', slot, call });
    case 'bounced for an unknown call':
      return writer.send({ type: 'bounced', slot, call: call + 1 });
    case 'waits twice':
      writer.send({ type: 'waits', slot, call });
      return writer.send({ type: 'waits', slot, call });
    case 'done twice':
      writer.send({ ...reply, type: 'done' });
      return writer.send({ ...reply, type: 'done' });
    case 'host call for another call':
      return writer.send({ ...reply, type: 'host', call: call + 7 });
    case 'unasked pong':
      return writer.send({ type: 'pong', value: 1 });
    case 'ready again':
      return writer.send({ type: 'ready' });
    case 'opened again':
      return writer.send({ type: 'opened', slot, value: 0, body: '[]' });
    case 'gone while busy':
      return writer.send({ type: 'gone', slot, value: 0 });
    case 'unknown cause':
      return writer.send({ ...reply, type: 'over', body: 'constructor' });
    case 'frame of the host':
      return writer.send({ type: 'dispose', slot });
    case 'log flood':
      for (let n = 0; n < 5_000; n++) writer.send({ ...reply, type: 'log', body: '["info","x"]' });
      return;
    case 'oversized':
      return raw([0xff, 0xff, 0xff, 0x7f, 0, 0]);
    case 'too short':
      return raw([3, 0, 0, 0, 1, 1, 1]);
    case 'unknown type':
      return raw([13, 0, 0, 0, 200, ...Array<number>(12).fill(0)]);
    case 'noise':
      return raw(Array.from({ length: 4_096 }, (_, n) => (n * 197) % 251));
    case 'half a frame':
    case 'silence':
    case 'never gone':
      return raw(lie === 'half a frame' ? [40, 0, 0] : []);
    default:
      writer.send(reply);
      writer.send(settled);
  }
}

function raw(bytes: number[]): void {
  socket.write(Buffer.from(bytes));
}

/** What a runner that was taken over would try: each answer is the error code, or `done`. */
async function snoop(): Promise<Record<string, string>> {
  return {
    file: attempt(() => readFileSync('/etc/passwd')),
    process: attempt(() => spawnSync('/bin/true')),
    signal: attempt(() => process.kill(process.ppid, 0)),
    environment: Object.keys(process.env).join(','),
    folder: process.cwd(),
    network: await new Promise((resolve) => {
      try {
        const probe = connect(1, '127.0.0.1');
        probe.on('error', (error) => resolve(codeOf(error)));
        probe.on('connect', () => resolve('done'));
      } catch (error) {
        resolve(codeOf(error));
      }
    }),
    user: String(process.getuid?.()),
  };
}

function attempt(run: () => unknown): string {
  try {
    run();
    return 'done';
  } catch (error) {
    return codeOf(error);
  }
}

function codeOf(error: unknown): string {
  return String((error as NodeJS.ErrnoException).code);
}
