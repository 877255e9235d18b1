/**
 * Reads broker credentials from a file, anew at every connect, so that a rotated password needs no restart.
 * May import: kernel.
 */
import { readFile } from 'node:fs/promises';

import { HostError } from '../../kernel/errors.ts';
import type { Credentials } from '../options.ts';

/**
 * For `BrokerOptions.credentials`: a file whose first line is `USER:PASSWORD` (the password may hold
 * colons). Rejects with `CONFIG_INVALID` naming the file, never its content.
 */
export function credentialsFromFile(path: string): () => Promise<Credentials> {
  return async () => {
    const text = await readFile(path, 'utf8').catch((cause: unknown) => {
      throw new HostError('CONFIG_INVALID', `credentials file ${path} can not be read`, { cause });
    });
    const line = text.split(/\r?\n/, 1)[0] ?? '';
    const colon = line.indexOf(':');
    if (colon < 1)
      throw new HostError('CONFIG_INVALID', `credentials file ${path}: expected USER:PASSWORD`);
    return { username: line.slice(0, colon), password: line.slice(colon + 1) };
  };
}
