/**
 * Reads a plug-in from its folder: plugin.json and an entry module that is bundled on the spot.
 * May import: kernel.
 */
import { createHash } from 'node:crypto';
import { access, readdir, readFile, stat } from 'node:fs/promises';
import { join, relative, resolve, sep } from 'node:path';

import { bundlePlugin } from '#sdk/guest';

import { HostError, messageOf } from '../../kernel/errors.ts';
import { parseManifest, type Manifest } from '../manifest/manifest.ts';
import type { PluginSource } from '../live/plugin.ts';

/** Who puts source into the host's own folders is the provider. */
const OWNER = { id: 'provider', kind: 'provider' } as const;

/** Throws BUNDLE_INVALID with the reason; touches nothing else. */
export async function readFolder(folder: string): Promise<PluginSource> {
  const manifest = parseManifest(await readJson(join(folder, 'plugin.json')));
  const entry = resolve(folder, manifest.main);
  if (relative(folder, entry).startsWith(`..${sep}`))
    throw new HostError('BUNDLE_INVALID', 'plugin.json: main: leaves the folder of the plug-in');
  await access(entry).catch((error: unknown) => {
    throw new HostError('BUNDLE_INVALID', `${manifest.main}: there is no such file`, {
      cause: error,
    });
  });
  const built = await bundlePlugin(entry).catch((error: unknown) => {
    throw new HostError('BUNDLE_INVALID', messageOf(error), { cause: error });
  });
  return {
    manifest,
    script: built.source,
    scriptDigest: built.digest,
    digest: digestOf(manifest, built.digest),
    source: 'folder',
    sourceMap: built.sourceMap,
    owner: OWNER,
    trusted: true,
  };
}

/** A manifest may change while the script stays as it is. */
function digestOf(manifest: Manifest, scriptDigest: string): string {
  return createHash('sha256')
    .update(JSON.stringify([manifest, scriptDigest]))
    .digest('hex');
}

/** Those of these folders, and below them, that hold a plug-in each, sorted. Throws CONFIG_INVALID. */
export async function pluginFolders(folders: readonly string[]): Promise<string[]> {
  const found: string[] = [];
  for (const folder of folders) {
    if (await isFile(join(folder, 'plugin.json'))) {
      found.push(folder);
      continue;
    }
    const entries = await readdir(folder, { withFileTypes: true }).catch((error: unknown) => {
      throw new HostError('CONFIG_INVALID', `plugins: ${folder} can not be read`, { cause: error });
    });
    for (const entry of entries)
      if (entry.isDirectory() && !entry.name.startsWith('.') && entry.name !== 'node_modules')
        found.push(join(folder, entry.name));
  }
  return found.sort();
}

async function isFile(path: string): Promise<boolean> {
  return (await stat(path).catch(() => null))?.isFile() ?? false;
}

async function readJson(file: string): Promise<unknown> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    throw new HostError('BUNDLE_INVALID', 'plugin.json can not be read', { cause: error });
  }
  try {
    return JSON.parse(text) as unknown;
  } catch (error) {
    throw new HostError('BUNDLE_INVALID', `plugin.json is not JSON: ${messageOf(error)}`, {
      cause: error,
    });
  }
}
