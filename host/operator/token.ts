/**
 * The operator's bearer token: made at the first start, kept in a file only its owner can read.
 * May import: kernel.
 */
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { join } from 'node:path';

import { HostError, messageOf } from '../kernel/errors.ts';
import { readOrMakeSecret } from '../kernel/secret-file.ts';

/** Name of the file below the state folder. */
export const TOKEN_FILE = 'operator.token';

export interface OperatorToken {
  /** Where it is kept; printed, unlike the token itself. */
  readonly file: string;
  /** Constant-time comparison. */
  matches(candidate: string): boolean;
}

/** Read `operator.token` below the state folder, or make it. Throws CONFIG_INVALID when that fails. */
export function loadToken(stateDir: string): OperatorToken {
  const file = join(stateDir, TOKEN_FILE);
  try {
    const token = readOrMakeSecret(file, () => randomBytes(32).toString('base64url'));
    const expected = digest(token);
    return { file, matches: (candidate) => timingSafeEqual(digest(candidate), expected) };
  } catch (error) {
    throw new HostError('CONFIG_INVALID', `stateDir: ${messageOf(error)}`, { cause: error });
  }
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
