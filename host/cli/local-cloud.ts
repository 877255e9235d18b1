/**
 * Starts the local cloud of the SDK as a process of its own and talks to it by lines of JSON.
 * May import: kernel.
 */
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

import { HostError } from '../kernel/errors.ts';

interface LocalUser {
  readonly name: string;
  readonly password: string;
  readonly rights: 'all' | 'view' | 'none';
}

export interface LocalCloudInfo {
  readonly amqpUrl: string;
  /** Null unless it was asked for. */
  readonly natsUrl: string | null;
  readonly cells: readonly { readonly url: string }[];
  readonly orgs: readonly {
    readonly name: string;
    readonly id: string;
    readonly users: readonly LocalUser[];
  }[];
  readonly provider: { readonly user: string; readonly password: string };
}

export interface LocalCloud extends AsyncDisposable {
  readonly info: LocalCloudInfo;
  /** Stop or start its broker; resolves when that is done. */
  broker(what: 'stop' | 'start'): Promise<void>;
}

export interface LocalCloudOptions {
  /** With a NATS server. @default false */
  readonly nats?: boolean;
  /** Number of cells. @default 2 */
  readonly cells?: number;
  /** Of the first cell; the others follow it. 0 takes free ones. @default 0 */
  readonly port?: number;
}

type Message =
  | { readonly type: 'progress'; readonly text: string }
  | ({ readonly type: 'ready' } & LocalCloudInfo)
  | { readonly type: 'done'; readonly command: string }
  | { readonly type: 'error'; readonly message: string };

const PROGRAM = fileURLToPath(new URL('../../sdk/localcloud/main.ts', import.meta.url));

/** Start it and wait until its cells answer; throws BROKER_UNAVAILABLE with the line to type when it can't. */
export async function openLocalCloud(
  onProgress: (text: string) => void,
  signal: AbortSignal,
  { nats = false, cells = 2, port = 0 }: LocalCloudOptions = {},
): Promise<LocalCloud> {
  const numbers = ['--cells', String(cells), '--port', String(port)];
  const args = [PROGRAM, ...numbers, ...(nats ? ['--nats'] : [])];
  const child = spawn(process.execPath, args, { stdio: ['pipe', 'pipe', 'inherit'] });
  const exited = new Promise<number>((resolve) => {
    child.once('exit', (code) => resolve(code ?? 1));
  });
  // Closing its standard input is the request to end; it ends what it started and then itself.
  const end = async () => {
    child.stdin.end();
    await exited;
  };
  const waiting = new Map<string, () => void>();
  child.stdin.on('error', () => undefined);
  const lines = createInterface({ input: child.stdout });

  const info = await new Promise<LocalCloudInfo>((resolve, reject) => {
    lines.on('line', (line) => {
      const message = JSON.parse(line) as Message;
      if (message.type === 'progress') onProgress(message.text);
      if (message.type === 'ready') resolve(message);
      if (message.type === 'done') waiting.get(message.command)?.();
      if (message.type === 'error') reject(new HostError('BROKER_UNAVAILABLE', message.message));
    });
    void exited.then((code) =>
      reject(new HostError('BROKER_UNAVAILABLE', `the local cloud ended with exit code ${code}`)),
    );
    signal.addEventListener('abort', () => reject(new HostError('DRAINING', 'stopped')), {
      once: true,
    });
  }).catch(async (error: unknown) => {
    await end();
    throw error;
  });

  return {
    info,
    async broker(what) {
      const command = `${what}-broker`;
      const done = new Promise<void>((resolve) => waiting.set(command, resolve));
      child.stdin.write(`${JSON.stringify({ type: command })}\n`);
      await Promise.race([done, exited]);
    },
    [Symbol.asyncDispose]: end,
  };
}
