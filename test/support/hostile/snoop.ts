/**
 * What code would try that broke out of its isolate into the runner: files, processes, sockets, signals, users.
 * Every attempt yields the code of its refusal, or `done`.
 */
import { createSocket } from 'node:dgram';
import dns from 'node:dns';
import fs from 'node:fs';
import { connect, createServer } from 'node:net';
import { setPriority } from 'node:os';
import { writeHeapSnapshot } from 'node:v8';

export interface SnoopTargets {
  /** A folder that everybody may write to. */
  readonly folder: string;
  /** A file that everybody may read. */
  readonly file: string;
  readonly port: number;
  readonly unixPath: string;
  /** Processes of others: the host, another runner. */
  readonly pids: readonly number[];
}

const PATIENCE_MS = 2_000;

interface Ffi {
  dlopen(name: string, symbols: object): unknown;
}

type Attempts = Readonly<Record<string, () => unknown>>;

function fileAttempts({ folder, file, pids }: SnoopTargets): Attempts {
  const inFolder = (name: string): string => `${folder}/${name}`;
  return {
    'read a file': () => fs.readFileSync(file),
    'read a file later': () => fs.promises.readFile(file),
    'read the root folder': () => fs.readdirSync('/'),
    'read the environment of the host': () => fs.readFileSync(`/proc/${pids[0]}/environ`),
    'read its own maps': () => fs.readFileSync('/proc/self/maps'),
    'open its own memory': () => fs.openSync('/proc/self/mem', 'r+'),
    'write a file': () => fs.writeFileSync(inFolder('written'), 'x'),
    'make a folder': () => fs.mkdirSync(inFolder('made')),
    'link a file': () => fs.symlinkSync(file, inFolder('linked')),
    'remove a file': () => fs.rmSync(file),
    'watch a folder': () => fs.watch(folder),
    'write by SQLite': () => {
      const { DatabaseSync } = process.getBuiltinModule('node:sqlite');
      new DatabaseSync(inFolder('base')).exec('create table t(c)');
    },
    'write a heap snapshot': () => writeHeapSnapshot(inFolder('heap')),
    'write a report': () => process.report.writeReport(inFolder('report')),
    'import a file': () => import(file),
    'load an environment file': () => process.loadEnvFile(file),
    'change the folder': () => process.chdir(folder),
  };
}

function processAttempts({ pids }: SnoopTargets): Attempts {
  const child = process.getBuiltinModule('node:child_process');
  const { Worker } = process.getBuiltinModule('node:worker_threads');
  const signals: Record<string, () => unknown> = {};
  for (const pid of pids) {
    signals[`look for process ${pid}`] = () => process.kill(pid, 0);
    signals[`wake process ${pid}`] = () => process.kill(pid, 'SIGCONT');
    signals[`slow process ${pid}`] = () => setPriority(pid, 19);
  }
  return {
    'start a process': () => child.execFileSync('/bin/true'),
    'become a process': () =>
      (process as { execve?: Function }).execve?.('/bin/true', ['true'], {}),
    'start a worker': () => new Worker('1', { eval: true }),
    'open an inspector': () => process.getBuiltinModule('node:inspector').open(0),
    'call a C function': () => {
      const ffi = process.getBuiltinModule('node:ffi') as unknown as Ffi;
      ffi.dlopen('libc.so.6', { getpid: { result: 'i32', parameters: [] } });
    },
    'become root': () => process.setuid?.(0),
    'join a group': () => process.setgroups?.([0]),
    ...signals,
  };
}

function networkAttempts({ port, unixPath }: SnoopTargets): Attempts {
  const connected = (open: () => ReturnType<typeof connect>) => (): Promise<void> =>
    new Promise((resolve, reject) => open().on('connect', resolve).on('error', reject));
  return {
    'connect by TCP': connected(() => connect(port, '127.0.0.1')),
    'connect to a path': connected(() => connect(unixPath)),
    'connect to an abstract path': connected(() => connect('\0hostile')),
    listen: () =>
      new Promise<void>((resolve, reject) => {
        createServer().on('error', reject).listen(0, resolve);
      }),
    'send by UDP': () =>
      new Promise<void>((resolve, reject) => {
        const datagram = createSocket('udp4').on('error', reject);
        datagram.send('x', port, '127.0.0.1', (error) => (error ? reject(error) : resolve()));
      }),
    'look a name up': () => dns.promises.lookup('localhost'),
    'ask a name server': () => {
      const resolver = new dns.promises.Resolver({ timeout: 200, tries: 1 });
      resolver.setServers([`127.0.0.1:${port}`]);
      return resolver.resolve4('hostile.example');
    },
    fetch: () => fetch(`http://127.0.0.1:${port}/`),
  };
}

/** Try everything; gives the answer of each attempt, and what it sees of itself. */
export async function snoop(targets: SnoopTargets): Promise<Record<string, string>> {
  const attempts = {
    ...fileAttempts(targets),
    ...processAttempts(targets),
    ...networkAttempts(targets),
  };
  const found: Record<string, string> = {};
  for (const [name, attempt] of Object.entries(attempts)) found[name] = await answerOf(attempt);
  return found;
}

async function answerOf(attempt: () => unknown): Promise<string> {
  try {
    const tooLong = new Promise((_, reject) => {
      setTimeout(() => reject(Object.assign(new Error('late'), { code: 'LATE' })), PATIENCE_MS);
    });
    await Promise.race([attempt(), tooLong]);
    return 'done';
  } catch (error) {
    const { code, cause } = error as Error & { code?: string };
    return String(code ?? (cause as { code?: string } | undefined)?.code ?? error);
  }
}
