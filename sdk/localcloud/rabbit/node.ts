/**
 * The processes of one private node: epmd and the Erlang machine, started, watched and stopped.
 * May import: environment, install, nodes; amqplib.
 */
import { execFile, spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';

import { connect } from 'amqplib';

import type { Keeper } from '../nodes/keeper.ts';
import { answers } from '../nodes/ports.ts';
import { descendantsOf, endProcess, isAlive, signal, waitGone } from '../nodes/processes.ts';
import { type Layout, nodeEnv, nodeName } from './environment.ts';
import type { Programs } from './install.ts';

const START_MS = 90_000;
const STOP_MS = 15_000;
const HELPERS_MS = 3_000;
const CTL_MS = 30_000;

/** What is needed to talk to the node as its operator. */
export interface Tools {
  readonly programs: Programs;
  readonly layout: Layout;
}

export interface Parts extends Tools {
  readonly keeper: Keeper;
  /** Pids of epmd and the node; 0 while not started. */
  readonly pids: { epmd: number; node: number };
}

/** Start a child in a session of its own, its output in a file, and hand it to the keeper at once. */
function launch(
  parts: Parts,
  which: 'epmd' | 'node',
  args: readonly [string, ...string[]],
): number {
  const [command, ...rest] = args;
  const log = openSync(join(parts.layout.dir, `${which}.out`), 'w', 0o600);
  const env = nodeEnv(parts.layout);
  const stdio = ['ignore', log, log] as const;
  const child = spawn(command, rest, {
    env,
    cwd: parts.layout.dir,
    detached: true,
    stdio: [...stdio],
  });
  closeSync(log);
  // A program that cannot be run shows itself as a node that never answers.
  child.on('error', () => undefined);
  parts.pids[which] = child.pid ?? 0;
  watchBoth(parts);
  return parts.pids[which];
}

function watchBoth({ keeper, pids }: Parts): void {
  keeper.watch([pids.node, pids.epmd].filter((pid) => pid > 0));
}

async function startEpmd(parts: Parts): Promise<void> {
  if (isAlive(parts.pids.epmd)) return;
  const port = parts.layout.ports.epmd;
  const pid = launch(parts, 'epmd', [
    parts.programs.epmd,
    '-port',
    String(port),
    '-address',
    '127.0.0.1',
  ]);
  await until(() => answers(port), pid, parts, 10_000);
}

/** Wait for a condition while a process lives; its last words are in the error when it does not. */
async function until(
  condition: () => Promise<boolean>,
  pid: number,
  parts: Parts,
  timeoutMs: number,
): Promise<void> {
  const end = performance.now() + timeoutMs;
  while (!(await condition())) {
    const dead = !isAlive(pid);
    if (dead || performance.now() > end)
      throw new Error(
        `RabbitMQ ${dead ? 'ended while it started' : `did not answer in ${timeoutMs / 1000} s`}: ${await lastWords(parts)}`,
      );
    await delay(50);
  }
}

/** The errors that the node wrote, or else the end of what it wrote. */
async function lastWords({ layout }: Parts): Promise<string> {
  const names = ['epmd.out', 'node.out', `log/${nodeName(layout.ports)}.log`];
  const texts = await Promise.all(
    names.map((name) => readFile(join(layout.dir, name), 'utf8').catch(() => '')),
  );
  const lines = texts.flatMap((text) => text.split('\n').slice(-300));
  const errors = lines.flatMap((line) => /\[error\] \S+ +(\S.*)$/.exec(line)?.[1] ?? []);
  return errors.length > 0 ? errors.slice(0, 12).join('\n') : lines.slice(-12).join('\n');
}

/** True when AMQP answers on the port and it is this node that answers, not a stranger. */
async function isUp({ layout }: Parts): Promise<boolean> {
  const { amqp } = layout.ports;
  if (!(await answers(amqp))) return false;
  try {
    const url = `amqp://guest:guest@127.0.0.1:${amqp}`;
    const connection = await connect(url, { noDelay: true, timeout: 2_000 });
    const name = connection.connection.serverProperties['cluster_name'] as unknown;
    await connection.close();
    return name === nodeName(layout.ports);
  } catch {
    return false;
  }
}

/** Start epmd and the node unless they run; resolves when AMQP answers. */
export async function startNode(parts: Parts): Promise<void> {
  if (isAlive(parts.pids.node)) return;
  await startEpmd(parts);
  const pid = launch(parts, 'node', [parts.programs.server]);
  await until(() => isUp(parts), pid, parts, START_MS);
}

/** End the node, by SIGKILL or cleanly, and wait for it and its helpers; epmd stays. */
export async function stopNode(parts: Parts, kill: boolean): Promise<void> {
  const pid = parts.pids.node;
  if (pid === 0) return;
  // The node's helpers, in sessions of their own, notice its end a moment later.
  const helpers = descendantsOf(pid);
  if (kill) signal(pid, 'SIGKILL');
  else await endProcess(pid, STOP_MS);
  await Promise.all([pid, ...helpers].map((each) => waitGone(each, HELPERS_MS)));
  parts.pids.node = 0;
  watchBoth(parts);
}

/** Run `rabbitmqctl`. */
export async function control(
  { programs, layout }: Tools,
  args: readonly string[],
): Promise<string> {
  // A tool that looks for a node under a wrong name waits for ever: never without a time limit.
  const { stdout } = await promisify(execFile)(programs.ctl, ['-q', ...args], {
    env: nodeEnv(layout),
    cwd: layout.dir,
    timeout: CTL_MS,
    killSignal: 'SIGKILL',
    maxBuffer: 16 * 1024 * 1024,
  });
  return stdout;
}
