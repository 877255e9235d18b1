/**
 * The port of what keeps held operations from being forgotten: blocking tasks that wait for a plug-in's decision.
 * May import: kernel.
 *
 * An entry is made before the plug-in hears of the task and removed when vCloud has heard the decision. The host
 * that works on it holds a lease; when the host is gone the lease runs out, and at its time any host that shares the
 * store applies what the manifest says for that case.
 */

/** As the manifest has it. */
export type BlockingOutcomeAction = 'resume' | 'abort' | 'fail';

export interface OpenBlockingTask {
  /** One plug-in and one blocking task. */
  readonly key: string;
  /** Bare id in vCloud. */
  readonly id: string;
  readonly plugin: string;
  /** URN. */
  readonly org: string;
  readonly operation: string;
  /** What is done when nobody decides. */
  readonly onFailure: BlockingOutcomeAction;
  /** Epoch ms. */
  readonly createdAt: number;
  /** When that is done, epoch ms. */
  readonly dueAt: number;
  /** vCloud's own time-out by our clock, epoch ms; null when not known. */
  readonly timeoutAt: number | null;
}

/** What was decided, kept until vCloud has heard of it. */
export interface BlockingOutcome {
  readonly action: BlockingOutcomeAction;
  readonly message: string;
  readonly by: 'plugin' | 'policy';
}

export interface StoredBlockingTask extends OpenBlockingTask {
  readonly outcome: BlockingOutcome | null;
}

/** Survives the death of the process. Any number of processes may share one; every method is atomic. */
export interface OpenBlockingStore {
  /**
   * Keep it under this process's lease, or take over what an earlier delivery left: its decision and, when that is
   * earlier, its time. Gives the entry as it is then.
   */
  open(task: OpenBlockingTask, leaseUntil: number): Promise<StoredBlockingTask>;
  /** Another time. */
  extend(key: string, times: { dueAt: number; timeoutAt: number | null }): Promise<void>;
  /** Write down the one decision: false when there is one already, or no entry. */
  decide(key: string, outcome: BlockingOutcome): Promise<boolean>;
  remove(key: string): Promise<void>;
  /** Extend all leases of this process. */
  renew(leaseUntil: number): Promise<void>;
  /** Give one up: whoever sweeps takes it when it is due. */
  release(key: string): Promise<void>;
  /** Take entries without a lease that are decided or due; nobody else gets them before `again`. */
  claim(now: number, again: number): Promise<readonly StoredBlockingTask[]>;
  /** Entries there are, over all processes. */
  count(): Promise<number>;
}
