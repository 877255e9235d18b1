/**
 * `vcx plugin new`: the first files of a plug-in, from a template.
 * May import: everything.
 */
import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join, relative, resolve } from 'node:path';
import { createInterface } from 'node:readline/promises';
import { fileURLToPath } from 'node:url';

import { parseManifest } from '../../bundles/manifest/manifest.ts';
import { HostError } from '../../kernel/errors.ts';
import { buildSdk, commandName, SDK_FOLDER, sdkVersion } from './sdk.ts';
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
  if (existsSync(folder) && (await readdir(folder)).length > 0)
    throw new HostError('CONFIG_INVALID', `${folder} is not empty`);
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

async function choose(
  given: string | undefined,
  { template, yes = false }: NewOptions,
): Promise<{ name: string; template: TemplateName }> {
  const mayAsk = !yes && process.stdin.isTTY && process.stdout.isTTY;
  let name = given;
  let chosen: string | undefined = template;
  if (mayAsk && (name === undefined || chosen === undefined)) {
    using terminal = createInterface({ input: process.stdin, output: process.stdout });
    name ??= (await terminal.question('name (my-plugin): ')) || 'my-plugin';
    chosen ??= (await terminal.question('template, ts or hono (ts): ')) || 'ts';
  }
  if (name === undefined) throw new HostError('CONFIG_INVALID', 'give the name of the plug-in');
  if (!NAME.test(name))
    throw new HostError(
      'CONFIG_INVALID',
      `name: lower-case letters, digits and dashes, at most 63 (found ${JSON.stringify(name)})`,
    );
  const known = TEMPLATE_NAMES.find((one) => one === (chosen ?? 'ts'));
  if (!known)
    throw new HostError('CONFIG_INVALID', `template: one of ${TEMPLATE_NAMES.join(', ')}`);
  return { name, template: known };
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
