/**
 * What a delivery of a notification needs of the bindings: two calls, before the handler and after it.
 * May import: kernel, storage, vcloud.
 */
import type { Log } from '../../kernel/log.ts';
import type { Metrics } from '../../kernel/metrics.ts';
import { systemClock, type Clock } from '../../kernel/time.ts';
import type { OpenBlockingStore } from '../../storage/open-blocking.ts';
import type { VcloudClient } from '../../vcloud/client.ts';
import { uuidOf } from '../../vcloud/links.ts';
import type { Binding, Grant } from '../binding.ts';
import { createAccess, type Charged } from '../vcloud/access.ts';
import { createBlockingTaskBinding, createNotificationBinding, type EventInHand } from './index.ts';
import {
  openBlockingWatch,
  type BlockingPolicy,
  type BlockingWatch,
  type CallEnd,
} from './watch.ts';

export interface NotificationBindingsOptions {
  /** Null where no vCloud is configured: then no task is ever in hand. */
  readonly client: VcloudClient | null;
  readonly store: OpenBlockingStore;
  readonly log: Log;
  readonly metrics?: Metrics | null;
  readonly clock?: Clock;
  /** Requests of one plug-in to vCloud, and how many at once after a quiet time. @default 20 and 40 */
  readonly requestsPerSecond?: number;
  readonly burst?: number;
  /** Silence after which another host takes a blocking task over, in milliseconds. @default 6000 */
  readonly leaseMs?: number;
  /** Of several hosts one cleans up after the others. @default always */
  readonly maySweep?: () => boolean;
}

/** One try of one event for one plug-in. */
export interface NotificationCall {
  /** Unique among the calls of this plug-in that are under way; the grant of its host calls has the same. */
  readonly callId: string;
  readonly plugin: string;
  /** URN; decides whose the call is. */
  readonly org: string;
  /** Such as `com/vmware/vcloud/event/blockingtask/create`. */
  readonly type: string;
  /** URN of what the event is about. */
  readonly entity: string | null;
  /** URN of what the task works on. */
  readonly taskOwner: string | null;
  /** The event's link `entityResolver`; null in the JSON form. */
  readonly resolver: string | null;
  /** Last part of the routing key, for events of tasks and blocking tasks. */
  readonly taskName: string | null;
  /** `blockingTasks` of the manifest. */
  readonly policy: BlockingPolicy | null;
}

export interface NotificationInHand {
  /** For `GuestRequest.blockingTask`; null unless the plug-in has something to decide. */
  readonly blockingTask: GuestBlockingTask | null;
  /** Bindings that the handler has beside those of its manifest. */
  readonly grants: readonly string[];
  /**
   * Exactly once, when nothing of the call is left: `returned` when the handler did, `failed` when it did not and
   * the event is parked, `again` when it will be delivered once more. Never throws.
   */
  close(how: CallEnd): Promise<void>;
}

export interface GuestBlockingTask {
  /** Bare id. */
  readonly id: string;
  readonly operation: string;
  /** vCloud's own time-out, epoch ms; null when not known. */
  readonly timeoutAt: number | null;
  /** When vcx decides by the policy, epoch ms. */
  readonly decideBy: number;
}

export interface NotificationBindings extends AsyncDisposable {
  /** For the registry. No manifest names them. */
  readonly bindings: readonly Binding[];
  /**
   * Before the handler. Throws `VCLOUD_UNAVAILABLE` or `VCLOUD_REFUSED` when a blocking task can not be looked at: try
   * the event again.
   */
  begin(call: NotificationCall, signal?: AbortSignal): Promise<NotificationInHand>;
  /**
   * In place of the handler, for an org that has no plug-in to decide: operations are held for the whole cloud, so
   * this one goes on. Throws as `begin` does.
   */
  pass(call: NotificationCall, signal?: AbortSignal): Promise<void>;
  /** Decide at once what a dead host left; happens by itself too. */
  sweep(): Promise<void>;
  /** Blocking tasks in hand. */
  openTasks(): number;
}

const SWEEPS_PER_LEASE = 3;
const PASSED = {
  action: 'resume',
  message: 'No plug-in decides on this operation for this organization',
  by: 'policy',
} as const;
const CREATED = 'com/vmware/vcloud/event/blockingtask/create';

/** Disposing gives up what is in hand without deciding: it comes after the drain, and before the client is closed. */
export function openNotificationBindings(
  options: NotificationBindingsOptions,
): NotificationBindings {
  const { client, store, log, metrics = null, clock = systemClock, leaseMs = 6_000 } = options;
  const access = createAccess({ ...options, client, clock });
  const everyMs = Math.ceil(leaseMs / SWEEPS_PER_LEASE);
  const { maySweep } = options;
  const rooms = { store, clock, log, metrics, leaseMs, everyMs, maySweep };
  const watch = client && openBlockingWatch({ ...rooms, client });
  const events = new Map<string, EventInHand>();
  const bindingRooms = {
    eventOf: (grant: Grant) => events.get(keyOf(grant)) ?? null,
    charge: (grant: Charged) => access.charge(grant),
  };

  return {
    bindings: [createBlockingTaskBinding(bindingRooms), createNotificationBinding(bindingRooms)],
    async begin(call, signal) {
      const held = watch && (await holdTask(watch, call, signal));
      const { entity, taskOwner, resolver } = call;
      events.set(keyOf(call), { entity, taskOwner, resolver, held });
      return {
        blockingTask: held && toGuest(held.task),
        grants: held ? ['notification', 'blockingTask'] : ['notification'],
        async close(how) {
          events.delete(keyOf(call));
          if (held) await watch?.end(held, how);
        },
      };
    },
    async pass(call, signal) {
      const held = watch && (await holdTask(watch, call, signal));
      if (!held) return;
      try {
        await held.decide(PASSED);
      } finally {
        await watch?.end(held, 'again');
      }
    },
    sweep: async () => watch?.sweep(),
    openTasks: () => watch?.open ?? 0,
    [Symbol.asyncDispose]: async () => watch?.[Symbol.asyncDispose](),
  };
}

/** Calls of two plug-ins may have the id of the same event; two orgs' never. */
function keyOf({ plugin, org, callId }: Pick<Grant, 'plugin' | 'org' | 'callId'>): string {
  return `${plugin}\n${org}\n${callId}`;
}

async function holdTask(
  watch: BlockingWatch,
  { plugin, org, type, entity, taskName, policy }: NotificationCall,
  signal?: AbortSignal,
) {
  const id = uuidOf(entity ?? undefined);
  if (policy === null || type !== CREATED || id === null) return null;
  return watch.begin({ plugin, org, id, operation: taskName, policy }, signal);
}

function toGuest({ id, operation, timeoutAt, dueAt }: EventHeldTask): GuestBlockingTask {
  return { id, operation, timeoutAt, decideBy: dueAt };
}

type EventHeldTask = NonNullable<EventInHand['held']>['task'];
