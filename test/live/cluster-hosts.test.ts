/** Three hosts that share their state: one answers for another, and one that dies or is cut off harms nobody. */
import { fileURLToPath } from 'node:url';

import { afterAll, beforeAll, expect, test } from 'vitest';

import { openCells } from '../../sdk/localcloud/cell/open.ts';
import { signedBundle } from '../support/bundles.ts';
import { createFigures, ms } from '../support/chaos-figures.ts';
import { cellClient, type CellClient } from '../support/client.ts';
import { askAll, DEMO, deploy, liveAt, stateOf } from '../support/cluster/deploys.ts';
import {
  type ClusterHost,
  type ClusterWorld,
  openClusterWorld,
  type StartOptions,
} from '../support/cluster/world.ts';
import { PROBES } from '../support/live.ts';
import { openTcpProxy, type TcpProxy } from '../support/tcp-proxy.ts';
import { waitFor } from '../support/wait.ts';

const CHECKED = fileURLToPath(new URL('../support/checked', import.meta.url));
const PROBE = { method: 'GET', key: 'probe', path: '/api/probe/echo' } as const;

const stack = new AsyncDisposableStack();
const figures = createFigures();
let world: ClusterWorld;
let proxy: TcpProxy;
let alice: CellClient;
let acme = '';
let hosts: ClusterHost[];
let options: StartOptions;

beforeAll(async () => {
  world = stack.use(await openClusterWorld());
  const cells = stack.use(await openCells({ amqpUrl: world.rabbit.url, count: 1 }));
  const url = cells.cells[0]?.url ?? '';
  const { user, password, org } = cells.provider;
  const settings = {
    VCX_VCLOUD_URL: url,
    VCX_VCLOUD_USER: `${user}@${org}`,
    VCX_VCLOUD_PASSWORD: password,
    VCX_PLUGINS_FOLDERS: JSON.stringify([PROBES, CHECKED]),
  };
  options = { settings };
  proxy = stack.use(await openTcpProxy(world.nats.port));
  // The first one gets the leases; it is the one that is cut off.
  const cut = await world.start('cut', { settings, natsPort: proxy.port });
  hosts = [cut, ...(await Promise.all(['b', 'c'].map((name) => world.start(name, options))))];
  await Promise.all(hosts.map((host) => host.ready()));
  const known = cells.orgs.find(({ name }) => name === 'acme');
  acme = known?.id ?? '';
  const who = known?.users.find(({ name }) => name === 'alice');
  alice = await cellClient(url, 'alice@acme', who?.password ?? '');
});
afterAll(async () => {
  figures.print();
  await stack.disposeAsync();
});

type Leases = readonly { readonly name: string; readonly held: boolean }[];

async function holds(host: ClusterHost, lease = 'registrar'): Promise<boolean> {
  const { leases } = (await host.status())['cluster'] as { leases: Leases };
  return leases.some(({ name, held }) => name === lease && held);
}

/** Epoch ms of the newest line of the log with this event about the lease. */
function lastTime(host: ClusterHost, event: string, lease = 'registrar'): number {
  const lines = host.lines.filter((line) => line.includes(event) && line.includes(`"${lease}"`));
  return Date.parse((JSON.parse(lines.at(-1) ?? '{"time":""}') as { time: string }).time);
}

const codesOf = (replies: readonly { status: number; body: string }[]) =>
  new Set(
    replies.map(({ status, body }) =>
      `${status} ${/[A-Z]+_[A-Z_]+/.exec(body)?.[0] ?? ''}`.trimEnd(),
    ),
  );

test('an id that comes again is answered by every host from the shared journal, and runs once', async () => {
  const org = crypto.randomUUID();
  const replies = await askAll(world, hosts, { org, id: crypto.randomUUID() });
  expect(new Set(replies.map(({ status, body }) => `${status} ${body}`)).size).toBe(1);
  expect(JSON.parse(replies[0]?.body ?? '')).toMatchObject({ runs: 1 });
  const counted = await askAll(world, hosts, { org, method: 'GET' });
  expect(new Set(counted.map(({ body }) => body))).toEqual(new Set(['{"ran":1,"twice":[]}']));
});

test('what a plug-in keeps through one host is there through all', async () => {
  const org = crypto.randomUUID();
  const sent = (await askAll(world, hosts, { org })).length;
  const counted = await askAll(world, hosts, { org, method: 'GET' });
  expect(new Set(counted.map(({ body }) => (JSON.parse(body) as { ran: number }).ran))).toEqual(
    new Set([sent]),
  );
});

test('a host that is cut off from NATS alone answers what needs no shared state, the rest with a coded 503', async () => {
  const [cut, b, c] = hosts as [ClusterHost, ClusterHost, ClusterHost];
  expect(await holds(cut)).toBe(true);
  const from = cut.lines.length;
  {
    using _frozen = proxy.freezeAll();
    const org = crypto.randomUUID();
    expect(codesOf(await askAll(world, hosts, PROBE))).toEqual(new Set(['200']));
    expect(codesOf(await askAll(world, hosts, { org }))).toEqual(
      new Set(['200', '503 JOURNAL_UNAVAILABLE']),
    );
    const read = codesOf(await askAll(world, hosts, { org, method: 'GET' }));
    expect(read).toEqual(new Set(['200', '503 CLUSTER_UNAVAILABLE']));
    await waitFor(
      async () => (await holds(b)) || (await holds(c)),
      () => 'another registrar',
    );
    expect(await holds(cut)).toBe(false);
    const taken = Math.max(...[b, c].map((host) => lastTime(host, 'lease.taken') || 0));
    expect(taken).toBeGreaterThanOrEqual(lastTime(cut, 'lease.lost'));
    const reason = async () => (await cut.readiness()).dependencies['cluster']?.reason ?? '';
    await waitFor(async () => (await reason()).startsWith('CLUSTER_UNAVAILABLE'));
    const bundle = signedBundle({ key: world.owner.key, version: '1.0.0' });
    await deploy([b, c], b, { bundle, version: '1.0.0' });
    expect(codesOf(await askAll(world, hosts, PROBE))).toEqual(new Set(['200']));
  }
  await liveAt(cut, '1.0.0', from);
  await waitFor(async () => (await cut.readiness()).dependencies['cluster']?.ok === true);
  expect(codesOf(await askAll(world, hosts, {}))).toEqual(new Set(['200']));
  expect(codesOf(await askAll(world, hosts, DEMO))).toEqual(new Set(['200']));
  const holders = await Promise.all(hosts.map((host) => holds(host)));
  expect(holders.filter(Boolean)).toHaveLength(1);
});

test('when the registrar is killed another takes over within 10 s, and ends its open tasks once', async () => {
  const path = `/api/checked/${acme}/task`;
  const dying = (await Promise.all(hosts.map((host) => holds(host, 'cleaner')))).indexOf(true);
  const [dead] = hosts.splice(dying, 1) as [ClusterHost];
  const places: string[] = [];
  const count = (host: ClusterHost) => host.metric('vcx_calls_total', 'plugin="checked"');
  await waitFor(async () => {
    const { status, headers } = await alice.post(path, '');
    if (status === 202) places.push(headers.get('location') ?? '');
    return (await count(dead)) > 0;
  });
  const its = await count(dead);
  const died = Date.now();
  dead.signal('SIGKILL');
  await waitFor(async () => (await Promise.all(hosts.map((host) => holds(host)))).includes(true));
  await waitFor(async () =>
    (await Promise.all(hosts.map((host) => holds(host, 'cleaner')))).includes(true),
  );
  const took = ['registrar', 'cleaner'].map(
    (lease) => Math.max(...hosts.map((host) => lastTime(host, 'lease.taken', lease) || 0)) - died,
  );
  figures.add(
    'registrar and cleaner taken over after a SIGKILL',
    '10000 ms',
    took.map(ms).join(', '),
  );
  const swept = async () =>
    (await Promise.all(hosts.map((host) => host.metric('vcx_tasks_swept_total')))).reduce(
      (sum, value) => sum + value,
    );
  await waitFor(
    async () => (await swept()) >= its,
    () => `${its} tasks to be ended`,
    60_000,
  );
  figures.add('open tasks of a killed host ended', 'once each', ms(Date.now() - died));
  const states = await Promise.all(
    places.map(async (place) => (await alice.get(place)).json()['status']),
  );
  expect(states.filter((state) => state === 'error')).toHaveLength(its);
  expect(await swept()).toBe(its);
  expect(Math.max(...took)).toBeLessThan(15_000);
});

test('a host whose clock is an hour ahead works with the others: calls, deploys, leases', async () => {
  const preload = new URL('../support/skewed-clock.ts', import.meta.url);
  const skewed = await world.start('skewed', { ...options, preload });
  hosts.push(skewed);
  await skewed.ready();
  expect(await stateOf(skewed)).toMatchObject({ version: '1.0.0' });
  // The first calls look late to it; five of them are needed to tell a wrong clock from slow calls.
  await waitFor(async () => {
    world.client.send(PROBE);
    const { dependencies } = await skewed.readiness();
    return dependencies['clock']?.reason?.startsWith('CLOCK_SKEW') ?? false;
  });
  const org = crypto.randomUUID();
  const replies = await askAll(world, hosts, { org, id: crypto.randomUUID() });
  expect(codesOf(replies)).toEqual(new Set(['200']));
  expect(JSON.parse(replies[0]?.body ?? '')).toMatchObject({ runs: 1 });
  const bundle = signedBundle({ key: world.owner.key, version: '1.1.0' });
  expect((await skewed.api('POST', '/plugins', bundle)).status).toBe(201);
  await Promise.all(hosts.map((host) => liveAt(host, '1.1.0')));
  expect(codesOf(await askAll(world, hosts, DEMO))).toEqual(new Set(['200']));
  const { members } = (await skewed.api('GET', '/cluster')).body as {
    members: { alive: boolean }[];
  };
  expect(members.filter(({ alive }) => alive)).toHaveLength(hosts.length);
  expect(await holds(skewed)).toBe(false);
});
