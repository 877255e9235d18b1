/**
 * Makes an installed version ready to go live: its bytes read and verified again, then loaded once.
 * May import: kernel, storage.
 */
import { HostError } from '../../kernel/errors.ts';
import type { InstalledPlugin, InstalledStore, InstalledVersion } from '../../storage/installed.ts';
import { readSource, type TrustPolicy } from '../source/bundle.ts';
import { preparePlugin, type LivePlugin, type PluginSource, type Workshop } from './plugin.ts';
import { createPrepared, type Prepared } from './prepared.ts';

export interface LoaderOptions {
  readonly installed: Pick<InstalledStore, 'getBlob'>;
  readonly workshop: Workshop;
  readonly policy: TrustPolicy;
  /** All versions of the plug-in that are live. */
  readonly live: (plugin: string) => readonly LivePlugin[];
}

export interface Loader extends Pick<Prepared, 'find' | 'touch' | 'forget'> {
  /** Throws BUNDLE_*, PLUGIN_UNKNOWN or STORE_BLOB_ALTERED. */
  load(record: InstalledPlugin, version: string): Promise<LivePlugin>;
  /** Load what was read; what was loaded lately is not loaded again. Throws BUNDLE_*. */
  prepare(source: PluginSource): Promise<LivePlugin>;
}

export function createLoader(options: LoaderOptions): Loader {
  const prepared = createPrepared();

  async function prepare(source: PluginSource): Promise<LivePlugin> {
    const known = prepared.get(source, options.live(source.manifest.name));
    if (known) return known;
    const plugin = await preparePlugin(source, options.workshop);
    prepared.put(plugin, source);
    return plugin;
  }
  return {
    find: (plugin, version) => prepared.find(plugin, version),
    touch: (plugin) => prepared.touch(plugin),
    forget: (plugin) => prepared.forget(plugin),
    prepare,
    async load(record, version) {
      const entry = record.versions.find((one) => one.version === version);
      if (!entry)
        throw new HostError('PLUGIN_UNKNOWN', `${record.plugin} ${version} is not installed`);
      return prepare(await read(options, record, entry));
    },
  };
}

/** The signature is looked at again each time: a key may have been revoked since, or given to somebody else. */
async function read(
  { installed, policy }: LoaderOptions,
  record: InstalledPlugin,
  entry: InstalledVersion,
): Promise<PluginSource> {
  const archive = await installed.getBlob(entry.archive);
  if (!archive) throw new HostError('STORE_BLOB_ALTERED', `the bundle of ${entry.version} is gone`);
  const map = entry.sourceMap && (await installed.getBlob(entry.sourceMap));
  const text = map ? Buffer.from(map).toString() : null;
  const source = await readSource(archive, policy, text);
  const { name, version } = source.manifest;
  if (name !== record.plugin || version !== entry.version || source.digest !== entry.digest)
    throw new HostError('STORE_BLOB_ALTERED', `the bundle of ${entry.version} is another one`);
  if (source.owner.id !== record.owner || source.owner.kind !== record.ownerKind)
    throw new HostError(
      'BUNDLE_OWNER_FOREIGN',
      `${name} belongs to ${record.owner}, but its key is that of ${source.owner.id} by now`,
    );
  return source;
}
