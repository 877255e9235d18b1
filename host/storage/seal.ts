/**
 * Encrypts what is kept on disk: AES-256-GCM with a key that lies beside the store, for its owner only.
 * May import: kernel.
 */
import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';

import { HostError, messageOf } from '../kernel/errors.ts';
import { readOrMakeSecret } from '../kernel/secret-file.ts';

export interface Seal {
  /** `about` is bound to the text: sealed bytes can not be moved to another place. */
  seal(text: string, about: string): Uint8Array;
  /** Null when the bytes were altered, moved, or sealed with another key. */
  open(sealed: Uint8Array, about: string): string | null;
}

const NONCE = 12;
const TAG = 16;
const KEY = 32;

export function createSeal(key: Uint8Array): Seal {
  return {
    seal(text, about) {
      const nonce = randomBytes(NONCE);
      const cipher = createCipheriv('aes-256-gcm', key, nonce).setAAD(Buffer.from(about));
      const body = Buffer.concat([cipher.update(text, 'utf8'), cipher.final()]);
      return Buffer.concat([nonce, cipher.getAuthTag(), body]);
    },
    open(sealed, about) {
      try {
        const bytes = Buffer.from(sealed);
        const decipher = createDecipheriv('aes-256-gcm', key, bytes.subarray(0, NONCE))
          .setAAD(Buffer.from(about))
          .setAuthTag(bytes.subarray(NONCE, NONCE + TAG));
        const body = bytes.subarray(NONCE + TAG);
        return Buffer.concat([decipher.update(body), decipher.final()]).toString('utf8');
      } catch {
        return null;
      }
    },
  };
}

/** From a key in base64, as an environment variable holds it; `from` names it. Throws CONFIG_INVALID. */
export function sealFromText(text: string, from: string): Seal {
  const key = Buffer.from(text.trim(), 'base64');
  if (key.length === KEY) return createSeal(key);
  throw new HostError('CONFIG_INVALID', `${from}: it does not hold ${KEY} bytes in base64`);
}

/** Read the key file, or make it with mode 0600. Throws CONFIG_INVALID. */
export function loadSeal(file: string): Seal {
  try {
    const text = readOrMakeSecret(file, () => randomBytes(32).toString('base64'));
    const key = Buffer.from(text, 'base64');
    if (key.length !== KEY) throw new Error(`it does not hold ${KEY} bytes in base64`);
    return createSeal(key);
  } catch (error) {
    throw new HostError('CONFIG_INVALID', `stateDir: ${file}: ${messageOf(error)}`, {
      cause: error,
    });
  }
}
