/**
 * Starts the harness, which is the real sandbox in a process of its own, and carries lines to and from it.
 * May import: testing/protocol.
 */
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';

import type { FromHarness, ToHarness } from './protocol.ts';

export interface HarnessOptions {
  readonly folder: string;
  readonly onMessage: (message: FromHarness) => void;
  /** The harness ended by itself. */
  readonly onLost: (reason: string) => void;
}

export interface Harness extends AsyncDisposable {
  send(message: ToHarness): void;
}

/** Time for the harness to end after it was asked to, ms. */
const END_MS = 15_000;

/** Disposing asks it to end and waits; after a while it is killed. */
export function spawnHarness({ folder, onMessage, onLost }: HarnessOptions): Harness {
  const [command = 'vcx', ...args] = commandLine();
  const child = spawn(command, [...args, 'plugin', 'harness', folder], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  let closing = false;
  const exited = new Promise<void>((resolve) => {
    child.once('error', (error) => {
      if (!closing)
        onLost(`${command} can not be started (${error.message}); run \`vcx plugin test\``);
      resolve();
    });
    child.once('exit', (code, signal) => {
      if (!closing) onLost(`the harness ended by itself (${signal ?? code})`);
      resolve();
    });
  });
  child.stdin.on('error', () => undefined);
  createInterface({ input: child.stdout }).on('line', (line) => {
    onMessage(JSON.parse(line) as FromHarness);
  });
  return {
    send(message) {
      if (child.stdin.writable) child.stdin.write(`${JSON.stringify(message)}\n`);
    },
    async [Symbol.asyncDispose]() {
      closing = true;
      child.stdin.end();
      const timer = setTimeout(() => child.kill('SIGKILL'), END_MS);
      await exited;
      clearTimeout(timer);
    },
  };
}

/** `vcx plugin test` says how it was started; a test that is run without it needs `vcx` on the path. */
function commandLine(): string[] {
  const text = process.env['VCX_COMMAND'];
  return text ? (JSON.parse(text) as string[]) : ['vcx'];
}
