/** Leases and liveness on a real nats-server: one holder at a time, whatever dies, freezes or has a wrong clock. */
import { expect, test } from 'vitest';

import { openLease, type Lease } from '../../../host/cluster/leases.ts';
import type { ClusterOptions } from '../../../host/cluster/link/options.ts';
import { openMembers } from '../../../host/cluster/members.ts';
import { openPulse } from '../../../host/cluster/pulse.ts';
import { useNats } from '../../support/cluster/nats.ts';
import { openTcpProxy } from '../../support/broker/tcp-proxy.ts';
import { waitFor } from '../../support/wait.ts';

const nats = useNats();
const TTL = 1_500;

async function host(holder: string, options: Partial<ClusterOptions>): Promise<Lease> {
  const link = await nats.link({ requestMs: 500, ...options });
  return openLease({ link, name: 'registrar', holder, ttlMs: TTL });
}

const clockAhead = (ms: number) => ({
  now: () => Date.now() + ms,
  monotonic: () => performance.now(),
});

/** Looks all the time; `both` counts the moments with more than one holder. */
function watchHolders(leases: readonly Lease[]) {
  let both = 0;
  const timer = setInterval(() => {
    if (leases.filter(({ held }) => held).length > 1) both += 1;
  }, 1);
  return { both: () => both, [Symbol.dispose]: () => clearInterval(timer) };
}

test('of three hosts one holds the lease; when it leaves another has it at once, with a larger token', async () => {
  const prefix = nats.prefix();
  const first = await host('a', { prefix });
  await using second = await host('b', { prefix, clock: clockAhead(3_600_000) });
  await using third = await host('c', { prefix, clock: clockAhead(-3_600_000) });
  using holders = watchHolders([first, second, third]);
  expect([first, second, third].map(({ held }) => held)).toEqual([true, false, false]);
  const token = first.token ?? Infinity;
  await waitFor(() => second.holder === 'a' && third.holder === 'a');
  // Renewals leave the token as it is.
  await new Promise((resolve) => setTimeout(resolve, TTL));
  expect(first.token).toBe(token);
  await first[Symbol.asyncDispose]();
  expect([first.held, first.token]).toEqual([false, null]);
  await waitFor(() => second.held || third.held);
  expect(second.token ?? third.token).toBeGreaterThan(token);
  expect(holders.both()).toBe(0);
});

test('a host that is cut off from NATS alone loses its lease before another gets it, and rejoins cleanly', async () => {
  const prefix = nats.prefix();
  await using proxy = await openTcpProxy(nats.node.port);
  await using cut = await host('cut', { prefix, servers: [`nats://127.0.0.1:${proxy.port}`] });
  await using other = await host('other', { prefix, clock: clockAhead(86_400_000) });
  using holders = watchHolders([cut, other]);
  const token = cut.token ?? Infinity;
  expect([cut.held, other.held]).toEqual([true, false]);
  proxy.freeze();
  await waitFor(() => !cut.held);
  expect(other.held).toBe(false);
  await waitFor(() => other.held);
  expect(other.token).toBeGreaterThan(token);
  expect(holders.both()).toBe(0);
  // What the frozen connection still held back must not bring the lease back.
  proxy.cut();
  await waitFor(() => cut.holder === 'other');
  expect([cut.held, other.held]).toEqual([false, true]);
  expect(holders.both()).toBe(0);
});

test('while NATS is away nobody holds the lease for long, and afterwards one does', async () => {
  const prefix = nats.prefix();
  await using first = await host('a', { prefix });
  await using second = await host('b', { prefix });
  using holders = watchHolders([first, second]);
  await nats.node.kill();
  await waitFor(() => !first.held);
  await nats.node.start();
  await waitFor(() => first.held || second.held);
  expect(holders.both()).toBe(0);
});

test('a change is told once each time, also when the time alone takes the lease', async () => {
  const told: boolean[] = [];
  const link = await nats.link({ requestMs: 500 });
  await using _lease = await openLease({
    link,
    name: 'cleaner',
    holder: 'a',
    ttlMs: TTL,
    onChange: (held) => void told.push(held),
  });
  expect(told).toEqual([true]);
  await nats.node.kill();
  await waitFor(() => told.length === 2);
  await nats.node.start();
  await waitFor(() => told.length === 3);
  expect(told).toEqual([true, false, true]);
});

test('members are seen with what they tell, whose clock is wrong too; the dead are told from the living', async () => {
  const prefix = nats.prefix();
  const open = async (name: string, options: Partial<ClusterOptions> = {}) => {
    const link = await nats.link({ prefix, ...options });
    return nats.use(await openPulse({ link, about: { name }, everyMs: 100 }));
  };
  await using proxy = await openTcpProxy(nats.node.port);
  const [one, two] = [await open('one'), await open('two', { clock: clockAhead(3_600_000) })];
  const dying = await open('three', { servers: [`nats://127.0.0.1:${proxy.port}`] });
  const members = openMembers(one, { aliveMs: 1_500 });
  const alive = async () =>
    (await members.list()).filter((member) => member.alive).map(({ about }) => about['name']);
  expect((await alive()).toSorted()).toEqual(['one', 'three', 'two']);
  expect(Math.abs(one.now() - two.now())).toBeLessThan(60_000);
  proxy.freeze();
  await waitFor(async () => (await alive()).length === 2);
  const dead = (await members.list()).at(-1);
  expect(dead).toMatchObject({ id: dying.id, alive: false, self: false });
  await two.tell({ name: 'two', state: 'draining' });
  expect((await members.list()).find(({ id }) => id === two.id)?.about['state']).toBe('draining');
  await two[Symbol.asyncDispose]();
  expect(await alive()).toEqual(['one']);
});
