/**
 * Makes the two scripts that run in an isolate: the prelude and a plug-in's bundle.
 * May import: build/failure, build/packages, build/refuse.
 */
import { createHash } from 'node:crypto';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { type BuildOptions, build } from 'esbuild';
import { buildFailure, ENTRY, warningTexts } from './failure.ts';
import { keptPackages } from './packages.ts';
import { refuseNode } from './refuse.ts';

const guest = fileURLToPath(new URL('../', import.meta.url));
const sdk = fileURLToPath(new URL('../../src/index.ts', import.meta.url));

export interface Prelude {
  /** One script that ends with `;0`. */
  readonly source: string;
  /** SHA-256 of `source`, hex. */
  readonly digest: string;
}

export interface PluginScript extends Prelude {
  /** JSON of a version 3 source map of `source`. */
  readonly sourceMap: string;
  readonly warnings: readonly string[];
}

const COMMON = {
  bundle: true,
  write: false,
  format: 'iife',
  platform: 'neutral',
  mainFields: ['module', 'main'],
  conditions: ['import', 'default'],
  target: 'esnext',
  // A single character beyond Latin-1 would make V8 keep the whole script in two bytes a character.
  charset: 'ascii',
  legalComments: 'none',
  logLevel: 'silent',
  banner: { js: '"use strict";' },
  // The value of the last statement would keep the whole context alive in isolated-vm.
  footer: { js: ';0' },
} as const satisfies BuildOptions;

function digestOf(source: string): string {
  return createHash('sha256').update(source).digest('hex');
}

/** The prelude from its sources; about 100 ms. Throws when a kept package no longer fits. */
export async function buildPrelude(): Promise<Prelude> {
  const result = await build({
    ...COMMON,
    absWorkingDir: guest,
    entryPoints: [path.join(guest, 'prelude.ts')],
    minify: true,
    treeShaking: true,
    plugins: [keptPackages()],
  });
  const source = (result.outputFiles[0]?.text ?? '').trimEnd();
  return { source, digest: digestOf(source) };
}

export interface BundleOptions {
  /** Without white space and comments, which name the files' places on this machine. @default false */
  readonly compact?: boolean;
}

/** As bundlers for browsers and workers do: packages name there what replaces or leaves out Node's modules. */
const AS_WORKER = {
  platform: 'browser',
  mainFields: ['browser', 'module', 'main'],
  conditions: ['worker', 'browser', 'import', 'default'],
  define: { 'process.env.NODE_ENV': '"production"', global: 'globalThis', self: 'globalThis' },
  loader: { '.html': 'text', '.sql': 'text', '.xml': 'text' },
  // V8 has none yet.
  supported: { decorators: false },
} as const satisfies BuildOptions;

/**
 * One script from a plug-in's entry file; it leaves the default export in `globalThis.__vcx_plugin`.
 * Throws with the author's place or package when Node built-ins are imported, and on syntax errors.
 */
export async function bundlePlugin(
  entryFile: string,
  { compact = false }: BundleOptions = {},
): Promise<PluginScript> {
  const entry = path.resolve(entryFile);
  const result = await build({
    ...COMMON,
    ...AS_WORKER,
    absWorkingDir: path.dirname(entry),
    stdin: {
      contents: `import plugin from ${JSON.stringify(entry)};\nglobalThis.__vcx_plugin = plugin;`,
      resolveDir: path.dirname(entry),
      sourcefile: ENTRY,
    },
    outfile: 'main.js',
    alias: { '#sdk': sdk, '@vcx/sdk': sdk },
    minifySyntax: true,
    minifyWhitespace: compact,
    keepNames: false,
    sourcemap: 'external',
    plugins: [refuseNode()],
  }).catch((error: unknown) => {
    throw buildFailure(error);
  });
  const text = (ending: string): string =>
    result.outputFiles.find((file) => file.path.endsWith(ending))?.text ?? '';
  const source = text('main.js').trimEnd();
  return {
    source,
    digest: digestOf(source),
    sourceMap: text('.map'),
    warnings: warningTexts(result.warnings),
  };
}
