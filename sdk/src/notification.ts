/**
 * What a notification handler is given: the event, and what it may do about it.
 * May import: context.
 */
import type { Context } from './context.ts';

/** An object that an event is about. */
export interface EventEntity {
  /** URN, such as `urn:vcloud:vapp:…`. */
  readonly id: string;
  /** As in the URN: `vapp`, `vm`, `blockingTask`. */
  readonly type: string;
  /** Often not told. */
  readonly name: string | null;
}

/** A vCloud notification, the same whichever form vCloud sent it in. */
export interface NotificationEvent {
  /** The same when an event comes again: use it to do things once. */
  readonly eventId: string;
  /** Such as `com/vmware/vcloud/event/vapp/create`. */
  readonly type: string;
  /** ISO 8601 in UTC, by the clock of the cell. */
  readonly timestamp: string;
  readonly operationSuccess: boolean;
  /** Whose event it is; the handler runs for this org, and so does its `env`. */
  readonly org: EventEntity;
  /** Who caused it; null for what the system did by itself. */
  readonly user: EventEntity | null;
  readonly entity: EventEntity;
  /** Of events of tasks and blocking tasks. */
  readonly task: EventEntity | null;
  /** What the task works on. */
  readonly taskOwner: EventEntity | null;
  /** Operation of the task, such as `vdcInstantiateVapp`. */
  readonly taskName: string | null;
  /** Whatever else the notification held, as it came. */
  readonly extra: Readonly<Record<string, unknown>>;
}

/** An object of vCloud, as the entity resolver knows it. */
export interface ResolvedEntity {
  /** URN. */
  readonly id: string;
  readonly name: string;
  /** Its representations; `path` is what `env.vcloud.request` takes. */
  readonly links: readonly {
    readonly rel: string;
    readonly path: string;
    readonly type: string;
  }[];
}

/** Nobody asks: the org is that of the event. */
export interface NotificationCaller {
  readonly org: string;
  readonly user: null;
  readonly rights: readonly [];
  readonly provider: false;
}

/**
 * An operation that vCloud holds until it is decided: one of the manifest's `blockingTasks.operations`. What the
 * handler does not decide before it returns, or before `decideBy`, is decided as `blockingTasks.onFailure` says.
 * Every method rejects with a `BindingError`; `BLOCKING_TASK_OVER` when it was decided before, by whomever.
 */
export interface BlockingTask {
  /** Bare id. */
  readonly id: string;
  /** Such as `vdcInstantiateVapp`. */
  readonly operation: string;
  /** When vCloud decides by itself, in epoch milliseconds; null when not known. */
  readonly timeoutAt: number | null;
  /** When vcx decides as the manifest says, in epoch milliseconds. */
  readonly decideBy: number;
  /** Let the operation go on. One decision counts; vCloud hears of it even when it is away at the moment. */
  resume(message?: string): Promise<void>;
  /** Undo the operation. */
  abort(message?: string): Promise<void>;
  /** Mark the operation as failed. */
  fail(message?: string): Promise<void>;
  /** Tell progress; with `timeoutMs` (1 s to a day) both time-outs begin anew from now. Gives the new ones. */
  updateProgress(
    message: string,
    options?: { readonly timeoutMs?: number },
  ): Promise<{ readonly timeoutAt: number | null; readonly decideBy: number }>;
  /** What the held task works on, asked of vCloud; null when there is no such object. */
  entity(): Promise<ResolvedEntity | null>;
}

/** What a notification handler knows of its event, and may do about it. */
export interface NotificationContext extends Omit<Context, 'caller' | 'params'> {
  readonly caller: NotificationCaller;
  /** Which try this is: 1 for the first. */
  readonly attempt: number;
  /** Set when vCloud holds an operation for this plug-in, and it is not decided yet. */
  readonly blockingTask: BlockingTask | null;
  /** What the event is about, asked of vCloud; null when there is no such object, or no longer. */
  entity(): Promise<ResolvedEntity | null>;
}
