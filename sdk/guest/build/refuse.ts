/**
 * The esbuild plug-in that refuses Node's built-ins in plug-in code, naming import and importer.
 * May import: nothing.
 */
import { isBuiltin } from 'node:module';
import path from 'node:path';
import type { Plugin } from 'esbuild';

/** An installed package may share a built-in's name (`buffer`, `events`): it is taken when it is there. */
export function refuseNode(): Plugin {
  return {
    name: 'refuse-node',
    setup(build) {
      build.onResolve({ filter: /^[a-z]/ }, async (args) => {
        if (args.pluginData === 'checked' || !isBuiltin(args.path)) return null;
        const { resolveDir, kind, importer } = args;
        if (!args.path.startsWith('node:')) {
          const found = await build.resolve(args.path, { resolveDir, kind, pluginData: 'checked' });
          if (found.errors.length === 0) return found;
        }
        const from = path.relative(build.initialOptions.absWorkingDir ?? '', importer);
        return {
          errors: [
            {
              text: `"${args.path}" is a Node built-in, which a plug-in does not have (imported by ${from})`,
            },
          ],
        };
      });
    },
  };
}
