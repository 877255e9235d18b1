/**
 * Tasks of vCloud that a plug-in works on after its answer.
 * May import: nothing.
 */

/** How a task is shown, and what it is about. */
export interface TaskOptions {
  /** For people, such as `Backing up web-1`. At most 256 characters. */
  readonly operation: string;
  /** For programs, and a key of the localization. @default the name of the plug-in */
  readonly operationName?: string;
  readonly details?: string;
  /** Path, href or URN of what is worked on, an object of the caller's org. @default the org */
  readonly owner?: string;
}

/** A running task. Every method but `accepted` rejects with a `BindingError`; `TASK_OVER` when it has ended. */
export interface Task {
  /** Bare id: the task is at `/api/task/{id}`. */
  readonly id: string;
  readonly href: string;
  /** The answer to give at once: 202 with `Location` and the task, as XML or JSON by `Accept`. */
  accepted(request: Request): Response;
  /** `progress` in percent, 0 to 100. Tells whether somebody asked for the task's cancellation. */
  update(change: {
    readonly progress?: number;
    readonly details?: string;
  }): Promise<{ readonly cancelRequested: boolean }>;
  /** The work is done. */
  complete(details?: string): Promise<void>;
  /** The work failed; the message is shown to the tenant. */
  fail(message: string): Promise<void>;
}
