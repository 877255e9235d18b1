/**
 * Reading and writing the files of `vcx plugin` commands.
 * May import: kernel, bundles.
 */
import { randomBytes } from 'node:crypto';
import { readFile, rename, rm, stat, writeFile } from 'node:fs/promises';

import { ARCHIVE_DEFAULTS } from '../../bundles/archive/zip.ts';
import { HostError, messageOf } from '../../kernel/errors.ts';

/** The bytes of a bundle; throws CONFIG_INVALID when there is no such file, BUNDLE_TOO_LARGE before reading it. */
export async function readBundleFile(file: string): Promise<Buffer> {
  const known = await stat(file).catch(() => null);
  if (!known?.isFile()) throw new HostError('CONFIG_INVALID', `${file}: there is no such file`);
  const { archiveBytes } = ARCHIVE_DEFAULTS;
  if (known.size > archiveBytes)
    throw new HostError('BUNDLE_TOO_LARGE', `${file}: more than ${archiveBytes} bytes`);
  return readFile(file);
}

/** Text of a small file; throws CONFIG_INVALID. */
export async function readText(file: string): Promise<string> {
  return readFile(file, 'utf8').catch((error: unknown) => {
    throw fileError(file, error);
  });
}

/** In words where they are known: the path, and what is wrong with it. */
export function fileError(file: string, error: unknown): HostError {
  const { code = '' } = error as NodeJS.ErrnoException;
  const words: Readonly<Record<string, string>> = {
    ENOENT: 'there is no such file',
    EEXIST: 'is there already, and is not written over',
    EISDIR: 'is a folder',
    EACCES: 'may not be opened',
  };
  const known = words[code];
  const message = known === undefined ? messageOf(error) : `${file}: ${known}`;
  return new HostError('CONFIG_INVALID', message, { cause: error });
}

/** The value that the text of this file holds. Throws CONFIG_INVALID. */
export function parseJson(file: string, text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch (error) {
    throw new HostError('CONFIG_INVALID', `${file}: ${messageOf(error)}`, { cause: error });
  }
}

/** Whoever reads the file meanwhile sees the old content or the new, never half of it. Throws CONFIG_INVALID. */
export async function writeWhole(file: string, content: string | Uint8Array): Promise<void> {
  const beside = `${file}.${randomBytes(6).toString('hex')}`;
  try {
    await writeFile(beside, content, { flag: 'wx' });
    await rename(beside, file);
  } catch (error) {
    await rm(beside, { force: true });
    throw new HostError('CONFIG_INVALID', messageOf(error), { cause: error });
  }
}
