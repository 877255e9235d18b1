/**
 * Where the SDK is that plug-ins of this installation use, and how this command was called.
 * May import: kernel.
 */
import { spawn } from 'node:child_process';
import { existsSync, readdirSync, statSync } from 'node:fs';
import { mkdtemp, readFile, rename, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { basename, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

import { HostError } from '../../kernel/errors.ts';

export const SDK_FOLDER = fileURLToPath(new URL('../../../sdk', import.meta.url));

const DIST = join(SDK_FOLDER, 'dist');

/** Build the SDK when this is a clone and its sources are newer. False when vcx is an installed package. */
export async function buildSdk(): Promise<boolean> {
  if (SDK_FOLDER.includes('/node_modules/')) return false;
  if (isBuilt()) return true;
  const modules = join(SDK_FOLDER, '..', 'node_modules');
  // Beside its place and then there in one step: others may be reading it, or building it too.
  const fresh = await mkdtemp(join(modules, '.vcx-sdk-'));
  try {
    await compile(join(fresh, 'new'));
    await rename(DIST, join(fresh, 'old')).catch(() => undefined);
    await rename(join(fresh, 'new'), DIST).catch((error: unknown) => {
      if (!isBuilt()) throw error;
    });
  } finally {
    await rm(fresh, { recursive: true, force: true });
  }
  return true;
}

function isBuilt(): boolean {
  const built = statSync(join(DIST, 'src', 'index.js'), { throwIfNoEntry: false })?.mtimeMs ?? 0;
  const sources = ['src', 'testing'].flatMap((folder) =>
    readdirSync(join(SDK_FOLDER, folder)).map((name) => join(SDK_FOLDER, folder, name)),
  );
  return sources.every((file) => statSync(file).mtimeMs <= built);
}

async function compile(outDir: string): Promise<void> {
  const compiler = createRequire(import.meta.url).resolve('typescript/package.json');
  const project = join(SDK_FOLDER, 'tsconfig.build.json');
  const args = [join(compiler, '..', 'bin', 'tsc'), '-p', project, '--outDir', outDir];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 2, 2] });
  const code = await new Promise<number | null>((resolve) => {
    child.once('error', () => resolve(1));
    child.once('exit', resolve);
  });
  if (code !== 0)
    throw new HostError('INTERNAL', 'the SDK can not be built: see `npm run build -w sdk`');
}

/** Version of the SDK that belongs to this vcx. */
export async function sdkVersion(): Promise<string> {
  const text = await readFile(join(SDK_FOLDER, 'package.json'), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}

/** What to type to get this command again. */
export function commandName(): string {
  const program = process.argv[1] ?? '';
  if (process.env['npm_command'] === 'exec') return 'npx vcx';
  return basename(program) === 'vcx' ? 'vcx' : `node ${program}`;
}

/**
 * What a script of the package in this folder types, inside a JSON string: npm finds `vcx` in this clone from below it
 * only, and the Node of this clone from nowhere else.
 */
export function commandFrom(folder: string): string {
  const way = relative(folder, join(SDK_FOLDER, '..'));
  if (/^(?:\.\.(?:\/|$))*$/.test(way)) return 'vcx';
  const node = join(way, 'node_modules', '.bin', 'node');
  const parts = [existsSync(resolve(folder, node)) ? node : 'node', join(way, 'host', 'cli.ts')];
  return parts.map((part) => (/^[\w./@-]+$/.test(part) ? part : `\\"${part}\\"`)).join(' ');
}

/** The same for programs. */
export function commandLine(): string[] {
  return [process.execPath, process.argv[1] ?? ''];
}
