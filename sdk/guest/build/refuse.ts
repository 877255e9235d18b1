/**
 * The esbuild plug-in that refuses Node's built-ins in plug-in code, and knows who brought them in.
 * May import: nothing.
 */
import { isBuiltin } from 'node:module';
import path from 'node:path';
import type { Plugin } from 'esbuild';

/** `detail` of esbuild's errors about a built-in. */
export interface RefusedBuiltin {
  readonly builtin: string;
  /** File that imports it, from the plug-in's folder. */
  readonly importer: string;
  /** What the author's own source imports for which it came in: a package, or the importer itself. */
  readonly root: string;
}

/**
 * An installed package may share a built-in's name (`buffer`, `events`), and a package may say that browsers do
 * without (`"browser": { "fs": false }`): then esbuild goes on by itself.
 */
export function refuseNode(): Plugin {
  return {
    name: 'refuse-node',
    setup(build) {
      const folder = build.initialOptions.absWorkingDir ?? '';
      /** By package: who imported it first, a package or nobody (the author's own source). */
      const importedBy = new Map<string, string | null>();
      build.onResolve({ filter: /^[@a-z]/ }, async (args) => {
        if (args.pluginData === 'checked') return null;
        const { resolveDir, kind, importer, path: name } = args;
        if (!isBuiltin(name)) {
          const known = packageOf(name);
          if (!importedBy.has(known)) importedBy.set(known, packageIn(importer));
          return null;
        }
        if (!name.startsWith('node:')) {
          const options = { importer, resolveDir, kind, pluginData: 'checked' };
          const found = await build.resolve(name, options);
          if (found.errors.length === 0) return null;
        }
        const from = path.relative(folder, importer).split(path.sep).join('/');
        const root = rootOf(packageIn(importer), importedBy) ?? from;
        const detail: RefusedBuiltin = { builtin: name, importer: from, root };
        return { errors: [{ text: `"${name}" is a Node built-in`, detail }] };
      });
    },
  };
}

/** Up to the package that the author's source imports. */
function rootOf(
  name: string | null,
  importedBy: ReadonlyMap<string, string | null>,
): string | null {
  let root = name;
  for (const seen = new Set<string>(); root !== null && !seen.has(root);) {
    seen.add(root);
    root = importedBy.get(root) ?? null;
    if (root !== null) name = root;
  }
  return name;
}

/** `@scope/name` of `@scope/name/sub/path`. */
function packageOf(specifier: string): string {
  return specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/');
}

/** The package that a file belongs to; null for the author's own. */
function packageIn(file: string): string | null {
  const parts = file.split(path.sep);
  const at = parts.lastIndexOf('node_modules');
  return at < 0 ? null : packageOf(parts.slice(at + 1).join('/'));
}
