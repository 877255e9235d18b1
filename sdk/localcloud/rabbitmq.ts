/**
 * Runs a private RabbitMQ node: own name, ports, epmd and data folder, no root, nothing left behind.
 * May import: rabbit, nodes.
 */
import { mkdir, mkdtemp, realpath } from 'node:fs/promises';
import { join } from 'node:path';

import { nodesFolder } from './nodes/cache.ts';
import { openKeeper } from './nodes/keeper.ts';
import { freePort } from './nodes/ports.ts';
import { endProcess } from './nodes/processes.ts';
import { recordOwner, sweepNodes } from './nodes/sweep.ts';
import { type Layout, markOf, writeLayout } from './rabbit/environment.ts';
import { type Programs, provideRabbit } from './rabbit/install.ts';
import { type Parts, type Tools, control, startNode, stopNode } from './rabbit/node.ts';

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
  /** What `control` of `rabbit/node.ts` needs to do the same from another process; plain data. */
  readonly tools: Tools;
}

/** Attempts with other ports when somebody was faster to take the first ones. */
const ATTEMPTS = 3;

/** A failed start ends all it has begun, so that the caller can simply try again. */
async function begin(programs: Programs, options: RabbitOptions): Promise<Parts> {
  const given = options.dir;
  await mkdir(given ?? nodesFolder('rabbitmq'), { recursive: true, mode: 0o700 });
  const dir = await realpath(given ?? (await mkdtemp(join(nodesFolder('rabbitmq'), 'node-'))));
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
  await recordOwner(dir, [markOf(dir), ['-port', String(ports.epmd), '127.0.0.1']]);
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
  for (const dir of await sweepNodes(nodesFolder('rabbitmq')))
    progress(`ended a node left behind in ${dir}`);
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
    tools: { programs, layout: parts.layout },
    async [Symbol.asyncDispose]() {
      // Data that is deleted anyway needs no clean stop, which takes a second longer.
      await stopNode(parts, options.dir === undefined);
      if (parts.pids.epmd > 0) await endProcess(parts.pids.epmd, 3_000);
      parts.keeper.watch([]);
      await parts.keeper[Symbol.asyncDispose]();
    },
  };
}
