/**
 * What a `.vcx` bundle is: manifest, one script, assets, texts and a signature, and the digest over all but the last.
 * May import: kernel, quotas, vcloud.
 */
import { createHash } from 'node:crypto';

import { HostError, messageOf } from '../../kernel/errors.ts';
import { readArchive, type ArchiveCaps, type ArchiveFiles } from './zip.ts';
import { MANIFEST_ENTRY, SCRIPT_ENTRY, SIGNATURE_ENTRY } from './names.ts';
import { withLocalization } from './localization.ts';
import { parseManifest, type Manifest } from '../manifest/manifest.ts';

export interface Bundle {
  /** Texts of `localization/` are in `vcloud.localization` already. */
  readonly manifest: Manifest;
  readonly mainJs: string;
  /** Every file but the signature, by path. */
  readonly files: ArchiveFiles;
  /** SHA-256 of every file but the signature, hex, by path. */
  readonly hashes: Readonly<Record<string, string>>;
  /** SHA-256 over the listing of all files but the signature, hex: what the bundle is, whoever signed it. */
  readonly digest: string;
  /** `signature.json` as it is: checked by `verifyBundle` and by nothing before it. */
  readonly signature: Uint8Array | null;
}

/** A manifest is read before anybody knows who made it: what is checked is bounded. Texts have files of their own. */
const MAX_MANIFEST_BYTES = 262_144;

/** Read a bundle; throws BUNDLE_ARCHIVE, BUNDLE_TOO_LARGE or BUNDLE_INVALID. Runs nothing of it and trusts nobody. */
export function readBundle(bytes: Uint8Array, caps: ArchiveCaps = {}): Bundle {
  const all = readArchive(bytes, caps);
  const files = new Map([...all].filter(([name]) => name !== SIGNATURE_ENTRY));
  if ((files.get(MANIFEST_ENTRY)?.byteLength ?? 0) > MAX_MANIFEST_BYTES)
    throw new HostError(
      'BUNDLE_TOO_LARGE',
      `${MANIFEST_ENTRY} has more than ${MAX_MANIFEST_BYTES} bytes; texts belong into localization/`,
    );
  const manifest = parseManifest(jsonOf(files, MANIFEST_ENTRY));
  if (manifest.main !== SCRIPT_ENTRY)
    throw new HostError('BUNDLE_INVALID', `plugin.json: main: a bundle has ${SCRIPT_ENTRY}`);
  return {
    manifest: withLocalization(manifest, files),
    mainJs: textOf(files, SCRIPT_ENTRY),
    files,
    ...digestOf(files),
    signature: all.get(SIGNATURE_ENTRY) ?? null,
  };
}

/** One line a file, in the order of the names: path, size in bytes, SHA-256. Paths hold no tab or line break. */
export function digestOf(files: ArchiveFiles): Pick<Bundle, 'digest' | 'hashes'> {
  const hashes: Record<string, string> = {};
  const listing = createHash('sha256').update('vcx bundle 1\n');
  for (const name of [...files.keys()].sort()) {
    const content = files.get(name) ?? new Uint8Array();
    const hash = createHash('sha256').update(content).digest('hex');
    hashes[name] = hash;
    listing.update(`${name}\t${content.byteLength}\t${hash}\n`);
  }
  return { digest: listing.digest('hex'), hashes };
}

function jsonOf(files: ArchiveFiles, name: string): unknown {
  try {
    return JSON.parse(textOf(files, name)) as unknown;
  } catch (error) {
    if (error instanceof HostError) throw error;
    throw new HostError('BUNDLE_INVALID', `${name} is not JSON: ${messageOf(error)}`, {
      cause: error,
    });
  }
}

function textOf(files: ArchiveFiles, name: string): string {
  const content = files.get(name);
  if (!content) throw new HostError('BUNDLE_INVALID', `${name} is missing`);
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(content);
  } catch (error) {
    throw new HostError('BUNDLE_INVALID', `${name} is not UTF-8`, { cause: error });
  }
}
