/**
 * What stands behind `ctx.blockingTask` and `ctx.entity()` in a test: one decision counts, as in production.
 * May import: everything.
 */
import { randomUUID } from 'node:crypto';

import type { GuestNotification } from '../../../sdk/guest/abi.ts';
import type { HarnessNotification, HostResult } from '../../../sdk/testing/protocol.ts';
import { BLOCKING_ACTIONS } from '../../vcloud/blocking-tasks/operations.ts';

export interface EventDesk {
  /** For the guest's request; null for calls that are no notification. */
  readonly notification: GuestNotification | null;
  /** Answers the host calls of these two bindings; null for any other. */
  serve(binding: string, method: string, args: unknown): HostResult | null;
}

/** One for each call. A task whose operation the manifest does not name is nobody's to decide. */
export function createEventDesk(
  given: HarnessNotification | null,
  policy: { readonly operations: readonly string[] } | undefined,
): EventDesk {
  const announced = given?.blockingTask ?? null;
  const task = announced && policy?.operations.includes(announced.operation) ? announced : null;
  const until = task && Date.now() + task.timeoutMs;
  let decided = task === null;

  function decide(method: string, args: unknown): HostResult {
    if (!BLOCKING_ACTIONS.some((action) => action === method) && method !== 'updateProgress')
      return refused('BINDING_ARGUMENT', 'unknown method');
    const [message] = Array.isArray(args) ? (args as unknown[]) : [];
    if (message !== undefined && message !== null && typeof message !== 'string')
      return refused('BINDING_ARGUMENT', 'the message is no text');
    if (decided) return refused('BLOCKING_TASK_OVER', 'it is decided already, or there is none');
    if (method === 'updateProgress') return done(timesOf(args, until));
    decided = true;
    return done(null);
  }

  return {
    notification: given && {
      attempt: given.attempt,
      blockingTask: task && {
        id: randomUUID(),
        operation: task.operation,
        timeoutAt: until,
        decideBy: until ?? 0,
      },
    },
    serve(binding, method, args) {
      if (binding === 'notification' || (binding === 'blockingTask' && method === 'entity'))
        return done(given?.entity ?? null);
      return binding === 'blockingTask' ? decide(method, args) : null;
    },
  };
}

function timesOf(args: unknown, until: number | null) {
  const [, options] = args as [unknown, { timeoutMs?: unknown } | null | undefined];
  const ms = options?.timeoutMs;
  const timeoutAt = typeof ms === 'number' ? Date.now() + ms : until;
  return { timeoutAt, decideBy: timeoutAt };
}

const done = (value: unknown): HostResult => ({ ok: true, value });
const refused = (code: string, message: string): HostResult => ({ ok: false, code, message });
