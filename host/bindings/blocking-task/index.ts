/**
 * `ctx.blockingTask` and `ctx.entity()`: what a notification handler may do about the event in hand, and nothing else.
 * May import: kernel, storage, vcloud.
 *
 * Which task and which entity that is, the host knows from its own record of the call; guests name neither.
 */
import { z } from 'zod';

import { HostError } from '../../kernel/errors.ts';
import type { VcloudClient } from '../../vcloud/client.ts';
import { BLOCKING_ACTIONS, type BlockingAction } from '../../vcloud/blocking-tasks/operations.ts';
import {
  resolveEntity,
  type EntityAddress,
  type ResolvedEntity,
} from '../../vcloud/blocking-tasks/entity.ts';
import { hasStatus } from '../../vcloud/errors.ts';
import { checkArguments } from '../arguments.ts';
import type { Binding, Grant } from '../binding.ts';
import { discreet, orgUuid, type Charged } from '../vcloud/access.ts';
import type { HeldBlockingTask } from './held.ts';

/** The event of one call, by the host's own record. */
export interface EventInHand {
  /** URN of what the event is about; null when it has none. */
  readonly entity: string | null;
  /** URN of what the task works on, of events of tasks. */
  readonly taskOwner: string | null;
  /** Where its entities are asked for: the event's link `entityResolver`. */
  readonly resolver: string | null;
  /** The blocking task that waits for this plug-in's decision. */
  readonly held: HeldBlockingTask | null;
}

export interface EventBindingRooms {
  /** The event that this call was made for; null for calls without one. */
  readonly eventOf: (grant: Grant) => EventInHand | null;
  /** Takes one request from the plug-in's rate and gives the client. Throws `VCLOUD_RATE_EXCEEDED`. */
  readonly charge: (grant: Charged) => VcloudClient;
}

const MESSAGE_CHARS = 2_000;

const decideArguments = z.tuple([z.string().max(MESSAGE_CHARS).nullish()]);
const progressArguments = z.tuple([
  z.string().max(MESSAGE_CHARS).nullish(),
  z.object({ timeoutMs: z.int().min(1_000).max(86_400_000).nullish() }).nullish(),
]);

/** `blockingTask`, for plug-ins whose manifest has `blockingTasks`. */
export function createBlockingTaskBinding(rooms: EventBindingRooms): Binding {
  async function decide(grant: Grant, action: BlockingAction, args: unknown): Promise<null> {
    const [message] = checkArguments('blockingTask', decideArguments, args);
    const { held } = inHand(rooms, grant);
    // Not charged: the rate must not keep a plug-in from its decision.
    await held
      .decide({ action, message: message || `${action}: ${grant.plugin}`, by: 'plugin' })
      .catch(tellGuest);
    return null;
  }

  async function updateProgress(grant: Grant, args: unknown) {
    const [message, options] = checkArguments('blockingTask', progressArguments, args);
    const { held } = inHand(rooms, grant);
    rooms.charge(grant);
    const text = message || `${grant.plugin} is at work`;
    const timeoutAt = await held.extend(text, options?.timeoutMs ?? null).catch(tellGuest);
    return { timeoutAt, decideBy: held.task.dueAt };
  }

  return {
    name: 'blockingTask',
    async call(grant, method, args, signal) {
      const action = BLOCKING_ACTIONS.find((known) => known === method);
      if (action) return decide(grant, action, args);
      switch (method) {
        case 'updateProgress':
          return updateProgress(grant, args);
        case 'entity':
          return resolve(rooms, grant, addressOf(inHand(rooms, grant), 'taskOwner'), signal);
        default:
          throw new HostError('BINDING_ARGUMENT', 'blockingTask: unknown method');
      }
    },
  };
}

/** `notification`, for every plug-in that hears of events. */
export function createNotificationBinding(rooms: EventBindingRooms): Binding {
  return {
    name: 'notification',
    async call(grant, method, _args, signal) {
      if (method !== 'entity')
        throw new HostError('BINDING_ARGUMENT', 'notification: unknown method');
      return resolve(rooms, grant, addressOf(rooms.eventOf(grant), 'entity'), signal);
    },
  };
}

function inHand({ eventOf }: EventBindingRooms, grant: Grant) {
  const event = eventOf(grant);
  if (!event?.held)
    throw new HostError('BLOCKING_TASK_OVER', 'blockingTask: this call has no blocking task');
  return { ...event, held: event.held };
}

function addressOf(event: EventInHand | null, which: 'entity' | 'taskOwner'): EntityAddress | null {
  const urn = event?.[which] ?? null;
  return event && urn !== null ? { urn, resolver: event.resolver } : null;
}

/** Null when there is no such object, or no longer, or it is not the org's: an event's body may name anything. */
async function resolve(
  { charge }: EventBindingRooms,
  grant: Grant,
  address: EntityAddress | null,
  signal: AbortSignal,
): Promise<ResolvedEntity | null> {
  if (address === null) return null;
  const headers = { 'x-vmware-vcloud-tenant-context': orgUuid(grant) };
  try {
    return await resolveEntity(charge(grant), address, { signal, headers });
  } catch (error) {
    // vCloud says 403 for what does not exist as well.
    if (hasStatus(error, 400, 403, 404)) return null;
    return tellGuest(error);
  }
}

/** Nothing of the client's own messages reaches a guest. */
function tellGuest(error: unknown): never {
  throw discreet(error);
}
