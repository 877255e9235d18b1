/**
 * The signature of a bundle: a DSSE envelope over its name, version, digest and the hashes of its files.
 * May import: kernel, quotas, vcloud.
 *
 * https://github.com/secure-systems-lab/dsse, protocol.md. An envelope has exactly one form: what is read is written
 * anew and compared, so that no byte of it can be changed without being seen.
 */
import { createPrivateKey, sign, verify, type KeyObject } from 'node:crypto';
import { z } from 'zod';

import { HostError } from '../../kernel/errors.ts';
import { readArchive, writeArchive } from '../archive/zip.ts';
import { readBundle, type Bundle } from '../archive/bundle.ts';
import { SIGNATURE_ENTRY } from '../archive/names.ts';
import type { SigningKey } from './keys.ts';

export const PAYLOAD_TYPE = 'application/vnd.vcx.bundle+json';
/** The owner's, and the provider's beside it. */
const MAX_SIGNATURES = 2;

/** Padding bits that are not zero would be a second spelling of the same bytes. */
const base64 = z.string().refine((text) => Buffer.from(text, 'base64').toString('base64') === text);
const envelopeSchema = z.strictObject({
  payloadType: z.literal(PAYLOAD_TYPE),
  payload: base64,
  signatures: z
    .array(z.strictObject({ keyid: z.string().regex(/^[0-9a-f]{32}$/), sig: base64 }))
    .min(1)
    .max(MAX_SIGNATURES),
});

export type Envelope = z.infer<typeof envelopeSchema>;

/** The first signature is the owner's. Throws BUNDLE_SIGNATURE_INVALID when it is no envelope, or not of this bundle. */
export function readEnvelope(bundle: Bundle, signature: Uint8Array): Envelope {
  let value: unknown;
  try {
    value = JSON.parse(Buffer.from(signature).toString());
  } catch (error) {
    throw invalid('signature.json is not JSON', { cause: error });
  }
  const result = envelopeSchema.safeParse(value);
  if (!result.success) throw invalid('signature.json is no envelope of a bundle');
  const envelope = result.data;
  if (!encodeEnvelope(envelope).equals(signature))
    throw invalid('signature.json is not in the one form that it may have');
  if (envelope.payload !== payloadOf(bundle).toString('base64'))
    throw invalid('the signature is of other files: the bundle was changed after it was signed');
  return envelope;
}

/** Whether the signature at `index` was made by this key over this payload. */
export function isSignedBy(envelope: Envelope, index: number, publicKey: KeyObject): boolean {
  const one = envelope.signatures[index];
  if (!one) return false;
  const payload = Buffer.from(envelope.payload, 'base64');
  return verify(null, preAuthentication(payload), publicKey, Buffer.from(one.sig, 'base64'));
}

/**
 * The bundle with a signature. A signature that is there is replaced; with `counter` it stays and this one stands
 * beside it. Throws BUNDLE_UNSIGNED when there is nothing to countersign, CONFIG_INVALID when the same key did both.
 */
export function signBundle(
  bytes: Uint8Array,
  { key, counter = false }: { readonly key: SigningKey; readonly counter?: boolean },
): Buffer {
  const bundle = readBundle(bytes);
  const payload = payloadOf(bundle);
  const own = {
    keyid: key.keyId,
    sig: sign(null, preAuthentication(payload), createPrivateKey(key.privatePem)).toString(
      'base64',
    ),
  };
  const signatures = counter ? [ownersSignature(bundle, key), own] : [own];
  const envelope: Envelope = {
    payloadType: PAYLOAD_TYPE,
    payload: payload.toString('base64'),
    signatures,
  };
  const files = new Map(readArchive(bytes));
  files.set(SIGNATURE_ENTRY, encodeEnvelope(envelope));
  return writeArchive(files);
}

function ownersSignature(bundle: Bundle, key: SigningKey): Envelope['signatures'][number] {
  if (!bundle.signature)
    throw new HostError('BUNDLE_UNSIGNED', 'the owner has not signed this bundle yet');
  const [owners] = readEnvelope(bundle, bundle.signature).signatures;
  if (!owners) throw invalid('the envelope holds no signature');
  if (owners.keyid === key.keyId)
    throw new HostError('CONFIG_INVALID', 'the bundle is signed with this very key already');
  return owners;
}

/** Keys in a fixed order, so that equal bundles have equal payloads. */
function payloadOf({ manifest, digest, hashes }: Bundle): Buffer {
  const { name, version } = manifest;
  return Buffer.from(JSON.stringify({ name, version, digest, files: hashes }));
}

function encodeEnvelope({ payloadType, payload, signatures }: Envelope): Buffer {
  const list = signatures.map(({ keyid, sig }) => ({ keyid, sig }));
  return Buffer.from(`${JSON.stringify({ payloadType, payload, signatures: list })}\n`);
}

/** DSSE's PAE: type and length are signed too. */
function preAuthentication(payload: Buffer): Buffer {
  const head = `DSSEv1 ${PAYLOAD_TYPE.length} ${PAYLOAD_TYPE} ${payload.length} `;
  return Buffer.concat([Buffer.from(head), payload]);
}

function invalid(why: string, options?: ErrorOptions): HostError {
  return new HostError('BUNDLE_SIGNATURE_INVALID', why, options);
}
