/**
 * Settings of blocking tasks, brought in step with what plug-ins want: operations are added, never taken away.
 * May import: kernel, message, vcloud.
 *
 * The operations are one set for the whole cloud. Whoever else put one there, another program or an administrator,
 * relies on it, and nothing tells whose it is: so what no plug-in wants any more is named, and left to a person.
 */
import type { RequestOptions } from '../client/calls.ts';
import type { VcloudClient } from '../client.ts';
import {
  putBlockingOperations,
  putBlockingSettings,
  readBlockingOperations,
  readBlockingSettings,
  type BlockingAction,
  type BlockingSettings,
} from '../blocking-tasks/operations.ts';
import type { FieldChange } from './change.ts';

export interface BlockingTaskWish {
  /** What the manifests name. */
  readonly operations: readonly string[];
  /** vCloud's own time-out for every blocking task of the cloud; left as it is when null. */
  readonly timeoutMs: number | null;
  /** What vCloud does at its own time-out; left as it is when null. */
  readonly timeoutAction: BlockingAction | null;
}

export type BlockingTaskChange =
  | {
      readonly action: 'add';
      readonly kind: 'BlockingTaskOperation';
      readonly label: string;
    }
  | {
      readonly action: 'update';
      readonly kind: 'BlockingTaskSettings';
      readonly label: string;
      readonly fields: readonly FieldChange[];
    };

export interface BlockingTaskPlan {
  readonly wish: BlockingTaskWish;
  /** Empty when vCloud is as wished. */
  readonly changes: readonly BlockingTaskChange[];
}

/** Whether there is anything to look at: without it vCloud is not asked. */
export function wantsBlockingTasks({ operations, timeoutMs, timeoutAction }: BlockingTaskWish) {
  return operations.length > 0 || timeoutMs !== null || timeoutAction !== null;
}

/** Reads only. Throws `VcloudError`. */
export async function planBlockingTasks(
  client: VcloudClient,
  wish: BlockingTaskWish,
  options?: RequestOptions,
): Promise<BlockingTaskPlan> {
  if (!wantsBlockingTasks(wish)) return { wish, changes: [] };
  const found = await readBlockingSettings(client, options);
  const additions = missing(found.operations, wish.operations).map((label): BlockingTaskChange => ({
    action: 'add',
    kind: 'BlockingTaskOperation',
    label,
  }));
  const fields = fieldsOf(found, wish);
  const label = 'settings/blockingTask';
  const update: BlockingTaskChange = {
    action: 'update',
    kind: 'BlockingTaskSettings',
    label,
    fields,
  };
  return { wish, changes: fields.length > 0 ? [update, ...additions] : additions };
}

/**
 * Carry it out; nothing is sent for an empty plan. Each list is read again right before it is replaced, so that what
 * somebody added meanwhile stays. Throws `VcloudError`.
 */
export async function applyBlockingTasks(
  client: VcloudClient,
  { wish, changes }: BlockingTaskPlan,
  options?: RequestOptions,
): Promise<void> {
  if (changes.some(({ action }) => action === 'update')) {
    const found = await readBlockingSettings(client, options);
    const timeoutMs = wish.timeoutMs ?? found.timeoutMs;
    const timeoutAction = wish.timeoutAction ?? found.timeoutAction;
    // The element needs both; one that vCloud does not tell can not be kept as it is.
    if (timeoutMs !== null && timeoutAction !== null)
      await putBlockingSettings(client, { ...found, timeoutMs, timeoutAction }, options);
  }
  if (changes.some(({ action }) => action === 'add')) {
    const present = await readBlockingOperations(client, options);
    const added = missing(present, wish.operations).map((name) => ({ name, category: null }));
    if (added.length > 0) await putBlockingOperations(client, [...present, ...added], options);
  }
}

/** Those of the operations that vCloud holds: what a person may take out when nobody else needs it. Reads only. */
export async function heldOperations(
  client: VcloudClient,
  operations: readonly string[],
  options?: RequestOptions,
): Promise<string[]> {
  if (operations.length === 0) return [];
  const present = await readBlockingOperations(client, options);
  return present.map(({ name }) => name).filter((name) => operations.includes(name));
}

/**
 * Take operations out of vCloud's list, on a person's word: nothing tells whether somebody else decides on them.
 * Resolves with those that were held. Throws `VcloudError`.
 */
export async function releaseOperations(
  client: VcloudClient,
  operations: readonly string[],
  options?: RequestOptions,
): Promise<string[]> {
  const present = await readBlockingOperations(client, options);
  const [taken, stay] = [true, false].map((named) =>
    present.filter(({ name }) => operations.includes(name) === named),
  ) as [typeof present, typeof present];
  if (taken.length > 0) await putBlockingOperations(client, stay, options);
  return taken.map(({ name }) => name);
}

/** `+ BlockingTaskOperation vdcInstantiateVapp`, as changes of services are shown. */
export function describeBlockingChange(change: BlockingTaskChange): string {
  if (change.action === 'add') return `+ ${change.kind} ${change.label}`;
  const fields = change.fields.map(
    ({ field, from, to }) => `    ${field}: ${JSON.stringify(from)} -> ${JSON.stringify(to)}`,
  );
  return [`~ ${change.kind} ${change.label}`, ...fields].join('\n');
}

function missing(present: BlockingSettings['operations'], wanted: readonly string[]): string[] {
  const names = new Set(present.map(({ name }) => name));
  return [...new Set(wanted)].filter((name) => !names.has(name));
}

function fieldsOf(found: BlockingSettings, wish: BlockingTaskWish): FieldChange[] {
  const { timeoutMs, timeoutAction } = wish;
  const wanted = [
    { field: 'TimeoutInMilliseconds', from: found.timeoutMs, to: timeoutMs },
    { field: 'TimeoutAction', from: found.timeoutAction, to: timeoutAction },
  ];
  return wanted.filter(({ from, to }) => to !== null && from !== to);
}
