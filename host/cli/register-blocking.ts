/**
 * The part of `vcx register` that belongs to no single service: which operations vCloud holds, for the whole cloud.
 * May import: everything.
 */
import type { Manifest } from '../bundles/manifest/manifest.ts';
import { codeOf, HostError, messageOf } from '../kernel/errors.ts';
import type { BlockingAction } from '../vcloud/blocking-tasks/operations.ts';
import type { VcloudClient } from '../vcloud/client.ts';
import { configured } from './configured.ts';
import { openConfiguredVcloud, readManifests } from './installation.ts';
import {
  applyBlockingTasks,
  describeBlockingChange,
  heldOperations,
  planBlockingTasks,
  releaseOperations,
  type BlockingTaskChange,
} from '../vcloud/registration/blocking-tasks.ts';

/** What the operator configured for vCloud's own time-out of blocking tasks; what is not set is left as it is. */
export interface BlockingTimeouts {
  readonly timeoutMs?: number | undefined;
  readonly timeoutAction?: BlockingAction | undefined;
}

export interface BlockingOptions {
  readonly client: VcloudClient;
  readonly timeouts: BlockingTimeouts;
  /** Manifests that stay when others are removed. */
  readonly staying?: readonly Manifest[];
}

export interface BlockingRegistration {
  readonly changes: readonly BlockingTaskChange[];
  /** Operations that vCloud goes on holding although no plug-in here decides on them any more. */
  readonly couldRemove: readonly string[];
  readonly failure: { readonly code: string; readonly message: string } | null;
}

/** Never rejects: what fails is in the result. */
export async function registerBlocking(
  action: 'plan' | 'apply' | 'remove',
  manifests: readonly Manifest[],
  options: BlockingOptions,
): Promise<BlockingRegistration> {
  try {
    if (action === 'remove') return await removal(manifests, options);
    const { timeoutMs = null, timeoutAction = null } = options.timeouts;
    const wish = { operations: operationsOf(manifests), timeoutMs, timeoutAction };
    const plan = await planBlockingTasks(options.client, wish);
    if (action === 'apply') await applyBlockingTasks(options.client, plan);
    return { changes: plan.changes, couldRemove: [], failure: null };
  } catch (error) {
    const failure = { code: codeOf(error), message: messageOf(error) };
    return { changes: [], couldRemove: [], failure };
  }
}

async function removal(
  manifests: readonly Manifest[],
  { client, staying = [] }: BlockingOptions,
): Promise<BlockingRegistration> {
  const needed = operationsOf(staying);
  const left = operationsOf(manifests).filter((name) => !needed.includes(name));
  return { changes: [], couldRemove: await heldOperations(client, left), failure: null };
}

function operationsOf(manifests: readonly Manifest[]): string[] {
  return manifests.flatMap(({ blockingTasks }) => blockingTasks?.operations ?? []);
}

/** `vcx register release NAME…`: vCloud holds these no more. Exit code 0 also when it held none of them. */
export async function release(
  operations: readonly string[],
  { json = false }: { readonly json?: boolean },
): Promise<number> {
  if (operations.length === 0)
    throw new HostError('CONFIG_INVALID', 'release: name operations, such as vdcInstantiateVapp');
  const config = configured();
  for (const { name, manifest } of await readManifests(config)) {
    const needed = manifest?.blockingTasks?.operations.find((one) => operations.includes(one));
    if (needed !== undefined)
      throw new HostError('CONFIG_INVALID', `release: ${name} decides on ${needed}`);
  }
  await using client = openConfiguredVcloud(config);
  const released = await releaseOperations(client, operations);
  const missing = operations.filter((name) => !released.includes(name));
  if (json)
    console.log(JSON.stringify({ ok: true, action: 'release', released, missing }, null, 2));
  else
    console.log(
      [
        ...released.map((name) => `  - BlockingTaskOperation ${name}`),
        ...missing.map((name) => `  not held by vCloud: ${name}`),
      ].join('\n'),
    );
  return 0;
}

/** Lines for people; none when there is nothing to say. */
export function describeBlocking({
  changes,
  couldRemove,
  failure,
}: BlockingRegistration): string[] {
  const title = 'blocking tasks (whole cloud)';
  if (failure) return [`${title}: FAILED: ${failure.code}: ${failure.message}`];
  const lines = [
    ...changes.map((change) => `  ${describeBlockingChange(change).replaceAll('\n', '\n  ')}`),
    ...couldRemove.map(
      (name) =>
        `  still held by vCloud; when nobody else decides on it: vcx register release ${name}`,
    ),
  ];
  return lines.length > 0 ? [`${title}:`, ...lines] : [];
}
