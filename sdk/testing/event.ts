/**
 * A whole event from the little that a test wants to say of it.
 * May import: testing/protocol, types of the SDK.
 */
import type { NotificationEvent } from '../src/notification.ts';
import type { TestCaller } from './protocol.ts';

const BLOCKING_TASK_CREATED = 'com/vmware/vcloud/event/blockingtask/create';

/** Ids are new each time, the org and user are the caller's. `operation` makes it the event of a blocking task. */
export function eventOf(
  given: Partial<NotificationEvent>,
  { org, user }: Pick<TestCaller, 'org' | 'user'>,
  operation: string | null,
): NotificationEvent {
  const type = operation === null ? 'com/vmware/vcloud/event/vapp/create' : BLOCKING_TASK_CREATED;
  const owner = { id: `urn:vcloud:vapp:${crypto.randomUUID()}`, type: 'vapp', name: null };
  const task = { id: `urn:vcloud:task:${crypto.randomUUID()}`, type: 'task', name: null };
  const id = `urn:vcloud:blockingTask:${crypto.randomUUID()}`;
  return {
    eventId: crypto.randomUUID(),
    type,
    timestamp: new Date().toISOString(),
    operationSuccess: true,
    org: { id: org, type: 'org', name: null },
    user: { id: user, type: 'user', name: null },
    entity: operation === null ? owner : { id, type: 'blockingTask', name: null },
    task: operation === null ? null : task,
    taskOwner: operation === null ? null : owner,
    taskName: operation,
    extra: {},
    ...given,
  };
}
