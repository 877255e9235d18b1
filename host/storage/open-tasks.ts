/**
 * The port of what keeps tasks from running for ever: those that plug-ins began in vCloud and did not end yet.
 * May import: kernel.
 *
 * An entry is made before the task is created in vCloud and removed after its end was told. The host that made
 * it holds a lease; when the host is gone the lease runs out, and any host that shares the store may take it over.
 */

export interface OpenTask {
  /** Ours, made before vCloud knows of the task; it is sent as the task's `operationKey`. */
  readonly key: string;
  readonly plugin: string;
  /** Namespace of the service. */
  readonly namespace: string;
  /** URNs. */
  readonly org: string;
  readonly user: string;
  readonly operation: string;
  /** Epoch ms. */
  readonly createdAt: number;
}

/** How a task ended, kept until vCloud has heard of it. */
export interface TaskOutcome {
  readonly status: 'success' | 'error';
  /** Of an error. */
  readonly message: string | null;
}

export interface StoredTask extends OpenTask {
  /** Null when the host died, or lost the answer, before it knew. */
  readonly href: string | null;
  readonly outcome: TaskOutcome | null;
}

/** Survives the death of the process. Any number of processes may share one; every method is atomic. */
export interface OpenTaskStore {
  /** Keep a task that is about to be created; the lease is this process's. */
  add(task: OpenTask, leaseUntil: number): Promise<void>;
  /** vCloud has created it. */
  located(key: string, href: string): Promise<void>;
  /** The work is over; vCloud is told next. */
  settled(key: string, outcome: TaskOutcome): Promise<void>;
  remove(key: string): Promise<void>;
  /** Extend all leases of this process. */
  renew(leaseUntil: number): Promise<void>;
  /** Give one up: whoever sweeps next takes it. */
  release(key: string): Promise<void>;
  /** Take entries whose lease ran out before `now`; nobody else gets them before `again`. */
  claim(now: number, again: number): Promise<readonly StoredTask[]>;
  /** Whether the task at this address is one of them. */
  holds(href: string): Promise<boolean>;
  /** Entries there are, over all processes. */
  count(): Promise<number>;
}
