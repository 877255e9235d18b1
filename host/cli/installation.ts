/**
 * What the commands about vCloud work on: the configuration, its plug-ins' manifests, and a client.
 * May import: everything.
 */
import { readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';

import { openBroker, type Broker } from '../broker/broker.ts';
import { pluginFolders } from '../bundles/source/folder.ts';
import { manifestOf } from '../bundles/live/kept.ts';
import { parseManifest, type Manifest } from '../bundles/manifest/manifest.ts';
import { openStore } from '../compose/store.ts';
import type { Config } from '../config.ts';
import { HostError, messageOf } from '../kernel/errors.ts';
import { silentLog } from '../kernel/log.ts';
import { createMetrics } from '../kernel/metrics.ts';
import { pause } from '../kernel/time.ts';
import { openVcloud, type VcloudClient } from '../vcloud/client.ts';
import { brokerOptions, vcloudOptions } from '../compose/options.ts';

export interface ManifestState {
  /** Of the folder when the manifest can not be read. */
  readonly name: string;
  readonly manifest: Manifest | null;
  readonly reason: string | null;
}

/** Every plug-in's manifest, of folders and of installed bundles, or why it can not be read; `only` by its name. Throws CONFIG_INVALID. */
export async function readManifests(config: Config, only?: string): Promise<ManifestState[]> {
  const states = await readInstalled(config);
  for (const folder of await pluginFolders(config.plugins.folders))
    states.push(await readOne(folder));
  const wanted = states.filter(({ name }) => only === undefined || name === only);
  if (only !== undefined && wanted.length === 0)
    throw new HostError(
      'CONFIG_INVALID',
      `there is no plug-in ${only} (there are: ${states.map(({ name }) => name).join(', ') || 'none'})`,
    );
  return wanted.sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** Current versions of enabled plug-ins that have a service of their own. */
async function readInstalled(config: Config): Promise<ManifestState[]> {
  await using stack = new AsyncDisposableStack();
  const base = { config, log: silentLog, metrics: createMetrics() };
  const { installed } = await openStore(stack, base);
  const states: ManifestState[] = [];
  for (const record of await installed.list()) {
    if (!record.enabled || record.current === null) continue;
    const { plugin: name, current } = record;
    try {
      const manifest = await manifestOf(installed, record, current);
      if (manifest?.extends === undefined)
        states.push({ name, manifest, reason: manifest ? null : 'its bundle is gone' });
    } catch (error) {
      states.push({ name, manifest: null, reason: messageOf(error) });
    }
  }
  return states;
}

async function readOne(folder: string): Promise<ManifestState> {
  const name = basename(folder);
  try {
    const text = await readFile(join(folder, 'plugin.json'), 'utf8');
    const manifest = parseManifest(JSON.parse(text) as unknown);
    return { name: manifest.name, manifest, reason: null };
  } catch (error) {
    return { name, manifest: null, reason: messageOf(error) };
  }
}

/** Throws CONFIG_INVALID where no vCloud is configured. Disposing signs out. */
export function openConfiguredVcloud(config: Config): VcloudClient {
  const options = vcloudOptions(config);
  if (!options)
    throw new HostError(
      'CONFIG_INVALID',
      'vcloud.url: missing; set it in vcx.yaml or VCX_VCLOUD_URL',
    );
  return openVcloud(options);
}

/** Longest time that a command waits for the broker, ms. */
const BROKER_MS = 15_000;

/**
 * A broker connection that has looked at, and made, exchanges, queues and bindings of these manifests; it takes
 * no message. Throws `BROKER_UNAVAILABLE`.
 */
export async function openTopology(
  config: Config,
  manifests: readonly Manifest[],
  waitMs: number = BROKER_MS,
): Promise<Broker> {
  const services = manifests.map(({ vcloud }) => vcloud);
  const options = brokerOptions(config, services, { log: silentLog, metrics: createMetrics() });
  await using stack = new AsyncDisposableStack();
  const broker = stack.use(await openBroker(options));
  const end = performance.now() + waitMs;
  const looked = () =>
    new Set(
      broker
        .topologyReport()
        .map(({ of }) => of)
        .filter((of) => of !== 'dead-letter'),
    ).size;
  const wanted = new Set(manifests.map(({ vcloud }) => `${vcloud.exchange}/${vcloud.routingKey}`))
    .size;
  while (broker.status().connections.consume !== null || looked() < wanted) {
    if (performance.now() > end)
      throw new HostError(
        'BROKER_UNAVAILABLE',
        broker.status().connections.consume ?? 'the broker does not answer',
      );
    await pause(50);
  }
  stack.move();
  return broker;
}
