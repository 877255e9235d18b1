/**
 * Folders that commands agree on.
 * May import: nothing.
 */
import { homedir } from 'node:os';
import { join } from 'node:path';

/** State of the host that `vcx start` runs with a local cloud. */
export function localStateDir(env: NodeJS.ProcessEnv): string {
  return join(cacheFolder(env), 'local');
}

/** What Node has compiled of vcx's own programs; made anew when it is gone. */
export function compiledFolder(env: NodeJS.ProcessEnv): string {
  return join(cacheFolder(env), 'compiled');
}

function cacheFolder({ VCX_CACHE_DIR, XDG_CACHE_HOME }: NodeJS.ProcessEnv): string {
  return VCX_CACHE_DIR ?? join(XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'vcx');
}
