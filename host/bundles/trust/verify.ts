/**
 * Whether a bundle may be taken: is it signed, by whom, with a key that still counts, and for their own namespace?
 * May import: kernel, quotas, vcloud.
 */
import { HostError, messageOf, type Code } from '../../kernel/errors.ts';
import type { Bundle } from '../archive/bundle.ts';
import { isSignedBy, readEnvelope, type Envelope } from './signature.ts';
import type { Owner, Trust } from './trust.ts';

export type Verdict =
  | {
      readonly ok: true;
      readonly owner: Owner;
      /** The provider signed it: as owner, or beside the owner. Decides how it is isolated. */
      readonly providerSigned: boolean;
      /** The owner's first. */
      readonly keyIds: readonly string[];
      /** When the first of the keys expires, epoch ms. */
      readonly notAfter: number;
    }
  | { readonly ok: false; readonly code: Code; readonly message: string };

/** `now` in epoch ms. Every signature in the envelope must hold: one that proves nothing is not carried along. */
export function verifyBundle(bundle: Bundle, trust: Trust, now: number): Verdict {
  try {
    return verify(bundle, trust, now);
  } catch (error) {
    if (error instanceof HostError) return no(error.code, messageOf(error));
    throw error;
  }
}

function verify(bundle: Bundle, trust: Trust, now: number): Verdict {
  if (trust.revoked.has(bundle.digest))
    return no('BUNDLE_REVOKED', `the bundle ${bundle.digest} was revoked`);
  if (!bundle.signature) return no('BUNDLE_UNSIGNED', 'the bundle is not signed');
  const envelope = readEnvelope(bundle, bundle.signature);
  const signers: Signer[] = [];
  for (let index = 0; index < envelope.signatures.length; index++)
    signers.push(checkSignature(envelope, index, { trust, now }));
  const [first, second] = signers;
  if (!first) return no('BUNDLE_UNSIGNED', 'the bundle is not signed');
  if (second && (second.owner.kind !== 'provider' || second.owner.id === first.owner.id))
    return no('BUNDLE_SIGNATURE_INVALID', 'the second signature must be the provider’s');
  const foreign = checkNamespace(bundle, first.owner, trust);
  if (foreign) return foreign;
  return {
    ok: true,
    owner: first.owner,
    providerSigned: signers.some(({ owner }) => owner.kind === 'provider'),
    keyIds: signers.map(({ keyId }) => keyId),
    notAfter: Math.min(...signers.map((signer) => signer.notAfter)),
  };
}

interface Signer {
  readonly owner: Owner;
  readonly keyId: string;
  readonly notAfter: number;
}

/** Throws with the code of what is wrong. The revocation list comes first: it holds keys that nobody owns any more. */
function checkSignature(
  envelope: Envelope,
  index: number,
  { trust, now }: { trust: Trust; now: number },
): Signer {
  const keyId = envelope.signatures[index]?.keyid ?? '';
  if (trust.revoked.has(keyId))
    throw new HostError('BUNDLE_KEY_REVOKED', `the key ${keyId} was revoked`);
  const known = trust.keys.get(keyId);
  if (!known)
    throw new HostError('BUNDLE_KEY_UNKNOWN', `the trust store has no owner with the key ${keyId}`);
  const { owner, publicKey, notAfter } = known;
  if (!isSignedBy(envelope, index, publicKey))
    throw new HostError('BUNDLE_SIGNATURE_INVALID', `the signature by ${keyId} does not hold`);
  if (now >= notAfter)
    throw new HostError(
      'BUNDLE_KEY_EXPIRED',
      `the key ${keyId} of ${owner.id} expired at ${new Date(notAfter).toISOString()}`,
    );
  return { owner, keyId, notAfter };
}

function checkNamespace({ manifest }: Bundle, owner: Owner, trust: Trust): Verdict | null {
  const { namespace } = manifest.vcloud;
  const holder = trust.holderOf(namespace);
  if (holder?.id === owner.id) return null;
  const whose = holder ? `belongs to ${holder.id}` : 'is claimed by nobody in the trust store';
  return no(
    'BUNDLE_NAMESPACE_FOREIGN',
    `${owner.id} signed, but the namespace ${namespace} ${whose}`,
  );
}

function no(code: Code, message: string): Verdict {
  return { ok: false, code, message };
}
