/**
 * Keeps the refresh token of a service account: it changes at every use, and the new one is on disk before it is used.
 * May import: kernel.
 */
import { randomBytes } from 'node:crypto';
import { open, readFile, rename, rm, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { HostError, messageOf } from '../../kernel/errors.ts';
import { pause } from '../../kernel/time.ts';

export interface RefreshTokenFile {
  /**
   * Read the token, hand it to `use`, and store what comes back before returning it.
   * Other processes with the same file (a `vcx register` beside the host) wait their turn.
   * Throws `CONFIG_INVALID` when the file can not be read or written, and whatever `use` throws.
   */
  rotate<T extends { readonly refreshToken: string }>(
    use: (token: string) => Promise<T>,
  ): Promise<T>;
}

export interface RefreshTokenOptions {
  /** A lock older than this belongs to a process that died; milliseconds. @default 60000 */
  readonly staleLockMs?: number;
}

export function createRefreshTokenFile(
  file: string,
  { staleLockMs = 60_000 }: RefreshTokenOptions = {},
): RefreshTokenFile {
  /** A token that vCloud gave but the disk refused: the one in the file is void already. */
  let unsaved: string | null = null;
  return {
    async rotate(use) {
      await using _lock = await lock(`${file}.lock`, staleLockMs);
      const text = await attempt(file, () => readFile(file, 'utf8'));
      const result = await use(unsaved ?? tokenIn(text, file));
      unsaved = result.refreshToken;
      await attempt(file, () => replaceFile(file, withToken(text, result.refreshToken)));
      unsaved = null;
      return result;
    },
  };
}

/** Write beside, flush, rename, flush the folder: a crash leaves the old or the new content, never half. */
async function replaceFile(file: string, text: string): Promise<void> {
  const temporary = `${file}.${randomBytes(6).toString('hex')}.tmp`;
  try {
    const handle = await open(temporary, 'wx', 0o600);
    try {
      await handle.writeFile(text);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(temporary, file);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
  const folder = await open(dirname(file), 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

/** Tools write `{"refresh_token": …}`, people paste the bare token; the form is kept. */
function tokenIn(text: string, file: string): string {
  const token = text.trimStart().startsWith('{') ? jsonOf(text)['refresh_token'] : text.trim();
  if (typeof token === 'string' && /^[\x21-\x7e]{8,4096}$/.test(token)) return token;
  throw new HostError('CONFIG_INVALID', `${file}: expected a refresh token`);
}

function withToken(text: string, token: string): string {
  if (!text.trimStart().startsWith('{')) return `${token}\n`;
  return `${JSON.stringify({ ...jsonOf(text), refresh_token: token }, null, 2)}\n`;
}

function jsonOf(text: string): Record<string, unknown> {
  try {
    const parsed: unknown = JSON.parse(text);
    return typeof parsed === 'object' && parsed !== null ? (parsed as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}

async function lock(path: string, staleMs: number): Promise<AsyncDisposable> {
  for (;;) {
    try {
      await (await open(path, 'wx', 0o600)).close();
      return { [Symbol.asyncDispose]: () => rm(path, { force: true }) };
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw unusable(path, error);
    }
    const age = await stat(path).then(
      (found) => Date.now() - found.mtimeMs,
      () => 0,
    );
    if (age > staleMs) await rm(path, { force: true });
    else await pause(50);
  }
}

async function attempt<T>(file: string, act: () => Promise<T>): Promise<T> {
  try {
    return await act();
  } catch (error) {
    throw unusable(file, error);
  }
}

function unusable(file: string, error: unknown): HostError {
  const message = `vcloud.credentials: the token file ${file} can not be used: ${messageOf(error)}`;
  return new HostError('CONFIG_INVALID', message, { cause: error });
}
