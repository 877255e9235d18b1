/**
 * Where programs that tests start keep what Node made of their modules: half of what a start costs is reading 400 files
 * of TypeScript anew. In the repository's own folder: what lies there is run.
 * May import: nothing.
 */
import { fileURLToPath } from 'node:url';

/** For the environment of a child process. */
export const COMPILE_CACHE = {
  NODE_COMPILE_CACHE: fileURLToPath(
    new URL('../../node_modules/.cache/vcx-tests', import.meta.url),
  ),
} as const;
