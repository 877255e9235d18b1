/**
 * `vcx plugin new`: the first files of a plug-in, from a template.
 * May import: everything.
 */
import { existsSync, readdirSync } from 'node:fs';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

import { parseManifest } from '../../bundles/manifest/manifest.ts';
import { HostError } from '../../kernel/errors.ts';
import { openQuestions, type Terminal } from './questions.ts';
import { buildSdk, commandFrom, commandName, SDK_FOLDER, sdkVersion } from './sdk.ts';
import type { Answer, Progress } from './run.ts';

export const TEMPLATE_NAMES = ['ts', 'hono'] as const;
export type TemplateName = (typeof TEMPLATE_NAMES)[number];

export interface NewOptions {
  readonly template?: TemplateName;
  /** Take the defaults and ask nothing. */
  readonly yes?: boolean;
  readonly dir?: string;
}

const TEMPLATES = fileURLToPath(new URL('../../../sdk/templates', import.meta.url));
const NAME = /^[a-z][a-z0-9-]{0,62}$/;
const HONO_VERSION = '4.13.19';

export async function createPlugin(
  given: string | undefined,
  options: NewOptions,
  progress: Progress,
): Promise<Answer> {
  const { name, template } = await choose(given, options);
  const folder = resolve(options.dir ?? name);
  const problem = folderProblem(folder);
  if (problem !== null) throw new HostError('CONFIG_INVALID', problem);
  progress.show('preparing the SDK');
  const files = await render(template, await valuesOf(name, template, folder));
  parseManifest(JSON.parse(files.get('plugin.json') ?? ''));
  for (const [path, text] of files) {
    await mkdir(dirname(join(folder, path)), { recursive: true });
    await writeFile(join(folder, path), text, { flag: 'wx' });
  }
  const where = relative(process.cwd(), folder) || '.';
  const vcx = commandName();
  return {
    ok: true,
    text: [
      `${where}: a plug-in named ${name} (${template}); next:`,
      `  ${vcx} plugin dev ${where}      runs it on a simulated cell and prints calls to copy`,
      `  ${vcx} plugin test ${where}     its tests, in a real isolate`,
      `  ${vcx} plugin deploy ${where}   onto a host`,
      `\`npm install\` in ${where} gives your editor the types${template === 'hono' ? ', and Hono' : ''}.`,
    ],
    json: { name, template, folder, files: [...files.keys()].sort() },
  };
}

interface Chosen {
  readonly name: string;
  readonly template: TemplateName;
}

async function choose(given: string | undefined, options: NewOptions): Promise<Chosen> {
  const { stdin: input, stdout: output } = process;
  const { name, template } =
    !options.yes && input.isTTY && output.isTTY
      ? await askFor(given, options, { input, output })
      : { name: given, template: options.template };
  if (name === undefined) throw new HostError('CONFIG_INVALID', 'give the name of the plug-in');
  const problem = nameProblem(name);
  if (problem !== null) throw new HostError('CONFIG_INVALID', problem);
  return { name, template: template ?? 'ts' };
}

/** Ask for what is not given; an answer that will not do is asked for again. Throws CONFIG_INVALID. */
export async function askFor(
  given: string | undefined,
  { template, dir }: NewOptions,
  terminal: Terminal,
): Promise<Chosen> {
  if (given !== undefined && template !== undefined) return { name: given, template };
  using questions = openQuestions(terminal);
  const name =
    given ??
    (await questions.ask({
      text: 'name (my-plugin): ',
      otherwise: 'my-plugin',
      problem: (answer) => nameProblem(answer) ?? folderProblem(resolve(dir ?? answer)),
    }));
  const chosen =
    template ??
    (await questions.ask({
      text: 'template, ts or hono (ts): ',
      otherwise: 'ts',
      problem: (answer) =>
        templateNamed(answer) ? null : `template: one of ${TEMPLATE_NAMES.join(', ')}`,
    }));
  return { name, template: templateNamed(chosen) ?? 'ts' };
}

function templateNamed(name: string): TemplateName | undefined {
  return TEMPLATE_NAMES.find((one) => one === name);
}

function nameProblem(name: string): string | null {
  if (NAME.test(name)) return null;
  return `name: a lower-case letter, then letters, digits and dashes, at most 63 (found ${JSON.stringify(name)})`;
}

function folderProblem(folder: string): string | null {
  return existsSync(folder) && readdirSync(folder).length > 0
    ? `${folder} is not empty: --dir FOLDER takes another`
    : null;
}

type Values = Readonly<Record<string, string>>;

/** In a clone the SDK is linked and built here; from a package its version is asked of the registry. */
async function valuesOf(name: string, template: TemplateName, folder: string): Promise<Values> {
  const isClone = await buildSdk();
  const link = relative(folder, SDK_FOLDER);
  const schema = isClone
    ? join(link, 'plugin.schema.json')
    : './node_modules/@vcx/sdk/plugin.schema.json';
  return {
    name,
    title: name
      .replaceAll(/(?:^|-)([a-z0-9])/g, (_, first: string) => ` ${first.toUpperCase()}`)
      .trim(),
    schema,
    sdk: isClone ? `file:${link}` : await sdkVersion(),
    dependencies:
      template === 'hono' ? `"dependencies": {\n    "hono": "${HONO_VERSION}"\n  },\n  ` : '',
    vcx: commandName(),
    command: isClone ? commandFrom(folder) : 'vcx',
  };
}

/** Names of template files: `__` stands for a folder, `gitignore` for the hidden file that npm would leave out. */
async function render(template: TemplateName, values: Values): Promise<Map<string, string>> {
  const files = new Map<string, string>();
  for (const part of ['common', template])
    for (const file of await readdir(join(TEMPLATES, part))) {
      const text = await readFile(join(TEMPLATES, part, file), 'utf8');
      const path = file.replace(/\.tmpl$/, '').replaceAll('__', '/');
      files.set(path === 'gitignore' ? '.gitignore' : path, fill(text, values));
    }
  return files;
}

function fill(text: string, values: Values): string {
  return text.replaceAll(/\{\{(\w+)\}\}/g, (whole, key: string) => values[key] ?? whole);
}
