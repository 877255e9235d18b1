/**
 * Where the SDK is that plug-ins of this installation use, and how this command was called.
 * May import: kernel.
 */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { HostError } from '../../kernel/errors.ts';

export const SDK_FOLDER = fileURLToPath(new URL('../../../sdk', import.meta.url));

/** Build the SDK when this is a clone and it was not built yet. False when vcx is an installed package. */
export async function buildSdk(): Promise<boolean> {
  if (SDK_FOLDER.includes('/node_modules/')) return false;
  if (existsSync(join(SDK_FOLDER, 'dist', 'src', 'index.js'))) return true;
  const compiler = createRequire(import.meta.url).resolve('typescript/package.json');
  const program = join(compiler, '..', 'bin', 'tsc');
  const child = spawn(process.execPath, [program, '-p', join(SDK_FOLDER, 'tsconfig.build.json')], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  const code = await new Promise<number | null>((resolve) => {
    child.once('error', () => resolve(1));
    child.once('exit', resolve);
  });
  if (code !== 0)
    throw new HostError('INTERNAL', 'the SDK can not be built: `npm run build -w sdk`');
  return true;
}

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

/** The same for programs. */
export function commandLine(): string[] {
  return [process.execPath, process.argv[1] ?? ''];
}
