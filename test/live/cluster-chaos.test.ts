/** Three hosts on one state under load, while hosts or NATS are killed: every call ends once, none runs twice. */
import { afterAll, beforeAll, expect, test } from 'vitest';

import type { Account, CallSpec } from '../support/chaos-client.ts';
import { createFigures, ms } from '../support/chaos-figures.ts';
import { type ClusterHost, type ClusterWorld, openClusterWorld } from '../support/cluster/world.ts';
import { waitFor } from '../support/wait.ts';

const IS_LONG = process.env['CHAOS_CYCLES'] !== undefined;
/** Kills of hosts, and calls a second: less here than with `npm run chaos`, since three hosts share the machine. */
const [KILLS, RATE] = IS_LONG ? [10, 200] : [2, 60];
const NATS_AWAY_MS = 2_000;

const figures = createFigures();
let world: ClusterWorld;
let hosts: ClusterHost[];

beforeAll(async () => {
  world = await openClusterWorld();
  hosts = await Promise.all(['a', 'b', 'c'].map((name) => world.start(name)));
  await Promise.all(hosts.map((host) => host.ready()));
});
afterAll(async () => {
  figures.print();
  await world?.[Symbol.asyncDispose]();
});

const grown = (by: number) => {
  const { calls } = world.client;
  const before = calls.size;
  return waitFor(() => calls.size >= before + by);
};
const short = ({ sent, once, repeated, lost, statuses }: Account) =>
  `${sent} sent, ${once} answered once, ${repeated} repeated, ${lost.length} lost, statuses ${JSON.stringify(statuses)}`;

interface Counted {
  readonly ran: number;
  readonly twice: readonly string[];
}

async function counted(org: string): Promise<Counted> {
  const { status, body } = await world.client.ask({ org, method: 'GET' });
  if (status !== 200) throw new Error(`${status} ${body}`);
  return JSON.parse(body) as Counted;
}

test(
  `of three hosts one after the other is killed, ${KILLS} times: each call is answered once, none runs twice`,
  async () => {
    const { client } = world;
    const orgs: string[] = [];
    let turn = 0;
    for (let kill = 0; kill < KILLS; kill += 1) {
      const some = [crypto.randomUUID(), crypto.randomUUID(), crypto.randomUUID()];
      orgs.push(...some);
      const stop = client.load(RATE, () => ({
        org: some[(turn += 1) % some.length] ?? '',
        query: 'waitMs=20',
      }));
      await grown(RATE);
      const place = kill % hosts.length;
      const dying = hosts[place] as ClusterHost;
      dying.signal('SIGKILL');
      await dying.exited;
      await grown(RATE);
      const next = await world.start(dying.name);
      hosts[place] = next;
      await next.ready();
      stop();
    }
    const account = await client.settle();
    const counts = await Promise.all(orgs.map((org) => counted(org)));
    const ran = counts.reduce((sum, count) => sum + count.ran, 0);
    figures.add(
      `one of three hosts SIGKILLed x ${KILLS} at ${RATE} calls/s`,
      'each call ends once, none runs twice',
      `${short(account)}; ${ran} ran`,
    );
    const { lost, differing, cutOff, repeated, statuses } = account;
    const twice = counts.flatMap((count) => count.twice);
    expect({ lost, differing, cutOff, twice }).toEqual({
      lost: [],
      differing: [],
      cutOff: 0,
      twice: [],
    });
    // What was answered was done; a reply that came a second time counts once.
    expect(ran).toBeGreaterThanOrEqual((statuses['200'] ?? 0) - repeated);
  },
  60_000 + KILLS * 30_000,
);

test('NATS is killed and started again under load: calls without shared state go on, the others get a coded 503', async () => {
  const { client, nats } = world;
  const org = crypto.randomUUID();
  const kinds = new Map<string, string>();
  let turn = 0;
  const spec = (): CallSpec => {
    const id = crypto.randomUUID();
    const isProbe = (turn += 1) % 2 === 0;
    kinds.set(id, isProbe ? 'stateless' : 'counted');
    return isProbe
      ? { id, org, method: 'GET', key: 'probe', path: '/api/probe/state' }
      : { id, org };
  };
  const stop = client.load(RATE, spec);
  await grown(RATE);
  const killed = performance.now();
  await nats.kill();
  await waitFor(() => performance.now() - killed > NATS_AWAY_MS);
  await nats.start();
  const back = performance.now();
  await Promise.all(hosts.map((host) => connected(host)));
  const rejoined = performance.now() - back;
  await grown(RATE);
  stop();
  await waitFor(() => [...client.calls.values()].every(({ replies }) => replies.length > 0));
  const statuses: Record<string, Record<string, number>> = { stateless: {}, counted: {} };
  for (const { id, replies } of client.calls.values()) {
    const { status, body } = replies[0] ?? { status: 0, body: '' };
    const code = status === 200 ? '200' : `${status} ${/[A-Z]+_[A-Z_]+/.exec(body)?.[0] ?? ''}`;
    const of = statuses[kinds.get(id) ?? ''] ?? {};
    of[code] = (of[code] ?? 0) + 1;
  }
  const { lost, differing } = await client.settle();
  const { ran, twice } = await counted(org);
  figures.add(
    `NATS SIGKILLed for ${ms(NATS_AWAY_MS)} at ${RATE} calls/s, half of them without state`,
    'stateless 200, others coded, nothing lost',
    `${JSON.stringify(statuses)}; ${ran} ran; rejoined ${ms(rejoined)} after it was back`,
  );
  expect({ lost, differing, twice }).toEqual({ lost: [], differing: [], twice: [] });
  expect(Object.keys(statuses['stateless'] ?? {})).toEqual(['200']);
  const codes = Object.keys(statuses['counted'] ?? {}).toSorted();
  expect(['200', '503 CLUSTER_UNAVAILABLE', '503 JOURNAL_UNAVAILABLE']).toEqual(
    expect.arrayContaining(codes),
  );
  expect(codes).toContain('503 JOURNAL_UNAVAILABLE');
  // What was answered 200 was written.
  expect(ran).toBeGreaterThanOrEqual(statuses['counted']?.['200'] ?? 0);
});

async function connected(host: ClusterHost): Promise<void> {
  await waitFor(
    async () => (await host.readiness()).dependencies['cluster']?.ok === true,
    () => `${host.name} on NATS again`,
  );
}
