/**
 * Three hosts on one state with a cell in front, shared by the tests of a file: starting them costs more than most tests.
 * May import: test/support, sdk/localcloud.
 */
import { fileURLToPath } from 'node:url';

import { afterAll, beforeAll } from 'vitest';

import { openCells } from '../../../sdk/localcloud/cell/open.ts';
import { createFigures, type Figures } from '../chaos/figures.ts';
import type { ChaosReply } from '../chaos/client.ts';
import { cellClient, type CellClient } from '../client.ts';
import { PROBES } from '../live.ts';
import { openTcpProxy, type TcpProxy } from '../broker/tcp-proxy.ts';
import {
  type ClusterHost,
  type ClusterWorld,
  openClusterWorld,
  type StartOptions,
} from './world.ts';

const CHECKED = fileURLToPath(new URL('../samples/checked', import.meta.url));

/** The host with `proxy` between itself and NATS. */
export const BEHIND_PROXY = 'cut';

export interface Trio {
  readonly world: ClusterWorld;
  /** Those that run: a test that ends one puts another in its place. */
  readonly hosts: ClusterHost[];
  readonly proxy: TcpProxy;
  /** A user of the org `acme`. */
  readonly alice: CellClient;
  /** Bare id. */
  readonly acme: string;
  readonly figures: Figures;
  /** Start a host as the three are; a name that was used before gets its folder again. */
  start(name: string, options?: StartOptions): Promise<ClusterHost>;
}

/** Call it at the top of a test file; what it returns is there once the tests run. */
export function useTrio(): () => Trio {
  const stack = new AsyncDisposableStack();
  let trio: Trio | null = null;
  beforeAll(async () => {
    trio = await openTrio(stack);
  });
  afterAll(async () => {
    trio?.figures.print();
    await stack.disposeAsync();
  });
  return () => {
    if (!trio) throw new Error('the hosts are started before the first test');
    return trio;
  };
}

async function openTrio(stack: AsyncDisposableStack): Promise<Trio> {
  const world = stack.use(await openClusterWorld());
  const cells = stack.use(await openCells({ amqpUrl: world.rabbit.url, count: 1 }));
  const url = cells.cells[0]?.url ?? '';
  const { user, password, org } = cells.provider;
  const settings = {
    VCX_VCLOUD_URL: url,
    VCX_VCLOUD_USER: `${user}@${org}`,
    VCX_VCLOUD_PASSWORD: password,
    VCX_PLUGINS_FOLDERS: JSON.stringify([PROBES, CHECKED]),
  };
  const proxy = stack.use(await openTcpProxy(world.nats.port));
  const start: Trio['start'] = (name, options = {}) =>
    world.start(name, {
      ...(name === BEHIND_PROXY && { natsPort: proxy.port }),
      ...options,
      settings: { ...settings, ...options.settings },
    });
  // The first one gets the leases; it is the one that is cut off.
  const cut = await start(BEHIND_PROXY);
  const hosts = [cut, ...(await Promise.all(['b', 'c'].map((name) => start(name))))];
  await Promise.all(hosts.map((host) => host.ready()));
  const acme = cells.orgs.find(({ name }) => name === 'acme');
  const who = acme?.users.find(({ name }) => name === 'alice');
  const alice = await cellClient(url, 'alice@acme', who?.password ?? '');
  return { world, hosts, proxy, alice, acme: acme?.id ?? '', figures: createFigures(), start };
}

type Leases = readonly { readonly name: string; readonly held: boolean }[];

export async function holds(host: ClusterHost, lease = 'registrar'): Promise<boolean> {
  const { leases } = (await host.status())['cluster'] as { leases: Leases };
  return leases.some(({ name, held }) => name === lease && held);
}

export async function someoneHolds(hosts: readonly ClusterHost[], lease: string): Promise<boolean> {
  return (await Promise.all(hosts.map((host) => holds(host, lease)))).includes(true);
}

/** Epoch ms of the newest line of the log with this event about the lease; NaN for none. */
export function lastTime(host: ClusterHost, event: string, lease = 'registrar'): number {
  const lines = host.lines.filter((line) => line.includes(event) && line.includes(`"${lease}"`));
  return Date.parse((JSON.parse(lines.at(-1) ?? '{"time":""}') as { time: string }).time);
}

/** Status and code of each reply, each kind once. */
export const codesOf = (replies: readonly ChaosReply[]): ReadonlySet<string> =>
  new Set(
    replies.map(({ status, body }) =>
      `${status} ${/[A-Z]+_[A-Z_]+/.exec(body)?.[0] ?? ''}`.trimEnd(),
    ),
  );

export async function onNats(host: ClusterHost): Promise<boolean> {
  return (await host.readiness()).dependencies['cluster']?.ok === true;
}
