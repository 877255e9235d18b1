/**
 * Finds RabbitMQ on this machine, or installs it where that is possible, out loud.
 * May import: nothing of ours.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { constants } from 'node:fs';
import { access, glob, readFile } from 'node:fs/promises';
import { delimiter, dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

import { answers } from './ports.ts';

export interface Programs {
  readonly server: string;
  readonly ctl: string;
  readonly epmd: string;
}

export type Progress = (line: string) => void;

/** Folders that hold the real start script; `/usr/sbin/rabbitmq-server` is a wrapper that wants root. */
const SERVER_FOLDERS = [
  '/usr/lib/rabbitmq/lib/rabbitmq_server-*/sbin',
  '/usr/lib/rabbitmq/bin',
  '/opt/rabbitmq*/sbin',
  '/opt/rabbitmq_server-*/sbin',
  '/usr/local/lib/rabbitmq*/sbin',
  '/usr/local/rabbitmq*/sbin',
  '/usr/local/opt/rabbitmq/sbin',
  '/opt/homebrew/opt/rabbitmq/sbin',
];

const EPMD_FOLDERS = [
  '/usr/bin',
  '/usr/local/bin',
  '/opt/homebrew/bin',
  '/usr/lib/erlang/bin',
  '/usr/lib/erlang/erts-*/bin',
  '/usr/lib64/erlang/erts-*/bin',
  '/usr/local/lib/erlang/erts-*/bin',
];

const INSTALL_LINE = 'apt-get update && apt-get install -y --no-install-recommends rabbitmq-server';
const LOCK_FILE = '/run/vcx-install.lock';
const INSTALL_DEADLINE_MS = 300_000;

async function isProgram(path: string): Promise<boolean> {
  return access(path, constants.X_OK).then(
    () => true,
    () => false,
  );
}

/** The newest (by name) of the folders that match and hold the program. */
async function findIn(patterns: readonly string[], program: string): Promise<string | undefined> {
  for (const pattern of patterns) {
    const found: string[] = [];
    for await (const path of glob(join(pattern, program))) found.push(path);
    for (const path of found.sort().toReversed()) if (await isProgram(path)) return path;
  }
  return undefined;
}

/** Paths of an installed RabbitMQ, or undefined. `RABBITMQ_HOME` is looked at first. */
export async function findRabbit(
  env: NodeJS.ProcessEnv = process.env,
): Promise<Programs | undefined> {
  const home = env['RABBITMQ_HOME'];
  const server = await findIn(
    home ? [join(home, 'sbin'), ...SERVER_FOLDERS] : SERVER_FOLDERS,
    'rabbitmq-server',
  );
  if (!server) return undefined;
  const path = (env['PATH'] ?? '').split(delimiter).filter(Boolean);
  const epmd = await findIn([...path, ...EPMD_FOLDERS], 'epmd');
  const ctl = join(dirname(server), 'rabbitmqctl');
  return epmd && (await isProgram(ctl)) ? { server, ctl, epmd } : undefined;
}

interface Ran {
  readonly code: number;
  readonly output: string;
}

async function run(command: string, args: readonly string[]): Promise<Ran> {
  const child = spawn(command, args, {
    env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive', LC_ALL: 'C' },
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: INSTALL_DEADLINE_MS,
  });
  let output = '';
  const take = (chunk: Buffer) => {
    output = (output + chunk.toString('utf8')).slice(-4_000);
  };
  child.stdout.on('data', take);
  child.stderr.on('data', take);
  const [code] = (await once(child, 'close')) as [number | null];
  return { code: code ?? 1, output };
}

/** apt's own lock time-out covers dpkg only, not the package lists: those are retried here. */
async function apt(...args: string[]): Promise<Ran> {
  const end = Date.now() + INSTALL_DEADLINE_MS;
  for (;;) {
    const result = await run('apt-get', ['-o', 'DPkg::Lock::Timeout=300', ...args]);
    const locked = /could not get lock|unable to lock/i.test(result.output);
    if (result.code === 0 || !locked || Date.now() > end) return result;
    await delay(2_000);
  }
}

/**
 * Hold a lock that the kernel drops when this process dies, however it dies: `flock` keeps it for as
 * long as its child, which reads our pipe, lives.
 */
async function holdLock(progress: Progress): Promise<AsyncDisposable> {
  const child = spawn('flock', [LOCK_FILE, 'sh', '-c', 'echo held; cat'], {
    stdio: ['pipe', 'pipe', 'ignore'],
    detached: true,
  });
  const closed = once(child, 'close');
  const waiting = setTimeout(() => progress('another process installs packages: waiting'), 2_000);
  await Promise.race([once(child.stdout, 'data'), closed]);
  clearTimeout(waiting);
  return {
    async [Symbol.asyncDispose]() {
      child.stdin.end();
      await closed;
    },
  };
}

async function isDebian(): Promise<boolean> {
  const release = await readFile('/etc/os-release', 'utf8').catch(() => '');
  return (
    /^ID(_LIKE)?=.*\b(debian|ubuntu)\b/m.test(release) && (await isProgram('/usr/bin/apt-get'))
  );
}

const byHand = (why: string, root: boolean) =>
  new Error(
    `RabbitMQ is not installed and ${why}. Type: ${root ? '' : 'sudo '}sh -c '${INSTALL_LINE}'`,
  );

async function installPackages(progress: Progress): Promise<void> {
  await using _lock = await holdLock(progress);
  if (await findRabbit()) return;
  const before = await answers(5672);
  const began = Date.now();
  progress(`RabbitMQ is not installed; as root, this runs now: ${INSTALL_LINE}`);
  const update = await apt('update');
  if (update.code !== 0) progress('apt-get update failed; trying with the package lists at hand');
  const install = await apt('install', '-y', '--no-install-recommends', 'rabbitmq-server');
  if (install.code !== 0) {
    const tail = `${update.code === 0 ? '' : update.output}\n${install.output}`
      .trim()
      .slice(-1_500);
    throw new Error(`apt-get could not install rabbitmq-server:\n${tail}`);
  }
  progress(`rabbitmq-server installed in ${((Date.now() - began) / 1000).toFixed(1)} s`);
  if (!before && (await answers(5672)))
    progress('the package started a broker of its own on port 5672: it is left alone and not used');
}

/**
 * Paths of RabbitMQ's programs: an installed one, else installed now by apt when this is root on
 * Debian or Ubuntu and `install` is true, else an error that holds the line to type.
 */
export async function provideRabbit(install: boolean, progress: Progress): Promise<Programs> {
  const found = await findRabbit();
  if (found) return found;
  const root = process.getuid?.() === 0;
  if (!(await isDebian()))
    throw new Error(
      'RabbitMQ is not installed and this is neither Debian nor Ubuntu. Install the package ' +
        'rabbitmq-server (or unpack it and set RABBITMQ_HOME), or set VCX_AMQP_URL to a broker.',
    );
  if (!install) throw byHand('may not be installed without being asked', root);
  if (!root) throw byHand('only root can install it', root);
  await installPackages(progress);
  const installed = await findRabbit();
  if (!installed) throw byHand('was not found after its installation', root);
  return installed;
}
