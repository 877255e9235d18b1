/**
 * Folders that commands agree on.
 * May import: nothing.
 */
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';

/** State of the host that `vcx start` runs with a local cloud. */
export function localStateDir(env: NodeJS.ProcessEnv): string {
  return join(cacheFolder(env), 'local');
}

/** What Node has compiled of vcx's own programs; made anew when it is gone. Null for a user without a home. */
export function compiledFolder(
  env: NodeJS.ProcessEnv,
  home: () => string = homedir,
): string | null {
  try {
    return join(cacheFolder(env, home), 'compiled');
  } catch {
    // In a container, for one, whose user id no list has: that is no reason not to run.
    return null;
  }
}

function cacheFolder(env: NodeJS.ProcessEnv, home: () => string = homedir): string {
  const { VCX_CACHE_DIR, XDG_CACHE_HOME } = env;
  return VCX_CACHE_DIR ?? join(XDG_CACHE_HOME ?? join(home(), '.cache'), 'vcx');
}

/**
 * Variables that name a file, made absolute: they are meant from the folder in which they were typed, and the host of
 * a local cloud reads its settings from another one.
 */
export function withPathsFrom(cwd: string, env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const isPath = (name: string) => /^VCX_.*(?:_FILE|_INBOX)$/.test(name);
  return Object.fromEntries(
    Object.entries(env).map(([name, value]) => [
      name,
      value !== undefined && isPath(name) ? resolve(cwd, value) : value,
    ]),
  );
}
