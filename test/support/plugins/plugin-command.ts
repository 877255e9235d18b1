/** Runs `vcx plugin …` as a process of its own in a folder of its own. */
import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { COMPILE_CACHE } from '../compile-cache.ts';

const CLI = fileURLToPath(new URL('plugin-cli.ts', import.meta.url));

export interface Ran {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
  /** Standard output as JSON. */
  json(): Record<string, unknown>;
}

export interface Workshop extends AsyncDisposable {
  readonly folder: string;
  /** `vcx plugin` with these arguments. */
  plugin(...args: string[]): Promise<Ran>;
  /** Any program, in the folder or below it. */
  run(program: string, args: readonly string[], below?: string): Promise<Ran>;
}

/** A folder that goes with the test. */
export async function openWorkshop(): Promise<Workshop> {
  const folder = await mkdtemp(join(tmpdir(), 'vcx-workshop-'));
  const run: Workshop['run'] = (program, args, below = '.') =>
    runProgram(program, args, join(folder, below));
  return {
    folder,
    run,
    plugin: (...args) => run(process.execPath, [CLI, 'plugin', ...args]),
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }),
  };
}

function runProgram(program: string, args: readonly string[], cwd: string): Promise<Ran> {
  const child = spawn(program, args, {
    cwd,
    env: { ...process.env, ...COMPILE_CACHE },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => {
      const json = () => JSON.parse(stdout) as Record<string, unknown>;
      resolve({ code, stdout, stderr, json });
    });
  });
}
