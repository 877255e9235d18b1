/**
 * Tasks and events as the store keeps them.
 * May import: element.
 */
import type { Element } from '../documents/element.ts';

export const TASK_STATES = [
  'queued',
  'preRunning',
  'running',
  'success',
  'error',
  'canceled',
  'aborted',
] as const;

export type TaskStatus = (typeof TASK_STATES)[number];

const ENDED: ReadonlySet<TaskStatus> = new Set(['success', 'error', 'canceled', 'aborted']);

/** Whether nothing may change any more. */
export const hasEnded = (status: TaskStatus): boolean => ENDED.has(status);

export interface Task {
  readonly id: string;
  /** Id of the org in whose list it is. */
  readonly org: string;
  readonly name: string;
  readonly status: TaskStatus;
  readonly operation: string;
  readonly operationName: string;
  readonly serviceNamespace: string;
  readonly operationKey?: string;
  readonly description?: string;
  readonly startTime: string;
  readonly endTime?: string;
  readonly expiryTime: string;
  readonly cancelRequested: boolean;
  /** What vCloud itself does under this task; undefined for the tasks of services. */
  readonly operates?: Operation;
  /** Owner, Error, User, Progress, Params, Details, Result: what was sent, at most once each. */
  readonly parts: readonly Element[];
}

/** Those of vCloud's operations that the cell has; each can be held as a blocking task. */
export const OPERATIONS = {
  vdcInstantiateVapp: 'Creating Virtual Application',
  vdcUpdateVapp: 'Updating Virtual Application',
  vdcDeleteVapp: 'Deleting Virtual Application',
} as const;

export interface Operation {
  readonly name: keyof typeof OPERATIONS;
  /** Id of the vApp. */
  readonly vApp: string;
  /** What an update changes. */
  readonly change?: { readonly name: string; readonly description?: string };
}

/** An operation under way. */
export interface Run {
  /** Epoch ms. */
  readonly endsAt: number;
  /** Id of the user that asked for it. */
  readonly user: string;
}

export interface CloudEvent {
  readonly id: string;
  /** Id of the org it belongs to. */
  readonly org: string;
  readonly type: string;
  readonly serviceNamespace: string;
  readonly success: boolean;
  readonly timeStamp: string;
  /** Attributes of the references, as they were sent. */
  readonly owner: Readonly<Record<string, string>>;
  readonly user: Readonly<Record<string, string>>;
  readonly properties: Readonly<Record<string, string>>;
}
