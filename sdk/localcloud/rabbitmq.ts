/**
 * Runs a private RabbitMQ node: own name, ports, epmd and data folder, no root, nothing left behind.
 * May import: rabbit, amqplib.
 */
import { execFile, spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, realpath } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';

import { connect } from 'amqplib';

import { nodesFolder } from './rabbit/cache.ts';
import { type Layout, nodeEnv, nodeName, writeLayout } from './rabbit/environment.ts';
import { type Programs, provideRabbit } from './rabbit/install.ts';
import { type Keeper, openKeeper } from './rabbit/keeper.ts';
import { answers, freePort } from './rabbit/ports.ts';
import { endProcess, isAlive, signal, waitGone } from './rabbit/processes.ts';
import { recordOwner, sweepNodes } from './rabbit/sweep.ts';

export interface RabbitOptions {
  /** Data folder, kept at the end. @default a new folder below the cache, deleted at the end */
  readonly dir?: string;
  /** AMQP port on 127.0.0.1. @default a free one */
  readonly port?: number;
  /** Extra lines of rabbitmq.conf. @default [] */
  readonly config?: readonly string[];
  /** Plug-ins to enable, such as `rabbitmq_management`. @default [] */
  readonly plugins?: readonly string[];
  /** Told, in one line each, what happens while it takes long. @default nothing */
  readonly onProgress?: (line: string) => void;
  /** Install the package when it is missing and this is root on Debian or Ubuntu. @default true */
  readonly install?: boolean;
}

export const RABBIT_DEFAULTS = {
  config: [],
  plugins: [],
  onProgress: () => undefined,
  install: true,
} as const satisfies RabbitOptions;

/** A running node; disposing it ends node, epmd and keeper, and deletes a folder that was not given. */
export interface RabbitNode extends AsyncDisposable {
  /** `amqp://guest:guest@127.0.0.1:PORT` */
  readonly url: string;
  readonly port: number;
  /** Pid of the Erlang machine; another one after each `start`. */
  readonly pid: number;
  readonly dir: string;
  /** SIGKILL the node and wait until it is gone; what was not on disk is lost. */
  kill(): Promise<void>;
  /** Stop the node cleanly and wait until it is gone. */
  stop(): Promise<void>;
  /** Start again on the same data and port; returns when AMQP answers. Does nothing while it runs. */
  start(): Promise<void>;
  /** Run `rabbitmqctl` against the node; resolves to its output, rejects on failure or after 30 s. */
  ctl(...args: string[]): Promise<string>;
}

const START_MS = 90_000;
const STOP_MS = 15_000;
const CTL_MS = 30_000;
const ATTEMPTS = 3;

interface Parts {
  readonly programs: Programs;
  readonly layout: Layout;
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

async function lastWords({ layout }: Parts): Promise<string> {
  const names = ['epmd.out', 'node.out', `log/${nodeName(layout.ports)}.log`];
  const texts = await Promise.all(
    names.map((name) => readFile(join(layout.dir, name), 'utf8').catch(() => '')),
  );
  return texts.map((text) => text.trim().slice(-800)).join('\n');
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

async function startNode(parts: Parts): Promise<void> {
  if (isAlive(parts.pids.node)) return;
  await startEpmd(parts);
  const pid = launch(parts, 'node', [parts.programs.server]);
  await until(() => isUp(parts), pid, parts, START_MS);
}

/** Wait for the whole process group: the node's helpers end a moment after it. */
async function waitGroupGone(pid: number): Promise<void> {
  await waitGone(pid, 5_000);
  signal(-pid, 'SIGKILL');
}

async function stopNode(parts: Parts, kill: boolean): Promise<void> {
  const pid = parts.pids.node;
  if (pid === 0) return;
  if (kill) signal(pid, 'SIGKILL');
  else await endProcess(pid, STOP_MS);
  await waitGroupGone(pid);
  parts.pids.node = 0;
  watchBoth(parts);
}

async function control({ programs, layout }: Parts, args: readonly string[]): Promise<string> {
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

/** A failed start ends all it has begun, so that the caller can simply try again. */
async function begin(programs: Programs, options: RabbitOptions): Promise<Parts> {
  const given = options.dir;
  await mkdir(given ?? nodesFolder(), { recursive: true, mode: 0o700 });
  const dir = await realpath(given ?? (await mkdtemp(join(nodesFolder(), 'node-'))));
  const ports = {
    amqp: options.port ?? (await freePort()),
    dist: await freePort(),
    epmd: await freePort(),
  };
  const { config, plugins } = { ...RABBIT_DEFAULTS, ...options };
  const layout: Layout = { dir, ports, config, plugins };
  await using undo = new AsyncDisposableStack();
  const keeper = undo.use(openKeeper(given === undefined ? dir : undefined));
  const parts: Parts = { programs, layout, keeper, pids: { epmd: 0, node: 0 } };
  await recordOwner(dir, ports.epmd);
  await writeLayout(layout);
  await startNode(parts);
  undo.move();
  return parts;
}

/** Ports are free when they are chosen, not when they are bound: another choice is tried. */
async function beginSomehow(programs: Programs, options: RabbitOptions): Promise<Parts> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await begin(programs, options);
    } catch (error) {
      const clash = /eaddrinuse|address already in use|in use by another/i.test(String(error));
      if (attempt === ATTEMPTS || !clash || options.port !== undefined) throw error;
    }
  }
}

/**
 * Start a private RabbitMQ node and wait until AMQP answers (about 4 s). RabbitMQ is found, or
 * installed, as `RabbitOptions.install` says. Rejects with the line to type when it cannot be had. The
 * node dies with this process, however that ends. Any number may run at once.
 */
export async function openRabbit(options: RabbitOptions = {}): Promise<RabbitNode> {
  const progress = options.onProgress ?? RABBIT_DEFAULTS.onProgress;
  const programs = await provideRabbit(options.install ?? RABBIT_DEFAULTS.install, progress);
  for (const dir of await sweepNodes(nodesFolder())) progress(`ended a node left behind in ${dir}`);
  progress('starting a private RabbitMQ node');
  const began = performance.now();
  const parts = await beginSomehow(programs, options);
  const { ports, dir } = parts.layout;
  const seconds = ((performance.now() - began) / 1000).toFixed(1);
  progress(`RabbitMQ answers on 127.0.0.1:${ports.amqp} after ${seconds} s`);
  return {
    url: `amqp://guest:guest@127.0.0.1:${ports.amqp}`,
    port: ports.amqp,
    dir,
    get pid() {
      return parts.pids.node;
    },
    kill: () => stopNode(parts, true),
    stop: () => stopNode(parts, false),
    start: () => startNode(parts),
    ctl: (...args) => control(parts, args),
    async [Symbol.asyncDispose]() {
      // Data that is deleted anyway needs no clean stop, which takes a second longer.
      await stopNode(parts, options.dir === undefined);
      if (parts.pids.epmd > 0) await endProcess(parts.pids.epmd, 3_000);
      parts.keeper.watch([]);
      await parts.keeper[Symbol.asyncDispose]();
    },
  };
}
