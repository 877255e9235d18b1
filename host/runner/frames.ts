/**
 * The protocol between host and runner: length-prefixed frames, a binary header, guest text carried opaquely.
 * May import: nothing.
 *
 * Layout, little endian: u32 length of all that follows | u8 type | u32 slot | u32 call | u32 value | body.
 * `slot` names an isolate of the runner, `call` an invocation; both are numbers that the host gave out.
 * Both sides decode with a cap; the host treats every frame of a runner as hostile.
 */

/**
 * Ends every plug-in script, whatever its own last line is: the value of a last expression would be carried out of the
 * isolate. Begins with a line break, since that line may be a comment.
 */
export const SCRIPT_END = '\n;0';

const MAX_LOAD_MICROS = 0x3fff_ffff;

/** Bit 0: prelude cache rejected, bit 1: main cache rejected; above them the CPU of loading in microseconds. */
export function openedValue(rejected: number, micros: number): number {
  return (rejected & 3) + 4 * Math.min(micros, MAX_LOAD_MICROS);
}

/** Host to runner. */
export type ToRunner =
  /** The trusted script that runs first in every isolate. */
  | { readonly type: 'prelude'; readonly body: string }
  /** Code cache of the prelude. */
  | { readonly type: 'preludeCache'; readonly body: Uint8Array }
  /** Have an isolate with the prelude in it ready; `value`: its memory limit in MB. Comes after `preludeCache`. */
  | { readonly type: 'blank'; readonly value: number }
  /** The plug-in's script. */
  | { readonly type: 'main'; readonly body: string }
  /** Code cache of the plug-in's script. */
  | { readonly type: 'mainCache'; readonly body: Uint8Array }
  /** Limits and set-up of the plug-in: JSON `RunnerPlan`. Binds the runner; comes once. */
  | { readonly type: 'plan'; readonly body: string }
  /**
   * Make an isolate; answered by `opened` or `refused`. `value`: how many calls it may hold at once, 1 if it is left out;
   * once it is open, the slots from `slot` on are one for each, and all other frames speak of them.
   */
  | { readonly type: 'open'; readonly slot: number; readonly value?: number }
  /** Begin a call; `value` is the wall budget in ms, `body` the guest's JSON. */
  | {
      readonly type: 'call';
      readonly slot: number;
      readonly call: number;
      readonly value: number;
      readonly body: string;
    }
  /**
   * The same for an org whose calls have proved short: it runs on the runner's own thread, which saves a
   * change of threads for each entry and holds the runner's other isolates up as long as it lasts.
   */
  | {
      readonly type: 'quickCall';
      readonly slot: number;
      readonly call: number;
      readonly value: number;
      readonly body: string;
    }
  /**
   * A quick call for an isolate that is at work: it begins when those before it have ended. If the one before waits for
   * something, or took long, it comes back as `bounced`.
   */
  | {
      readonly type: 'nextCall';
      readonly slot: number;
      readonly call: number;
      readonly value: number;
      readonly body: string;
    }
  /** The answer to host call number `value`. */
  | {
      readonly type: 'hostReply';
      readonly slot: number;
      readonly call: number;
      readonly value: number;
      readonly body: string;
    }
  /**
   * End an isolate whatever it does; answered by `gone`. Where it has several slots, this one and its call end; the
   * isolate ends with the last one, or if its thread does not leave the call.
   */
  | { readonly type: 'dispose'; readonly slot: number }
  /** Answered by `pong` with the same value. */
  | { readonly type: 'ping'; readonly value: number };

/** Why a runner ended an isolate, or one of several slots of it, on its own. */
export type OverCause =
  | 'cpu'
  | 'entry'
  | 'wall'
  | 'memory'
  | 'hostCalls'
  | 'tooLarge'
  | 'background'
  /** Another call of the isolate broke a limit that ends them all. */
  | 'neighbour';

/** Runner to host. */
export type FromRunner =
  /** The program is up and isolated-vm is loaded. */
  | { readonly type: 'ready' }
  /** The plug-in is loaded; `value` as `openedValue` has it; body: JSON handler names. */
  | {
      readonly type: 'opened';
      readonly slot: number;
      readonly value: number;
      readonly body: string;
    }
  /** The plug-in could not be loaded; `value` is CPU in microseconds; `gone` follows. */
  | {
      readonly type: 'refused';
      readonly slot: number;
      readonly value: number;
      readonly body: string;
    }
  /** The guest's reply; `value` is CPU in microseconds. */
  | {
      readonly type: 'reply';
      readonly slot: number;
      readonly call: number;
      readonly value: number;
      readonly body: string;
    }
  /** The guest's failure as JSON; `value` as above. */
  | {
      readonly type: 'threw';
      readonly slot: number;
      readonly call: number;
      readonly value: number;
      readonly body: string;
    }
  /** Nothing of the call is left; `value` is its CPU in microseconds, body the heap in KiB when it was looked at. */
  | {
      readonly type: 'settled';
      readonly slot: number;
      readonly call: number;
      readonly value: number;
      readonly body: string;
    }
  /** `reply` and `settled` in one. */
  | {
      readonly type: 'done';
      readonly slot: number;
      readonly call: number;
      readonly value: number;
      readonly body: string;
    }
  /** The call has started a timer, its first: from here on it may rest without a host call. */
  | { readonly type: 'waits'; readonly slot: number; readonly call: number }
  /** A `nextCall` that was not begun and will not be. */
  | { readonly type: 'bounced'; readonly slot: number; readonly call: number }
  /** Host call number `value`: the guest's JSON. */
  | {
      readonly type: 'host';
      readonly slot: number;
      readonly call: number;
      readonly value: number;
      readonly body: string;
    }
  /** A log line: the guest's JSON; empty, and once, for those that are dropped since they are over the limit. */
  | {
      readonly type: 'log';
      readonly slot: number;
      readonly call: number;
      readonly value: number;
      readonly body: string;
    }
  /** A limit ended the isolate, or this slot of it; body is an `OverCause`, `value` CPU in microseconds; `gone` follows once it stands still. */
  | {
      readonly type: 'over';
      readonly slot: number;
      readonly call: number;
      readonly value: number;
      readonly body: string;
    }
  /** The isolate is disposed, or its slot closed, and its thread left it: the slot number is free again. `value`: CPU of the call that it ended with. */
  | { readonly type: 'gone'; readonly slot: number; readonly value: number }
  /** V8 gave up inside this isolate; the runner kills itself after this frame. */
  | { readonly type: 'catastrophe'; readonly slot: number; readonly body: string }
  | { readonly type: 'pong'; readonly value: number };

export type Frame = ToRunner | FromRunner;
export type FrameType = Frame['type'];

/** What binds a runner to one version of a plug-in. */
export interface RunnerPlan {
  /** Calls between two looks at the heap of an isolate. */
  readonly heapEvery: number;
  readonly memoryMb: number;
  readonly cpuMs: number;
  /** CPU and wall that work after the reply may use, ms. */
  readonly backgroundCpuMs: number;
  readonly backgroundWallMs: number;
  /** CPU and wall that loading the plug-in's script may use, ms. */
  readonly loadCpuMs: number;
  readonly loadWallMs: number;
  /** Limit on one entry into the isolate, wall ms: the backstop behind the CPU budget. */
  readonly entryTimeoutMs: number;
  /** The same for an entry on the runner's own thread. */
  readonly quickTimeoutMs: number;
  readonly hostCalls: number;
  readonly hostCallBytes: number;
  readonly logLines: number;
  /** Longest JSON text of a reply in UTF-16 units. */
  readonly replyChars: number;
  /** JSON `GuestSetup`, handed to the guest as it is. */
  readonly setup: string;
}
