/**
 * The operator's bearer token: made at the first start, kept in a file only its owner can read.
 * May import: kernel.
 */
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { mkdirSync, openSync, readFileSync, writeSync, closeSync } from 'node:fs';
import { join } from 'node:path';

import { HostError, messageOf } from '../kernel/errors.ts';

export interface OperatorToken {
  /** Where it is kept; printed, unlike the token itself. */
  readonly file: string;
  /** Constant-time comparison. */
  matches(candidate: string): boolean;
}

/** Read `operator.token` below the state folder, or make it. Throws CONFIG_INVALID when that fails. */
export function loadToken(stateDir: string): OperatorToken {
  const file = join(stateDir, 'operator.token');
  try {
    const token = readOrMake(stateDir, file);
    const expected = digest(token);
    return { file, matches: (candidate) => timingSafeEqual(digest(candidate), expected) };
  } catch (error) {
    throw new HostError('CONFIG_INVALID', `stateDir: ${messageOf(error)}`, { cause: error });
  }
}

function readOrMake(stateDir: string, file: string): string {
  mkdirSync(stateDir, { recursive: true, mode: 0o700 });
  try {
    // `wx`: of two hosts that start at once, one makes it and the other reads it.
    const descriptor = openSync(file, 'wx', 0o600);
    const token = randomBytes(32).toString('base64url');
    writeSync(descriptor, `${token}\n`);
    closeSync(descriptor);
    return token;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    return readFileSync(file, 'utf8').trim();
  }
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
