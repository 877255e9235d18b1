/**
 * Ed25519 keys that sign bundles: making, reading and naming them.
 * May import: kernel.
 */
import {
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
} from 'node:crypto';

import { HostError } from '../../kernel/errors.ts';

export interface SigningKey {
  /** First 32 hex digits of the SHA-256 of the public key's SPKI form. */
  readonly keyId: string;
  /** SPKI, DER, base64: how a trust store holds it. */
  readonly publicKey: string;
  /** PKCS #8, PEM: keep it to yourself. */
  readonly privatePem: string;
}

export function createSigningKey(): SigningKey {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519');
  return { ...named(publicKey), privatePem: privateKey.export({ type: 'pkcs8', format: 'pem' }) };
}

/** Throws CONFIG_INVALID when the text is no Ed25519 private key. */
export function readSigningKey(privatePem: string): SigningKey {
  let key: KeyObject;
  try {
    key = createPrivateKey(privatePem);
  } catch (error) {
    throw new HostError('CONFIG_INVALID', 'the file holds no private key in PEM form', {
      cause: error,
    });
  }
  if (key.asymmetricKeyType !== 'ed25519')
    throw new HostError('CONFIG_INVALID', 'the private key is not an Ed25519 key');
  return { ...named(createPublicKey(privatePem)), privatePem };
}

/** Null when the text is no Ed25519 public key in base64 SPKI form. */
export function readPublicKey(base64: string): KeyObject | null {
  try {
    const key = createPublicKey({
      key: Buffer.from(base64, 'base64'),
      type: 'spki',
      format: 'der',
    });
    return key.asymmetricKeyType === 'ed25519' ? key : null;
  } catch {
    return null;
  }
}

export function keyIdOf(publicKey: KeyObject): string {
  return named(publicKey).keyId;
}

function named(publicKey: KeyObject): Pick<SigningKey, 'keyId' | 'publicKey'> {
  const der = publicKey.export({ type: 'spki', format: 'der' });
  const keyId = createHash('sha256').update(der).digest('hex').slice(0, 32);
  return { keyId, publicKey: der.toString('base64') };
}
