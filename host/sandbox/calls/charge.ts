/**
 * CPU time that a call used beside what its outcome says: the org pays for that too.
 * May import: sandbox records.
 */
import type { Call, Slot } from './records.ts';

/** The call has used `cpuMicros` from its beginning to now: what its outcome did not hold is charged. */
export function chargeRest(call: Call | null, cpuMicros: number, now: number): void {
  if (!call) return;
  const cpuMs = believable(call, cpuMicros, now) - call.chargedMs;
  if (cpuMs <= 0) return;
  call.chargedMs += cpuMs;
  call.invocation?.charge?.(cpuMs);
}

/**
 * Loading used `cpuMicros`: the call pays that the isolate was to be opened for. One that comes to an isolate made ahead
 * pays nothing.
 */
export function chargeLoading({ lane, openedAt }: Slot, cpuMicros: number, now: number): void {
  const cpuMs = Math.min(cpuMicros / 1_000, now - openedAt);
  if (cpuMs > 0) lane.queue[0]?.invocation?.charge?.(cpuMs);
}

/** Runners may lie: a call has one thread, so it can not have used more than the time since it was asked for, ms. */
export function believable(call: Call, cpuMicros: number, now: number): number {
  return Math.min(cpuMicros / 1_000, now - call.queuedAt);
}
