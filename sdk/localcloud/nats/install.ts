/**
 * Finds nats-server on this machine, or installs it where that is possible, out loud.
 * May import: nodes.
 */
import { basename, delimiter, dirname } from 'node:path';

import { findIn, type Progress, provide } from '../nodes/packages.ts';

const FOLDERS = [
  '/usr/sbin',
  '/usr/bin',
  '/usr/local/bin',
  '/opt/nats-server*',
  '/opt/homebrew/bin',
];

/** Path of an installed nats-server, or undefined. `NATS_SERVER`, the path of one, is looked at first. */
export async function findNats(env: NodeJS.ProcessEnv = process.env): Promise<string | undefined> {
  const given = env['NATS_SERVER'];
  if (given) return findIn([dirname(given)], basename(given));
  const path = (env['PATH'] ?? '').split(delimiter).filter(Boolean);
  return findIn([...path, ...FOLDERS], 'nats-server');
}

/** Path of nats-server, found or installed as `provide` says. */
export async function provideNats(install: boolean, progress: Progress): Promise<string> {
  const nats = {
    title: 'nats-server',
    name: 'nats-server',
    otherwise:
      'nats-server (or unpack it and set NATS_SERVER to its path), or set VCX_CLUSTER_SERVERS to a running one.',
    port: 4222,
    find: () => findNats(),
  };
  return provide(nats, install, progress);
}
