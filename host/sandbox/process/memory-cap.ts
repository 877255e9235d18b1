/**
 * How much resident memory a runner may have before it is killed.
 * May import: sandbox records.
 */
import { FLOOR_MS } from './memory.ts';
import type { Runner } from './runner.ts';
import type { Slot } from '../calls/records.ts';

const MB = 1_048_576;
/** Beyond the isolates: garbage of the runner's own heap, frames on their way. */
const SLACK_BYTES = 64 * MB;
/** V8's limit is soft, and what it does not count comes on top: how far above it an isolate may go. */
const SHARE_AT_REST = 1.5;
const SHARE_IN_USE = 2;
/** What an isolate keeps that was opened or used since the floor was taken, until V8 has collected its garbage. */
const RECENT_BYTES = 16 * MB;

/**
 * The lower of two caps, bytes. By the first a runner may have what all its isolates may have. Since most are idle and
 * small, that alone would let one isolate have the memory of all: by the second it may have what stays between
 * calls, what the isolates in use may have, and something for those that were used a moment ago.
 */
export function memoryCapOf(runner: Runner, now: number): number {
  const { memory, slots, active, baseline } = runner;
  const first = slots.values().next().value;
  if (!memory || !first) return Infinity;
  const limit = first.lane.fleet.bundle.limits.memoryMb * MB;
  const { floor } = memory;
  // What stays although its isolates are gone is a reason to recycle the runner, not to kill it.
  const kept = Math.max(baseline + runner.isolates * limit * SHARE_AT_REST, floor);
  const inUse =
    floor + isolatesOf(runner, active) * limit * SHARE_IN_USE + recent(runner, now) * RECENT_BYTES;
  return Math.min(kept, inUse) + SLACK_BYTES;
}

function recent(runner: Runner, now: number): number {
  const used: Slot[] = [];
  for (const slot of runner.slots.values())
    if (slot.state === 'idle' && now - slot.idleSince < FLOOR_MS) used.push(slot);
  return isolatesOf(runner, used);
}

/** Calls that share an isolate have its memory together. */
function isolatesOf(runner: Runner, slots: ReadonlySet<Slot> | readonly Slot[]): number {
  if (runner.isolates === runner.slots.size) return [...slots].length;
  return new Set([...slots].map(({ isolate }) => isolate)).size;
}
