/**
 * Makes a bundle from a plug-in's folder: the same files give the same bytes.
 * May import: kernel, quotas, vcloud.
 */
import { readdir, readFile, stat } from 'node:fs/promises';
import { isAbsolute, join, relative, resolve, sep } from 'node:path';

import { bundlePlugin, type PluginScript } from '#sdk/guest';

import { HostError, messageOf } from '../../kernel/errors.ts';
import { readArchive, writeArchive } from './zip.ts';
import { readBundle } from './bundle.ts';
import { checkEntryName, MANIFEST_ENTRY, SCRIPT_ENTRY } from './names.ts';
import { parseManifest, type Manifest } from '../manifest/manifest.ts';

export interface Packed {
  readonly bytes: Buffer;
  /** What the signature will be over; see `Bundle.digest`. */
  readonly digest: string;
  /** JSON of a version 3 source map of main.js; it stays with the author and the host, never in the bundle. */
  readonly sourceMap: string;
  readonly manifest: Manifest;
  /** Path and size of every file in the bundle. */
  readonly files: readonly { readonly path: string; readonly bytes: number }[];
  readonly warnings: readonly string[];
}

/** Folders whose files go along as they are. */
const EXTRA = ['assets', 'localization'];

/** Throws BUNDLE_INVALID, BUNDLE_ARCHIVE or BUNDLE_TOO_LARGE with the reason, a Node built-in by its name and importer. */
export async function packBundle(folder: string): Promise<Packed> {
  const source = await readManifestSource(folder);
  const script = await buildScript(folder, parseManifest(source));
  const files = new Map<string, Uint8Array>();
  files.set(MANIFEST_ENTRY, encodeManifest(source));
  files.set(SCRIPT_ENTRY, Buffer.from(`${script.source}\n`));
  for (const name of EXTRA) await addFolder(files, folder, name);
  const bytes = writeArchive(files);
  // What we write must be what every host takes: caps, texts and manifest are checked by the reader itself.
  const { digest, manifest } = readBundle(bytes);
  return {
    bytes,
    digest,
    manifest,
    sourceMap: script.sourceMap,
    files: [...readArchive(bytes)].map(([path, content]) => ({ path, bytes: content.byteLength })),
    warnings: script.warnings,
  };
}

async function readManifestSource(folder: string): Promise<Record<string, unknown>> {
  const file = join(folder, MANIFEST_ENTRY);
  const text = await readFile(file, 'utf8').catch((error: unknown) => {
    throw new HostError('BUNDLE_INVALID', `${folder} holds no plugin.json that can be read`, {
      cause: error,
    });
  });
  try {
    return JSON.parse(text) as Record<string, unknown>;
  } catch (error) {
    throw new HostError('BUNDLE_INVALID', `plugin.json is not JSON: ${messageOf(error)}`, {
      cause: error,
    });
  }
}

/** As the author wrote it, but for the entry module and the editor's schema. */
function encodeManifest(source: Record<string, unknown>): Buffer {
  // JSON leaves out what is undefined.
  const manifest = { ...source, $schema: undefined, main: SCRIPT_ENTRY };
  return Buffer.from(`${JSON.stringify(manifest, null, 2)}\n`);
}

async function buildScript(folder: string, { main }: Manifest): Promise<PluginScript> {
  const entry = resolve(folder, main);
  const inside = relative(resolve(folder), entry);
  if (inside.startsWith(`..${sep}`) || isAbsolute(inside))
    throw new HostError('BUNDLE_INVALID', 'plugin.json: main: leaves the folder of the plug-in');
  const known = await stat(entry).catch(() => null);
  if (!known?.isFile()) throw new HostError('BUNDLE_INVALID', `${main}: there is no such file`);
  return bundlePlugin(entry, { compact: true }).catch((error: unknown) => {
    throw new HostError('BUNDLE_INVALID', messageOf(error), { cause: error });
  });
}

/** Hidden files are left out; links and other things that are no files are refused. */
async function addFolder(
  files: Map<string, Uint8Array>,
  folder: string,
  path: string,
): Promise<void> {
  const entries = await readdir(join(folder, path), { withFileTypes: true }).catch(() => []);
  for (const entry of entries) {
    const name = `${path}/${entry.name}`;
    if (entry.name.startsWith('.')) continue;
    if (entry.isDirectory()) await addFolder(files, folder, name);
    else if (entry.isFile()) {
      checkEntryName(name);
      files.set(name, await readFile(join(folder, name)));
    } else throw new HostError('BUNDLE_ARCHIVE', `${name}: is a link or no plain file`);
  }
}
