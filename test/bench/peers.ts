/**
 * The consumers that are compared, each a process of its own on the same broker.
 * May import: test/bench, amqplib.
 */
import { type ChildProcess, execFile, fork, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

import { connect } from 'amqplib';

import { ready } from './load.ts';

export interface Peer extends AsyncDisposable {
  readonly name: string;
  readonly pid: number;
  /** Routing key of its service. */
  readonly key: string;
  /** Status of its replies when all is well. */
  readonly status: number;
}

export interface HostLook {
  readonly lagP99Ms: number;
  readonly lagMaxMs: number;
  readonly rssMb: number;
}

export interface HostPeer extends Peer {
  /** Measure lag from now until `look`. */
  watch(): void;
  look(): Promise<HostLook>;
}

const PYTHON = '/usr/bin/python3';
const here = (file: string): string => fileURLToPath(new URL(file, import.meta.url));

/** Queues for the consumers that do not make their own. */
export async function declareTopology(url: string): Promise<void> {
  const connection = await connect(url, { noDelay: true });
  const channel = await connection.createChannel();
  await channel.assertExchange('vcd.replyExchange', 'direct', { durable: true });
  await channel.assertExchange('sdkext', 'direct', { durable: true });
  for (const key of ['raw', 'pika']) {
    await channel.assertQueue(key, { durable: true });
    await channel.bindQueue(key, 'sdkext', key);
  }
  await connection.close();
}

export async function openRaw(url: string): Promise<Peer> {
  const child = fork(here('echo-process.ts'), [url, 'raw']);
  await ready(child);
  return peerOf(child, { name: 'raw', key: 'raw', status: 0 });
}

/** Null when pika is neither there nor can be installed. */
export async function openPika(url: string, say: (line: string) => void): Promise<Peer | null> {
  if (!(await providePika(say))) return null;
  const child = spawn(PYTHON, [here('pika-process.py'), url, 'pika'], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  await Promise.race([
    once(child.stdout, 'data'),
    once(child, 'exit').then(() => Promise.reject(new Error('the pika consumer did not start'))),
  ]);
  return peerOf(child, { name: 'pika', key: 'pika', status: 200 });
}

async function providePika(say: (line: string) => void): Promise<boolean> {
  const run = promisify(execFile);
  const has = (): Promise<boolean> =>
    run(PYTHON, ['-c', 'import pika']).then(
      () => true,
      () => false,
    );
  if (await has()) return true;
  if (process.getuid?.() === 0) {
    const line = ['install', '-y', '--no-install-recommends', 'python3-pika'];
    say(`python3-pika is missing: apt-get ${line.join(' ')}`);
    await run('apt-get', line).catch((error: unknown) => say(String(error)));
  }
  return has();
}

export interface HostPeerOptions {
  readonly url: string;
  readonly stateDir: string;
  readonly folders: readonly string[];
  /** Flags of Node, e.g. for a profile. */
  readonly execArgv: readonly string[];
  /** Further variables of its environment. */
  readonly settings?: Readonly<Record<string, string>>;
}

export async function openHostPeer(options: HostPeerOptions): Promise<HostPeer> {
  const child = fork(here('host-process.ts'), {
    execArgv: [...options.execArgv],
    env: {
      PATH: process.env['PATH'],
      VCX_AMQP_URL: options.url,
      VCX_PLUGINS_FOLDERS: JSON.stringify(options.folders),
      VCX_OPERATOR_PORT: '0',
      VCX_STATE_DIR: options.stateDir,
      VCX_LOG_LEVEL: 'error',
      ...options.settings,
    },
  });
  await ready(child);
  return Object.assign(peerOf(child, { name: 'vcx', key: 'hello', status: 200 }), {
    watch: () => void child.send('watch'),
    async look() {
      child.send('look');
      const [look] = (await once(child, 'message')) as [HostLook];
      return look;
    },
  });
}

function peerOf(child: ChildProcess, facts: Pick<Peer, 'name' | 'key' | 'status'>): Peer {
  return {
    ...facts,
    pid: child.pid ?? 0,
    async [Symbol.asyncDispose]() {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const gone = once(child, 'exit');
      if (child.connected) child.disconnect();
      else child.stdin?.end();
      await gone;
    },
  };
}
