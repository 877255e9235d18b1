/**
 * Finds RabbitMQ on this machine, or installs it where that is possible, out loud.
 * May import: nodes.
 */
import { delimiter, dirname, join } from 'node:path';

import { findIn, isProgram, type Progress, provide } from '../nodes/packages.ts';

export interface Programs {
  readonly server: string;
  readonly ctl: string;
  readonly epmd: string;
}

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

/** Paths of RabbitMQ's programs, found or installed as `provide` says. */
export async function provideRabbit(install: boolean, progress: Progress): Promise<Programs> {
  const rabbit = {
    title: 'RabbitMQ',
    name: 'rabbitmq-server',
    otherwise:
      'rabbitmq-server (or unpack it and set RABBITMQ_HOME), or set VCX_AMQP_URL to a broker.',
    port: 5672,
    find: () => findRabbit(),
  };
  return provide(rabbit, install, progress);
}
