/** The command line as a user runs it: a child process with its output, and what it leaves behind. */
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { COMPILE_CACHE } from './compile-cache.ts';
import { waitFor } from './wait.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

/** What a program needs of the environment; nothing of vcx. What Node compiled for one test serves the next. */
export function bareEnv(): NodeJS.ProcessEnv {
  const { PATH, HOME } = process.env;
  return { PATH, HOME, ...COMPILE_CACHE };
}

export interface Program extends AsyncDisposable {
  readonly pid: number;
  /** Standard output and error so far. */
  output(): string;
  /** Wait until the output matches. */
  says(pattern: RegExp, timeoutMs?: number): Promise<RegExpExecArray>;
  signal(name: NodeJS.Signals): void;
  readonly exited: Promise<number | null>;
  /** Processes that belong to it and still run, as command lines. */
  leftovers(): string[];
}

/** Run `vcx` with these arguments, a cache folder and a session of its own. */
export function runProgram(args: string[], env: Record<string, string> = {}): Program {
  const cache = mkdtempSync(join(tmpdir(), 'vcx-program-'));
  const child = spawn(process.execPath, [join(ROOT, 'host/cli.ts'), ...args], {
    cwd: env['CWD'] ?? ROOT,
    env: { ...bareEnv(), VCX_CACHE_DIR: cache, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  });
  let text = '';
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk: Buffer) => (text += chunk.toString()));
  const exited = new Promise<number | null>((resolve) => {
    child.once('exit', (code) => resolve(code));
  });
  const pid = child.pid ?? 0;
  const leftovers = () => processesOf(pid, cache);
  return {
    pid,
    output: () => text,
    async says(pattern, timeoutMs = 120_000) {
      await waitFor(
        () => pattern.test(text) || child.exitCode !== null,
        () => text,
        timeoutMs,
      );
      const match = pattern.exec(text);
      if (!match) throw new Error(`it ended with ${child.exitCode} and said:\n${text}`);
      return match;
    },
    signal: (name) => void process.kill(pid, name),
    exited,
    leftovers,
    async [Symbol.asyncDispose]() {
      if (child.exitCode === null && child.signalCode === null) child.kill('SIGTERM');
      await exited;
      await waitFor(
        () => leftovers().length === 0,
        () => leftovers().join('\n'),
      );
      rmSync(cache, { recursive: true, force: true });
    },
  };
}

/** By session, or by the cache folder in the environment or the arguments: brokers have sessions of their own. */
function processesOf(session: number, cache: string): string[] {
  const found: string[] = [];
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    try {
      const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
      const [state, , , sid] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
      const environment = readFileSync(`/proc/${pid}/environ`, 'utf8');
      const ours =
        Number(sid) === session || environment.includes(cache) || command.includes(cache);
      if (ours && state !== 'Z') found.push(`${pid} ${command}`);
    } catch {
      // It ended while we looked.
    }
  }
  return found;
}
