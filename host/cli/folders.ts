/**
 * Folders that commands agree on.
 * May import: nothing.
 */
import { homedir } from 'node:os';
import { join } from 'node:path';

/** State of the host that `vcx start` runs with a local cloud. */
export function localStateDir(env: NodeJS.ProcessEnv): string {
  const { VCX_CACHE_DIR, XDG_CACHE_HOME } = env;
  return join(VCX_CACHE_DIR ?? join(XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'vcx'), 'local');
}
