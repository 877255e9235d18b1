/**
 * Why a plug-in could not be bundled, in a sentence that names the place and the next step.
 * May import: build/refuse (types).
 */
import type { BuildFailure, Message } from 'esbuild';
import type { RefusedBuiltin } from './refuse.ts';

/** Stands for the file that imports the author's. */
export const ENTRY = 'vcx-entry.js';

/** Messages have an end: of many the first ones count. */
const SHOWN = 3;

/** What esbuild threw, as an error for the author; what is no failure to build stays as it is. */
export function buildFailure(error: unknown): unknown {
  if (!(error instanceof Error) || !('errors' in error)) return error;
  const { errors } = error as BuildFailure;
  const builtins = errors.flatMap(({ detail }) => (isRefused(detail) ? [detail] : []));
  const others = errors.filter(({ detail }) => !isRefused(detail)).map(describe);
  const text = [...(builtins.length > 0 ? [describeBuiltins(builtins)] : []), ...others];
  return new Error(listed(text, '; '), { cause: error });
}

/** As warnings are shown: the place first, each once. */
export function warningTexts(warnings: readonly Message[]): string[] {
  return [...new Set(warnings.map(describe))];
}

function describe({ text, location }: Message): string {
  const [, entry] = /^No matching export in "(.+)" for import "default"$/.exec(text) ?? [];
  // Asked for by a line of ours, of which the author knows nothing.
  if (entry !== undefined && location?.file === ENTRY)
    return `${entry} has no default export: \`export default { fetch(request, env, ctx) { … } }\``;
  const place = location ? `${location.file}:${location.line}:${location.column + 1}: ` : '';
  return `${place}${rephrased(text)}`;
}

function rephrased(text: string): string {
  if (text.startsWith('Top-level await'))
    return 'top-level await: modules load before any call, and nothing can be waited for then; do it in the handler, and keep the promise for later calls';
  const [, foreign] = /^Could not resolve "([a-z]+:[^"]*)"/.exec(text) ?? [];
  if (foreign !== undefined)
    return `"${foreign}" is of another runtime: a plug-in imports files of its folder and installed npm packages`;
  const [, missing] = /^Could not resolve "([^".][^"]*)"/.exec(text) ?? [];
  if (missing !== undefined)
    return `"${missing}" is not there: \`npm install\` in the plug-in's folder, or \`npm install ${missing}\` when package.json does not name it`;
  if (text.startsWith('"import.meta"'))
    return 'import.meta is empty: a bundle is one script without an address';
  return text;
}

function isRefused(detail: unknown): detail is RefusedBuiltin {
  return typeof detail === 'object' && detail !== null && 'builtin' in detail;
}

/** By what the author can change: their own file, or the package that they import. */
function describeBuiltins(refused: readonly RefusedBuiltin[]): string {
  const byRoot = Map.groupBy(refused, ({ root }) => root);
  const [[root, first] = ['', []]] = byRoot;
  const names = unique(first.map(({ builtin }) => `"${builtin}"`));
  const importers = unique(first.map(({ importer }) => importer));
  const from = importers[0] ?? root;
  const whose = from === root ? from : `${from}, for ${root}`;
  const isOwn = byRoot.size === 1 && from === root;
  const step = isOwn ? '' : '; take packages that are made for browsers or workers';
  if (byRoot.size === 1 && names.length === 1)
    return `${names[0]} is a Node built-in, which a plug-in does not have (imported by ${whose})${step}`;
  const groups = [...byRoot].map(
    ([name, members]) =>
      `${name} (${listed(unique(members.map(({ builtin }) => `"${builtin}"`)), ', ')})`,
  );
  return `a plug-in does not have Node built-ins, which are imported for ${listed(groups, ', ', 6)}${step}`;
}

function unique(texts: readonly string[]): string[] {
  return [...new Set(texts)];
}

function listed(texts: readonly string[], between: string, shown = SHOWN): string {
  const more = texts.length - shown;
  return `${texts.slice(0, shown).join(between)}${more > 0 ? `${between}and ${more} more` : ''}`;
}
