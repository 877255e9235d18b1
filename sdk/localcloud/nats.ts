/**
 * Runs a private nats-server with JetStream: own name, port and store folder, no root, nothing left behind.
 * May import: nats, nodes.
 */
import { mkdir, mkdtemp, realpath } from 'node:fs/promises';
import { join } from 'node:path';

import { provideNats } from './nats/install.ts';
import { markOf, type Parts, startNode, stopNode, writeConfig } from './nats/node.ts';
import { nodesFolder } from './nodes/cache.ts';
import { openKeeper } from './nodes/keeper.ts';
import { freePort } from './nodes/ports.ts';
import { recordOwner, sweepNodes } from './nodes/sweep.ts';

export interface NatsOptions {
  /** Data folder, kept at the end. @default a new folder below the cache, deleted at the end */
  readonly dir?: string;
  /** Port on 127.0.0.1. @default a free one */
  readonly port?: number;
  /** Without it there are no stores. @default true */
  readonly jetstream?: boolean;
  /** Extra lines of the configuration file. @default [] */
  readonly config?: readonly string[];
  /** Told, in one line each, what happens while it takes long. @default nothing */
  readonly onProgress?: (line: string) => void;
  /** Install the package when it is missing and this is root on Debian or Ubuntu. @default true */
  readonly install?: boolean;
}

export const NATS_DEFAULTS = {
  jetstream: true,
  config: [],
  onProgress: () => undefined,
  install: true,
} as const satisfies NatsOptions;

/** A running server; disposing it ends server and keeper, and deletes a folder that was not given. */
export interface NatsNode extends AsyncDisposable {
  /** `nats://127.0.0.1:PORT` */
  readonly url: string;
  readonly port: number;
  /** Another one after each `start`; 0 while it does not run. */
  readonly pid: number;
  readonly dir: string;
  /** SIGKILL it and wait until it is gone. */
  kill(): Promise<void>;
  /** Stop it cleanly and wait until it is gone. */
  stop(): Promise<void>;
  /** Start again on the same data and port; returns when it answers. Does nothing while it runs. */
  start(): Promise<void>;
}

/** Attempts with other ports when somebody was faster to take the first one. */
const ATTEMPTS = 3;

/** A failed start ends all it has begun, so that the caller can simply try again. */
async function begin(program: string, options: NatsOptions): Promise<Parts> {
  const given = options.dir;
  const nodes = nodesFolder('nats');
  await mkdir(given ?? nodes, { recursive: true, mode: 0o700 });
  const dir = await realpath(given ?? (await mkdtemp(join(nodes, 'node-'))));
  const { config, jetstream } = { ...NATS_DEFAULTS, ...options };
  await using undo = new AsyncDisposableStack();
  const keeper = undo.use(openKeeper(given === undefined ? dir : undefined));
  const port = options.port ?? (await freePort());
  const parts: Parts = { program, dir, port, jetstream, config, keeper, pid: 0 };
  await recordOwner(dir, [markOf(dir)]);
  await writeConfig(parts);
  await startNode(parts);
  undo.move();
  return parts;
}

/** Ports are free when they are chosen, not when they are bound: another choice is tried. */
async function beginSomehow(program: string, options: NatsOptions): Promise<Parts> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await begin(program, options);
    } catch (error) {
      const clash = /address already in use/i.test(String(error));
      if (attempt === ATTEMPTS || !clash || options.port !== undefined) throw error;
    }
  }
}

/**
 * Start a private nats-server and wait until it answers (about 0.1 s). The program is found, or installed,
 * as `NatsOptions.install` says. Rejects with the line to type when it can not be had. The server dies with
 * this process, however that ends. Any number may run at once.
 */
export async function openNats(options: NatsOptions = {}): Promise<NatsNode> {
  const progress = options.onProgress ?? NATS_DEFAULTS.onProgress;
  const program = await provideNats(options.install ?? NATS_DEFAULTS.install, progress);
  for (const dir of await sweepNodes(nodesFolder('nats')))
    progress(`ended a server left behind in ${dir}`);
  const parts = await beginSomehow(program, options);
  progress(`nats-server answers on 127.0.0.1:${parts.port}`);
  return {
    url: `nats://127.0.0.1:${parts.port}`,
    port: parts.port,
    dir: parts.dir,
    get pid() {
      return parts.pid;
    },
    kill: () => stopNode(parts, true),
    stop: () => stopNode(parts, false),
    start: () => startNode(parts),
    async [Symbol.asyncDispose]() {
      await stopNode(parts, options.dir === undefined);
      await parts.keeper[Symbol.asyncDispose]();
    },
  };
}
