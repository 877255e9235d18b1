/**
 * Files and environment variables that make a RabbitMQ node private to one folder and to loopback.
 * May import: nothing of ours.
 */
import { randomBytes } from 'node:crypto';
import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

export interface Ports {
  readonly amqp: number;
  readonly dist: number;
  readonly epmd: number;
}

export interface Layout {
  readonly dir: string;
  readonly ports: Ports;
  readonly config: readonly string[];
  readonly plugins: readonly string[];
}

/** The command line of the node holds `-vcx_dir DIR`, the mark by which it is recognised; without blanks. */
export function markOf(dir: string): readonly [string, string] {
  return ['-vcx_dir', encodeURIComponent(dir)];
}

export const nodeName = (ports: Ports) => `vcx-${ports.amqp}@localhost`;

const PLUGIN = /^[a-z][a-z0-9_]*$/;

/** Write the configuration; data of an earlier run in the same folder is kept. */
export async function writeLayout({ dir, ports, config, plugins }: Layout): Promise<void> {
  const wrong = plugins.find((name) => !PLUGIN.test(name));
  if (wrong !== undefined) throw new Error(`not the name of a RabbitMQ plug-in: ${wrong}`);
  for (const name of ['home', 'mnesia', 'log', 'schema', 'config'])
    await mkdir(join(dir, name), { recursive: true, mode: 0o700 });
  const lines = [
    `listeners.tcp.local = 127.0.0.1:${ports.amqp}`,
    `cluster_name = ${nodeName(ports)}`,
    'loopback_users.guest = true',
    'log.console = false',
    ...config,
  ];
  await writeFile(join(dir, 'rabbitmq.conf'), `${lines.join('\n')}\n`);
  await writeFile(join(dir, 'enabled_plugins'), `[${plugins.join(',')}].\n`);
  // Written before node and command line tool run, so that they cannot race to make it.
  const cookie = join(dir, 'home', '.erlang.cookie');
  await writeFile(cookie, randomBytes(24).toString('hex'), { flag: 'wx' }).catch(() => undefined);
  await chmod(cookie, 0o400);
}

const LOOPBACK = '-kernel inet_dist_use_interface {127,0,0,1}';
/** Idle schedulers sleep instead of spinning: a developer's machine has better use for its cores. */
const CALM = '+sbwt none +sbwtdcpu none +sbwtdio none';

/** The whole environment of the node and of its tools; nothing but PATH comes from ours. */
export function nodeEnv({ dir, ports }: Layout): NodeJS.ProcessEnv {
  return {
    PATH: `${process.env['PATH'] ?? ''}:/usr/sbin:/usr/bin:/sbin:/bin`,
    LANG: 'C.UTF-8',
    HOME: join(dir, 'home'),
    RABBITMQ_NODENAME: nodeName(ports),
    RABBITMQ_NODE_IP_ADDRESS: '127.0.0.1',
    RABBITMQ_NODE_PORT: String(ports.amqp),
    RABBITMQ_DIST_PORT: String(ports.dist),
    // Our own epmd listens already; a second one must never appear.
    RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS: `${LOOPBACK} -noinput -start_epmd false ${CALM} ${markOf(dir).join(' ')}`,
    RABBITMQ_CTL_ERL_ARGS: `${LOOPBACK} -start_epmd false`,
    RABBITMQ_MNESIA_BASE: join(dir, 'mnesia'),
    RABBITMQ_LOG_BASE: join(dir, 'log'),
    RABBITMQ_SCHEMA_DIR: join(dir, 'schema'),
    RABBITMQ_GENERATED_CONFIG_DIR: join(dir, 'config'),
    RABBITMQ_ENABLED_PLUGINS_FILE: join(dir, 'enabled_plugins'),
    RABBITMQ_CONF_ENV_FILE: '/dev/null',
    RABBITMQ_CONFIG_FILE: join(dir, 'rabbitmq.conf'),
    RABBITMQ_ADVANCED_CONFIG_FILE: join(dir, 'advanced.config'),
    RABBITMQ_PID_FILE: join(dir, 'pid'),
    // Without this the start script stays in front of the node; `-noinput` takes its place.
    RABBITMQ_ALLOW_INPUT: 'true',
    ERL_EPMD_PORT: String(ports.epmd),
    ERL_EPMD_ADDRESS: '127.0.0.1',
    // No crash dumps of a hundred megabytes in the cache.
    ERL_CRASH_DUMP_BYTES: '0',
  };
}
