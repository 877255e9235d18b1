/**
 * Settings of blocking tasks: which operations vCloud holds, how long, and what it does when nobody decides.
 * May import: kernel, message, vcloud.
 *
 * The list of operations is one set for the whole cloud. Bare names before API 33.0, elements with a category from
 * then on; either is read, and the form that the version wants is sent.
 */
import type { Doc } from '../../message/xml/documents.ts';
import type { RequestOptions } from '../client/calls.ts';
import { compareVersions } from '../client/versions.ts';
import type { VcloudClient } from '../client.ts';

/** What happens to a held operation in the end: it goes on, is undone, or is marked as failed. */
export const BLOCKING_ACTIONS = ['resume', 'abort', 'fail'] as const;
export type BlockingAction = (typeof BLOCKING_ACTIONS)[number];

export interface BlockingOperation {
  readonly name: string;
  /** As vCloud files it; it needs none to be sent. */
  readonly category: string | null;
}

export interface BlockingSettings {
  /** How long vCloud waits for a decision, in ms; null when it does not tell. */
  readonly timeoutMs: number | null;
  /** What it does then. */
  readonly timeoutAction: string | null;
  readonly operations: readonly BlockingOperation[];
}

const SETTINGS = '/api/admin/extension/settings/blockingTask';
const OPERATIONS = `${SETTINGS}/operations`;
const STRUCTURED_SINCE = '33.0';

type OperationList = Doc<'BlockingTaskOperations'>;

/** Time-out, action and operations. Throws `VcloudError`. */
export async function readBlockingSettings(
  client: VcloudClient,
  options?: RequestOptions,
): Promise<BlockingSettings> {
  const settings = await client.getXml('BlockingTaskSettings', SETTINGS, options);
  return {
    timeoutMs: settings.TimeoutInMilliseconds ?? null,
    timeoutAction: settings.TimeoutAction ?? null,
    operations: operationsOf(settings.BlockingTaskOperations ?? {}),
  };
}

/** Replace the whole list: read it just before, or somebody's operations are lost. Throws `VcloudError`. */
export async function putBlockingOperations(
  client: VcloudClient,
  operations: readonly BlockingOperation[],
  options?: RequestOptions,
): Promise<void> {
  const value = listOf(operations, await client.connect(options?.signal));
  await client.sendXml('PUT', OPERATIONS, { name: 'BlockingTaskOperations', value }, options);
}

/** Just the operations, for the moment before they are replaced. Throws `VcloudError`. */
export async function readBlockingOperations(
  client: VcloudClient,
  options?: RequestOptions,
): Promise<BlockingOperation[]> {
  return operationsOf(await client.getXml('BlockingTaskOperations', OPERATIONS, options));
}

/** Time-out and action; the operations are sent along as given, since the element wants them. */
export async function putBlockingSettings(
  client: VcloudClient,
  settings: BlockingSettings & { readonly timeoutMs: number; readonly timeoutAction: string },
  options?: RequestOptions,
): Promise<void> {
  const { timeoutMs, timeoutAction, operations } = settings;
  const value = {
    TimeoutAction: timeoutAction,
    BlockingTaskOperations: listOf(operations, await client.connect(options?.signal)),
    TimeoutInMilliseconds: timeoutMs,
  };
  await client.sendXml('PUT', SETTINGS, { name: 'BlockingTaskSettings', value }, options);
}

function operationsOf({ Operation = [], TaskOperationType = [] }: OperationList) {
  const bare = Operation.map((name) => ({ name: name.trim(), category: null }));
  const structured = TaskOperationType.map(({ Operation: name = '', Category }) => ({
    name: name.trim(),
    category: Category ?? null,
  }));
  return [...bare, ...structured].filter(({ name }) => name !== '');
}

function listOf(operations: readonly BlockingOperation[], version: string): OperationList {
  if (compareVersions(version, STRUCTURED_SINCE) < 0)
    return { Operation: operations.map(({ name }) => name) };
  return {
    TaskOperationType: operations.map(({ name, category }) => ({
      ...(category === null ? {} : { Category: category }),
      Operation: name,
    })),
  };
}
