/**
 * Reads a plug-in from the bytes of a bundle, after the question whether it may be taken at all.
 * May import: kernel.
 */
import { createHash } from 'node:crypto';

import { HostError } from '../../kernel/errors.ts';
import { readBundle } from '../archive/bundle.ts';
import type { Owner, Trust } from '../trust/trust.ts';
import { verifyBundle } from '../trust/verify.ts';
import type { PluginSource } from '../live/plugin.ts';

export interface TrustPolicy {
  /** Asked each time, so that a key revoked since counts. Throws CONFIG_INVALID. */
  readonly trust: () => Promise<Trust>;
  /** Development only: a bundle with no signature is taken as if the provider had made it. */
  readonly allowUnsigned: boolean;
}

export interface CheckedSource extends PluginSource {
  readonly unsigned: boolean;
}

const UNSIGNED: Owner = { id: 'unsigned', kind: 'provider' };

/** Throws BUNDLE_* with the reason. Runs nothing of the bundle. */
export async function readSource(
  archive: Uint8Array,
  { trust, allowUnsigned }: TrustPolicy,
  sourceMap: string | null,
): Promise<CheckedSource> {
  const bundle = readBundle(archive);
  const unsigned = allowUnsigned && bundle.signature === null;
  const { owner, providerSigned } = unsigned
    ? { owner: UNSIGNED, providerSigned: true }
    : await verified(bundle, trust);
  return {
    manifest: bundle.manifest,
    script: bundle.mainJs,
    scriptDigest: createHash('sha256').update(bundle.mainJs).digest('hex'),
    digest: bundle.digest,
    source: 'bundle',
    sourceMap,
    owner,
    trusted: providerSigned,
    unsigned,
  };
}

async function verified(bundle: ReturnType<typeof readBundle>, trust: () => Promise<Trust>) {
  const verdict = verifyBundle(bundle, await trust(), Date.now());
  if (!verdict.ok) throw new HostError(verdict.code, verdict.message);
  return verdict;
}
