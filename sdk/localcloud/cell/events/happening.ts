/**
 * What can be said of something that has happened.
 * May import: model.
 */
import type { Org } from '../model.ts';

/** An object that an event speaks of; it may be gone by then, so this is all that is said about it. */
export interface Named {
  /** As in its URN: `vapp`, `task`, `blockingTask`. */
  readonly kind: string;
  readonly id: string;
  readonly name?: string;
}

export interface Happening {
  /** `com/vmware/vcloud/event/vapp/create`, or a service's own. */
  readonly type: string;
  readonly success: boolean;
  readonly org: Org;
  readonly user: Named;
  readonly entity: Named;
  /** The task that the event is about or comes from, and what that works on. */
  readonly task?: Named;
  readonly taskOwner?: Named;
}

export interface Notice extends Happening {
  readonly eventId: string;
  /** ISO date. */
  readonly timestamp: string;
  /** Further fields of the JSON form, for tests of those who read it. */
  readonly extra?: Readonly<Record<string, unknown>>;
  /** What the message says about itself instead of the truth, for the same. */
  readonly routingKey?: string;
  /** Over the right headers; null takes one away. */
  readonly headers?: Readonly<Record<string, string | number | boolean | null>>;
}
