/**
 * The runner program: holds the isolates of one plug-in and does what the host's frames say.
 * May import: runner.
 */
import ivm from 'isolated-vm';
import { createBlanks } from './blank.ts';
import type { CachedScript } from './boot.ts';
import type { DecodedFrame } from './codec.ts';
import { SCRIPT_END, type RunnerPlan } from './frames.ts';
import { Guest } from './guest.ts';
import type { GuestKit } from './kit.ts';
import { die, openLink } from './link.ts';
import type { Seat } from './seat.ts';
import { createTrimmer } from './trimmer.ts';
import { createWatchdog } from './watchdog.ts';

// Guests are not told where this machine stands.
process.env['TZ'] = 'UTC';

/** Where calls run, by slot. */
const seats = new Map<number, Seat>();
const watchdog = createWatchdog();
const trimmer = createTrimmer();
const prelude: CachedScript = { source: '', filename: 'vcx:prelude', cache: null };
const main: CachedScript = { source: '', filename: 'plugin:main.js', cache: null };
const blanks = createBlanks(prelude, trimmer, die);
let kit: GuestKit | null = null;

const link = openLink(onFrame);
link.send({ type: 'ready' });

function onFrame(frame: DecodedFrame): void {
  const { slot, call, value, body } = frame;
  switch (frame.type) {
    case 'call':
    case 'quickCall':
    case 'nextCall':
      if (seats.get(slot)?.begin(frame) === false) die();
      return;
    case 'hostReply':
      return seats.get(slot)?.hostReply(call, value, body);
    case 'ping':
      return link.send({ type: 'pong', value });
    case 'open':
      return open(slot, value);
    case 'dispose':
      return seats.get(slot)?.dispose();
    default:
      bind(frame);
  }
}

/** Frames that come before the first isolate, or renew a cache. */
function bind(frame: DecodedFrame): void {
  switch (frame.type) {
    case 'prelude':
      prelude.source = frame.body;
      return;
    case 'main':
      main.source = frame.body + SCRIPT_END;
      return;
    case 'preludeCache':
      prelude.cache = frame.bytes && copyOf(frame.bytes);
      return;
    case 'mainCache':
      main.cache = frame.bytes && copyOf(frame.bytes);
      return;
    case 'blank':
      return blanks.prepare(frame.value);
    case 'plan':
      kit = createKit(JSON.parse(frame.body) as RunnerPlan);
      return;
    default:
      die();
  }
}

function createKit(plan: RunnerPlan): GuestKit {
  return {
    plan,
    main,
    blanks,
    send(frame) {
      link.send(frame);
      if (frame.type !== 'catastrophe') return;
      // V8 parks the thread for ever: this frame is the last useful thing this process does.
      link.flush();
      setImmediate(die);
    },
    watch: (guest) => watchdog.watch(guest),
    mayTrim: (guest) => trimmer.add(guest),
    place: (seat) => seats.set(seat.slot, seat),
    vacate: (slot) => seats.delete(slot),
    forget: (guest) => trimmer.drop(guest),
  };
}

function open(slot: number, count: number): void {
  if (!kit || seats.has(slot)) return die();
  void new Guest(slot, Math.max(1, count), kit).open(); // never rejects
}

function copyOf(bytes: Uint8Array): ivm.ExternalCopy<ArrayBuffer> {
  return new ivm.ExternalCopy(bytes.buffer as ArrayBuffer);
}
