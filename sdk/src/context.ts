/**
 * What a handler is told about its call.
 * May import: task.
 */
import type { Task, TaskOptions } from './task.ts';

/** Who makes the call; taken from vCloud's security context, never from request headers. */
export interface Caller {
  readonly user: string;
  readonly org: string;
  /** Names of the plug-in's own rights that the caller holds. */
  readonly rights: readonly string[];
  /** Whether the caller belongs to the provider's System org. */
  readonly provider: boolean;
}

/** What a handler knows of its call, and what it may ask of the host about it. Works only while the call is under way. */
export interface Context {
  readonly caller: Caller;
  /** Parameters of the matched route: `{id}` in its path is `params.id`. */
  readonly params: Readonly<Record<string, string>>;
  /** The same for a redelivered call: use it to do things once. */
  readonly requestId: string;
  /** When the answer must be there, in epoch milliseconds. */
  readonly deadline: number;
  /** Milliseconds left until `deadline`; 0 when it has passed. */
  remainingMs(): number;
  /** Aborts shortly before `deadline`. */
  readonly signal: AbortSignal;
  /**
   * Keep the call alive after its answer until `work` has settled; its failure is logged.
   * Promises that are not handed over are abandoned with the answer.
   */
  waitUntil(work: Promise<unknown>): void;
  /**
   * Begin a task in the caller's org, for work that goes on after the answer. It needs the binding `tasks`, and
   * ends with the call at the latest: what `waitUntil` leaves open becomes an error.
   *
   * @example
   * const task = await ctx.task({ operation: `Backing up ${name}` });
   * ctx.waitUntil(backUp(task));
   * return task.accepted(request);
   */
  task(options: TaskOptions): Promise<Task>;
  /** Does nothing; apps written for other runtimes call it. */
  passThroughOnException(): void;
  /** Empty; apps written for other runtimes read it. */
  readonly props: object;
}
