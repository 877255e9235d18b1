/**
 * Where the operator endpoint of this state folder is, so that the command line finds it.
 * May import: kernel.
 */
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { HostError, messageOf } from '../kernel/errors.ts';

/** Name of the file below the state folder. */
export const URL_FILE = 'operator.url';

/** How often a host looks whether there still is an address. */
const LOOK_MS = 1_000;

/**
 * Write the address to `operator.url`; of several hosts that share the folder the last one is found, and when that one
 * has ended, one that still runs. Disposing removes it, unless another host wrote its own there. Throws CONFIG_INVALID
 * when it can not be written.
 */
export function writeOperatorUrl(stateDir: string, url: string): Disposable {
  const file = join(stateDir, URL_FILE);
  const text = `${reachable(url)}\n`;
  try {
    mkdirSync(stateDir, { recursive: true, mode: 0o700 });
    writeWhole(file, text);
  } catch (error) {
    throw new HostError('CONFIG_INVALID', `stateDir: ${messageOf(error)}`, { cause: error });
  }
  const timer = setInterval(() => {
    try {
      if (!existsSync(file)) writeWhole(file, text);
    } catch {
      // The folder is gone, or full: it is tried again.
    }
  }, LOOK_MS).unref();
  return {
    [Symbol.dispose]() {
      clearInterval(timer);
      try {
        if (readFileSync(file, 'utf8') === text) rmSync(file);
      } catch {
        // It is gone already.
      }
    },
  };
}

/** Nobody reads a half of it. */
function writeWhole(file: string, text: string): void {
  const draft = `${file}.${randomBytes(6).toString('hex')}`;
  try {
    writeFileSync(draft, text, { mode: 0o600, flag: 'wx' });
    renameSync(draft, file);
  } catch (error) {
    rmSync(draft, { force: true });
    throw error;
  }
}

/** An address that stands for all of this machine's is no address to call. */
function reachable(url: string): string {
  return url.replace('//0.0.0.0:', '//127.0.0.1:').replace('//[::]:', '//[::1]:');
}
