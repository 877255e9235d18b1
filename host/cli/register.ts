/**
 * `vcx register plan|apply|remove`: the difference between the manifests and vCloud, shown or made to vanish.
 * May import: everything.
 */
import { join } from 'node:path';

import type { Manifest } from '../bundles/manifest/manifest.ts';
import { serviceSpec } from '../bundles/registration/service-spec.ts';
import type { Config } from '../config.ts';
import { codeOf, HostError, messageOf } from '../kernel/errors.ts';
import type { VcloudClient } from '../vcloud/client.ts';
import { applyRegistration } from '../vcloud/registration/apply.ts';
import {
  changeToJson,
  describeChange,
  type Change,
  type Plan,
} from '../vcloud/registration/change.ts';
import { createDigestFile, type DigestFile } from '../vcloud/registration/digests.ts';
import { planRegistration, planRemoval } from '../vcloud/registration/plan.ts';
import {
  describeBlocking,
  registerBlocking,
  release,
  type BlockingRegistration,
} from './register-blocking.ts';
import { configured } from './configured.ts';
import { openConfiguredVcloud, openTopology, readManifests } from './installation.ts';
import { openProgress } from './plugin/run.ts';

export interface RegisterOptions {
  readonly plugin?: string;
  /** For `remove` of all plug-ins. */
  readonly all?: boolean;
  readonly json?: boolean;
}

export type RegisterAction = 'plan' | 'apply' | 'remove';

/** The command: `release` names operations, the others plug-ins. */
export async function registerCommand(
  action: RegisterAction | 'release',
  operations: readonly string[],
  options: RegisterOptions,
): Promise<number> {
  if (action === 'release') return release(operations, options);
  if (operations.length > 0)
    throw new HostError('CONFIG_INVALID', `${action}: name a plug-in with --plugin`);
  return register(action, options);
}

/** What came of one plug-in. */
export interface Registration {
  readonly plugin: string;
  readonly namespace: string | null;
  readonly changes: readonly Change[];
  readonly findings: Plan['findings'];
  /** Rights that vCloud would not remove, because roles or rules hold them. */
  readonly kept: readonly Change[];
  readonly failure: { readonly code: string; readonly message: string } | null;
}

/** Exit codes of `plan`, like those of `diff`, but that 2 is taken by wrong arguments. */
export const EXIT = { same: 0, failed: 1, different: 3 } as const;

async function register(action: RegisterAction, options: RegisterOptions): Promise<number> {
  if (action === 'remove' && !options.plugin && !options.all)
    throw new HostError('CONFIG_INVALID', 'remove: name one with --plugin, or say --all');
  const config = configured();
  const states = await readManifests(config, options.plugin);
  await using client = openConfiguredVcloud(config);
  const manifests = states.flatMap(({ manifest }) => (manifest ? [manifest] : []));
  if (action === 'apply') await prepareTopology(config, manifests);
  const digests = createDigestFile(join(config.stateDir, 'registration.json'));
  const done: Registration[] = [];
  using progress = openProgress();
  for (const [index, { name, manifest, reason }] of states.entries()) {
    progress.show(`${action} ${name}`, index / states.length);
    done.push(
      manifest
        ? await registerOne(action, manifest, { client, digests })
        : failed(name, null, { code: 'BUNDLE_INVALID', message: reason ?? '' }),
    );
  }
  const staying = action === 'remove' ? await otherManifests(config, manifests) : [];
  const timeouts = config.vcloud.blockingTasks;
  const blocking = await registerBlocking(action, manifests, { client, timeouts, staying });
  progress.clear();
  print(action, { done, blocking }, options.json ?? false);
  if (hasFailed({ done, blocking })) return EXIT.failed;
  const different = [...done, blocking].some(({ changes }) => changes.length > 0);
  return action === 'plan' && different ? EXIT.different : EXIT.same;
}

async function otherManifests(config: Config, removed: readonly Manifest[]): Promise<Manifest[]> {
  const names = new Set(removed.map(({ name }) => name));
  const all = (await readManifests(config)).flatMap(({ manifest }) => manifest ?? []);
  return all.filter(({ name }) => !names.has(name));
}

/** A service whose exchange is missing answers every matching call of the cloud with 500: so that comes first. */
async function prepareTopology(config: Config, manifests: readonly Manifest[]): Promise<void> {
  if (!config.amqp.url && config.amqp.urls.length === 0)
    throw new HostError('CONFIG_INVALID', 'amqp.url: missing; set it in vcx.yaml or VCX_AMQP_URL');
  await using broker = await openTopology(config, manifests);
  const problem = broker
    .topologyReport()
    .find(({ state, of }) => state === 'problem' && of !== 'dead-letter');
  if (problem) throw new HostError('BROKER_TOPOLOGY', `${problem.of}: ${problem.detail}`);
}

async function registerOne(
  action: RegisterAction,
  manifest: Manifest,
  { client, digests }: { client: VcloudClient; digests: DigestFile },
): Promise<Registration> {
  const spec = serviceSpec(manifest);
  const { name: plugin } = manifest;
  const { namespace } = spec;
  try {
    const known = digests.get(namespace);
    const plan =
      action === 'remove'
        ? await planRemoval(client, spec)
        : await planRegistration(
            client,
            spec,
            known === undefined ? {} : { localizationDigest: known },
          );
    const { changes, findings } = plan;
    if (action === 'plan') return { plugin, namespace, changes, findings, kept: [], failure: null };
    const applied = await applyRegistration(client, plan);
    if (applied.localizationDigest !== null) digests.put(namespace, applied.localizationDigest);
    const { kept } = applied;
    return { plugin, namespace, changes: applied.applied, findings, kept, failure: null };
  } catch (error) {
    return failed(plugin, namespace, { code: codeOf(error), message: messageOf(error) });
  }
}

function failed(
  plugin: string,
  namespace: string | null,
  failure: Registration['failure'],
): Registration {
  return { plugin, namespace, changes: [], findings: [], kept: [], failure };
}

interface Outcome {
  readonly done: readonly Registration[];
  readonly blocking: BlockingRegistration;
}

function hasFailed({ done, blocking }: Outcome): boolean {
  return [...done, blocking].some(({ failure }) => failure);
}

function print(action: RegisterAction, { done, blocking }: Outcome, json: boolean): void {
  if (!json) {
    const lines = [...done.flatMap((one) => describe(action, one)), ...describeBlocking(blocking)];
    return console.log(lines.join('\n'));
  }
  const plugins = done.map(({ changes, kept, ...rest }) => ({
    ...rest,
    changes: changes.map(changeToJson),
    kept: kept.map(changeToJson),
  }));
  const changed = [...plugins, blocking].some(({ changes }) => changes.length > 0);
  const isOk = !hasFailed({ done, blocking });
  const report = { ok: isOk, action, changed, plugins, blockingTasks: blocking };
  return console.log(JSON.stringify(report, null, 2));
}

const VERBS = { plan: 'to change', apply: 'changed', remove: 'removed' } as const;

function describe(action: RegisterAction, one: Registration): string[] {
  const { plugin, namespace, changes, findings, kept, failure } = one;
  const title = namespace === null ? plugin : `${plugin} (${namespace})`;
  if (failure)
    return [
      `${title}: FAILED: ${failure.code}: ${failure.message}`,
      ...(namespace === null || action === 'plan'
        ? []
        : ['  what was done before stays; run it again when the cause is gone']),
    ];
  const count = changes.length;
  const sum = count === 0 ? 'nothing to do' : `${count} ${VERBS[action]}`;
  return [
    `${title}: ${sum}`,
    ...changes.map((change) => `  ${describeChange(change).replaceAll('\n', '\n  ')}`),
    ...kept.map((change) => `  kept, because roles or rules hold it: ${change.label}`),
    ...findings.map(
      (found) => `  ${found.level}: ${found.where}: ${found.message} (${found.code})`,
    ),
  ];
}
