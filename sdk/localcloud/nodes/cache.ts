/**
 * Where vcx keeps what can be made again: data folders of private brokers.
 * May import: nothing of ours.
 */
import { homedir } from 'node:os';
import { isAbsolute, join, resolve } from 'node:path';

/** The cache folder: `VCX_CACHE_DIR`, else `vcx` below `XDG_CACHE_HOME` or `~/.cache`. */
export function cacheFolder(env: NodeJS.ProcessEnv = process.env): string {
  if (env['VCX_CACHE_DIR']) return resolve(env['VCX_CACHE_DIR']);
  // The base directory specification says that a relative XDG path must be ignored.
  const xdg = env['XDG_CACHE_HOME'];
  return join(xdg && isAbsolute(xdg) ? xdg : join(homedir(), '.cache'), 'vcx');
}

/** The folder below the cache that holds one data folder per private node of this kind. */
export function nodesFolder(
  kind: 'rabbitmq' | 'nats',
  env: NodeJS.ProcessEnv = process.env,
): string {
  return join(cacheFolder(env), kind);
}
