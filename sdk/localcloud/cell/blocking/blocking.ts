/**
 * Blocking tasks as the store keeps them.
 * May import: happening, model, settings.
 */
import type { Named } from '../events/happening.ts';
import type { TimeoutAction } from '../extension/settings/settings.ts';
import type { Org } from '../model.ts';

/** Only an active one can be acted upon; the others stay to be looked at. */
export type BlockingStatus = 'active' | 'resumed' | 'aborted' | 'failed';

export interface BlockingTask {
  readonly id: string;
  /** Name of the operation that is held. */
  readonly name: string;
  /** Id of the task that is held. */
  readonly task: string;
  readonly org: Org;
  /** Whoever asked for the operation. */
  readonly user: Named;
  readonly status: BlockingStatus;
  /** Epoch ms. */
  readonly createdAt: number;
  /** Epoch ms. */
  readonly timeoutAt: number;
  readonly timeoutAction: TimeoutAction;
  /** What the last action upon it said. */
  readonly message?: string;
}
