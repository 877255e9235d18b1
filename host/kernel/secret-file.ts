/**
 * A secret in a file that only its owner can read, made at first use.
 * May import: nothing.
 */
import { linkSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';

/**
 * The text in the file, or what `make` returns, kept there from now on. Written beside it and linked into
 * place: of two hosts that start at once one makes it, and the other never reads half of it. Throws what
 * the file system throws.
 */
export function readOrMakeSecret(file: string, make: () => string): string {
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  const draft = `${file}.${process.pid}.draft`;
  writeFileSync(draft, `${make()}\n`, { mode: 0o600 });
  try {
    linkSync(draft, file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  } finally {
    rmSync(draft);
  }
  return readFileSync(file, 'utf8').trim();
}
