/**
 * The settings of the cloud that may be changed while it runs.
 * May import: nothing of ours.
 */

export const TIMEOUT_ACTIONS = ['resume', 'abort', 'fail'] as const;
export type TimeoutAction = (typeof TIMEOUT_ACTIONS)[number];

/** An operation that is held as a blocking task. */
export interface HeldOperation {
  readonly name: string;
  readonly category?: string;
}

/** Shared by all cells; what changes here holds from the next event or operation on. */
export interface Settings {
  /** `EnableNotifications` */
  notifications: boolean;
  /** `AmqpExchange` */
  exchange: string;
  blocking: {
    readonly timeoutAction: TimeoutAction;
    readonly timeoutMs: number;
    readonly operations: readonly HeldOperation[];
  };
}

/** Time-out and action are those of the guide's example; the real defaults are not documented. */
export const createSettings = (): Settings => ({
  notifications: true,
  exchange: 'systemExchange',
  blocking: { timeoutAction: 'abort', timeoutMs: 432_000_000, operations: [] },
});
