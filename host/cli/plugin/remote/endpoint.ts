/**
 * Where the host is that commands talk to, and the token that opens it.
 * May import: everything.
 */
import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

import { isConfigured, readConfig } from '../../../config.ts';
import { HostError, messageOf } from '../../../kernel/errors.ts';
import { TOKEN_FILE } from '../../../operator/token.ts';
import { URL_FILE } from '../../../operator/url-file.ts';
import { localStateDir } from '../../folders.ts';
import type { CommonOptions } from '../run.ts';

export interface RemoteOptions extends CommonOptions {
  readonly operator?: string;
  readonly tokenFile?: string;
}

export interface Endpoint {
  readonly url: URL;
  readonly token: string;
}

/** What may follow `Bearer`. */
const TOKEN = /^[A-Za-z0-9._~+/=-]{1,200}$/;

export interface Surroundings {
  readonly env: NodeJS.ProcessEnv;
  readonly cwd: string;
}

/**
 * Address and token as given, from the environment, or from the state folder of the host that is configured
 * here, else of the local one. Throws CONFIG_INVALID that says how to give what is missing.
 */
export function findEndpoint(options: RemoteOptions, around: Surroundings): Endpoint {
  const { env } = around;
  const folders = stateFolders(around);
  // The token outlives the host, the address does not: while a host restarts, no other one is taken for it.
  const home = folders.find((folder) => existsSync(join(folder, TOKEN_FILE)));
  const given = options.operator ?? env['VCX_OPERATOR_URL'];
  const url = readUrl(given ?? read(home, URL_FILE), folders);
  const explicit = explicitToken(options, around);
  // Folders that a stranger filled must not send a token that was not theirs to a place of their choice.
  if (given === undefined && explicit !== null && !isLoopback(url))
    throw new HostError(
      'CONFIG_INVALID',
      `${URL_FILE} names ${url.host}, which is not this machine: confirm it with --operator`,
    );
  const token = explicit ?? read(home, TOKEN_FILE);
  if (!token)
    throw new HostError(
      'CONFIG_INVALID',
      `there is no token: give --token-file FILE or VCX_OPERATOR_TOKEN (looked into ${folders.join(', ')})`,
    );
  if (!TOKEN.test(token))
    throw new HostError(
      'CONFIG_INVALID',
      'what was given as the token is none: a file of it holds one line and nothing else',
    );
  return { url, token };
}

/** Whether what is sent there stays on this machine. */
export function isLoopback({ hostname }: URL): boolean {
  return hostname === 'localhost' || hostname === '[::1]' || /^127(?:\.\d+){3}$/.test(hostname);
}

function stateFolders({ env, cwd }: Surroundings): string[] {
  if (isConfigured(env, cwd)) return [readConfig(env, cwd).stateDir];
  return [resolve(cwd, env['VCX_STATE_DIR'] ?? '.vcx'), localStateDir(env)];
}

function explicitToken({ tokenFile }: RemoteOptions, { env, cwd }: Surroundings): string | null {
  if (tokenFile === undefined) return env['VCX_OPERATOR_TOKEN']?.trim() ?? null;
  try {
    return readFileSync(resolve(cwd, tokenFile), 'utf8').trim();
  } catch (error) {
    throw new HostError('CONFIG_INVALID', `--token-file: ${messageOf(error)}`, { cause: error });
  }
}

function read(folder: string | undefined, name: string): string | null {
  if (folder === undefined) return null;
  try {
    return readFileSync(join(folder, name), 'utf8').trim();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw new HostError('CONFIG_INVALID', messageOf(error), { cause: error });
  }
}

function readUrl(text: string | null, folders: readonly string[]): URL {
  if (text === null)
    throw new HostError(
      'CONFIG_INVALID',
      `no host is running here: give --operator URL or VCX_OPERATOR_URL (looked for ${URL_FILE} in ${folders.join(', ')})`,
    );
  const url = URL.parse(text);
  if (!url || !['http:', 'https:'].includes(url.protocol) || url.username !== '')
    throw new HostError(
      'CONFIG_INVALID',
      'the address of the operator endpoint is not an http(s) URL',
    );
  return url;
}
