/**
 * Finds programs on this machine, and installs their packages where that is possible, out loud.
 * May import: ports.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { constants } from 'node:fs';
import { access, glob, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

import { answers } from './ports.ts';

export type Progress = (line: string) => void;

/** A program that comes with a package of Debian and Ubuntu. */
export interface Package<T> {
  /** For people: `RabbitMQ`. */
  readonly title: string;
  /** As apt calls it. */
  readonly name: string;
  /** What else helps where there is no apt: the end of a sentence that begins with "Install the package". */
  readonly otherwise: string;
  /** Where a broker listens that the package starts by itself. */
  readonly port: number;
  find(): Promise<T | undefined>;
}

const LOCK_FILE = '/run/vcx-install.lock';
const INSTALL_DEADLINE_MS = 300_000;

const installLine = (name: string) =>
  `apt-get update && apt-get install -y --no-install-recommends ${name}`;

export async function isProgram(path: string): Promise<boolean> {
  return access(path, constants.X_OK).then(
    () => true,
    () => false,
  );
}

/** The newest (by name) of the folders that match and hold the program. */
export async function findIn(
  patterns: readonly string[],
  program: string,
): Promise<string | undefined> {
  for (const pattern of patterns) {
    const found: string[] = [];
    for await (const path of glob(join(pattern, program))) found.push(path);
    for (const path of found.sort().toReversed()) if (await isProgram(path)) return path;
  }
  return undefined;
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

function byHand({ title, name }: Package<unknown>, why: string, root: boolean): Error {
  return new Error(
    `${title} is not installed and ${why}. Type: ${root ? '' : 'sudo '}sh -c '${installLine(name)}'`,
  );
}

async function install(wanted: Package<unknown>, progress: Progress): Promise<void> {
  await using _lock = await holdLock(progress);
  if (await wanted.find()) return;
  const { title, name, port } = wanted;
  const before = await answers(port);
  const began = Date.now();
  progress(`${title} is not installed; as root, this runs now: ${installLine(name)}`);
  const update = await apt('update');
  if (update.code !== 0) progress('apt-get update failed; trying with the package lists at hand');
  const installed = await apt('install', '-y', '--no-install-recommends', name);
  if (installed.code !== 0) {
    const tail = `${update.code === 0 ? '' : update.output}\n${installed.output}`
      .trim()
      .slice(-1_500);
    throw new Error(`apt-get could not install ${name}:\n${tail}`);
  }
  progress(`${name} installed in ${((Date.now() - began) / 1000).toFixed(1)} s`);
  if (!before && (await answers(port)))
    progress(
      `the package started a broker of its own on port ${port}: it is left alone and not used`,
    );
}

/**
 * What `find` finds: an installed program, else one installed now by apt when this is root on Debian or
 * Ubuntu and `mayInstall` is true, else an error that holds the line to type.
 */
export async function provide<T>(
  wanted: Package<T>,
  mayInstall: boolean,
  progress: Progress,
): Promise<T> {
  const found = await wanted.find();
  if (found) return found;
  const root = process.getuid?.() === 0;
  if (!(await isDebian()))
    throw new Error(
      `${wanted.title} is not installed and this is neither Debian nor Ubuntu. Install the package ${wanted.otherwise}`,
    );
  if (!mayInstall) throw byHand(wanted, 'may not be installed without being asked', root);
  if (!root) throw byHand(wanted, 'only root can install it', root);
  await install(wanted, progress);
  const installed = await wanted.find();
  if (!installed) throw byHand(wanted, 'was not found after its installation', root);
  return installed;
}
