/**
 * Manifests of versions that are installed, live or not.
 * May import: kernel, storage.
 */
import { HostError } from '../../kernel/errors.ts';
import type { InstalledPlugin, InstalledStore } from '../../storage/installed.ts';
import { readBundle } from '../archive/bundle.ts';
import type { Manifest } from '../manifest/manifest.ts';

/** Of an installed version; null when there is none or it can't be read. */
export async function manifestOf(
  installed: Pick<InstalledStore, 'getBlob'>,
  record: InstalledPlugin | null,
  version: string,
): Promise<Manifest | null> {
  try {
    return await readManifest(installed, record, version);
  } catch (error) {
    // What was altered on disk, or what an older host took and this one does not.
    if (error instanceof HostError) return null;
    throw error;
  }
}

/** The same, but throws STORE_BLOB_ALTERED or BUNDLE_* for what can't be read. */
export async function readManifest(
  installed: Pick<InstalledStore, 'getBlob'>,
  record: InstalledPlugin | null,
  version: string,
): Promise<Manifest | null> {
  const entry = record?.versions.find((one) => one.version === version);
  const archive = entry && (await installed.getBlob(entry.archive));
  return archive ? readBundle(archive).manifest : null;
}
