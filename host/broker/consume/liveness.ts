/**
 * Judges from what was found whether the consumers that should stand do stand.
 * May import: kernel.
 */
import type { ServiceState } from './service-set.ts';

/** Why not every service is consumed, or null. */
export function idleReason(
  services: readonly ServiceState[],
  isConsuming: (queue: string) => boolean,
): string | null {
  if (services.length === 0) return 'no service to consume';
  const bad = services.find((state) => state.problem !== null);
  if (bad?.problem) return bad.problem.message;
  const idle = services.find((state) => !isConsuming(state.queue));
  return idle ? `starting the consumer of ${idle.queue}` : null;
}

/**
 * A queue that the broker says nobody consumes, although our consumer stood on it before and after
 * the broker was asked. Tags are by queue.
 */
export function lostQueue(
  services: readonly ServiceState[],
  before: ReadonlyMap<string, string>,
  after: ReadonlyMap<string, string>,
): string | null {
  for (const { queue, findings } of services) {
    const tag = before.get(queue);
    if (tag === undefined || tag !== after.get(queue)) continue;
    const found = findings.find((finding) => finding.what === 'queue');
    // A queue that had to be made can't be the one that the consumer was on.
    if (found?.state === 'made' || found?.consumers === 0) return queue;
  }
  return null;
}
