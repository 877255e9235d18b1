/**
 * The process of one private nats-server: configured, started, watched and stopped.
 * May import: nodes.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

import type { Keeper } from '../nodes/keeper.ts';
import { endProcess, isAlive, signal, waitGone } from '../nodes/processes.ts';

const START_MS = 20_000;
const STOP_MS = 10_000;
const INFO_MS = 2_000;

export interface Parts {
  readonly program: string;
  readonly dir: string;
  readonly port: number;
  readonly jetstream: boolean;
  readonly config: readonly string[];
  readonly keeper: Keeper;
  /** 0 while it does not run. */
  pid: number;
}

const configOf = (dir: string) => join(dir, 'nats.conf');

/** Its command line holds these arguments, and no other's does. */
export function markOf(dir: string): readonly string[] {
  return ['-c', configOf(dir)];
}

const nameOf = ({ port }: Pick<Parts, 'port'>) => `vcx-${port}`;

/** Write the configuration; data of an earlier run in the same folder is kept. */
export async function writeConfig(parts: Parts): Promise<void> {
  const { dir, port, jetstream, config } = parts;
  const lines = [
    `server_name: ${nameOf(parts)}`,
    'host: 127.0.0.1',
    `port: ${port}`,
    ...(jetstream ? [`jetstream: { store_dir: ${JSON.stringify(join(dir, 'store'))} }`] : []),
    ...config,
  ];
  await writeFile(configOf(dir), `${lines.join('\n')}\n`, { mode: 0o600 });
}

/** Start it unless it runs; resolves when it greets clients, which is after JetStream has read its store. */
export async function startNode(parts: Parts): Promise<void> {
  if (isAlive(parts.pid)) return;
  const log = openSync(join(parts.dir, 'nats.out'), 'w', 0o600);
  const child = spawn(parts.program, [...markOf(parts.dir)], {
    cwd: parts.dir,
    env: { PATH: process.env['PATH'] ?? '', LANG: 'C.UTF-8' },
    // A session of its own: the Ctrl-C of the terminal must not reach it.
    detached: true,
    stdio: ['ignore', log, log],
  });
  closeSync(log);
  // A program that can not be run shows itself as a node that never answers.
  child.on('error', () => undefined);
  parts.pid = child.pid ?? 0;
  parts.keeper.watch([parts.pid]);
  await untilUp(parts);
}

async function untilUp(parts: Parts): Promise<void> {
  const end = performance.now() + START_MS;
  while (!(await greets(parts))) {
    const dead = !isAlive(parts.pid);
    if (dead || performance.now() > end)
      throw new Error(
        `nats-server ${dead ? 'ended while it started' : `did not answer in ${START_MS / 1000} s`}: ${await lastWords(parts.dir)}`,
      );
    await delay(25);
  }
}

async function lastWords(dir: string): Promise<string> {
  const text = await readFile(join(dir, 'nats.out'), 'utf8').catch(() => '');
  return text.split('\n').slice(-12).join('\n').trim();
}

/** True when a NATS server greets on the port and it is this one, not a stranger. */
async function greets(parts: Parts): Promise<boolean> {
  const socket = connect({ port: parts.port, host: '127.0.0.1' });
  try {
    const [first] = (await once(socket, 'data', { signal: AbortSignal.timeout(INFO_MS) })) as [
      Buffer,
    ];
    return first.toString('utf8').includes(`"server_name":"${nameOf(parts)}"`);
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}

/** End it, by SIGKILL or cleanly, and wait until it is gone. */
export async function stopNode(parts: Parts, kill: boolean): Promise<void> {
  const { pid } = parts;
  if (pid === 0) return;
  if (kill) {
    signal(pid, 'SIGKILL');
    await waitGone(pid, STOP_MS);
  } else await endProcess(pid, STOP_MS);
  parts.pid = 0;
  parts.keeper.watch([]);
}
