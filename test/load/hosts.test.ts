import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';

import { type Account, type ChaosClient, openChaosClient } from '../support/chaos/client.ts';
import { createFigures, ms } from '../support/chaos/figures.ts';
import { type ChaosHost, openChaosHost } from '../support/chaos/host.ts';
import { openVhost, type Vhost } from '../support/rabbit/vhost.ts';
import { waitFor } from '../support/wait.ts';

const DRAIN_MS = 8_000;

const stack = new AsyncDisposableStack();
const figures = createFigures();
let rabbit: Vhost;
let client: ChaosClient;
let org = '';
let stateDir = '';

beforeAll(async () => {
  stateDir = mkdtempSync(join(tmpdir(), 'vcx-chaos-'));
  stack.defer(() => rmSync(stateDir, { recursive: true, force: true }));
  rabbit = stack.use(await openVhost());
  client = stack.use(await openChaosClient(rabbit.url));
});
afterAll(async () => {
  figures.print();
  await stack.disposeAsync();
});
beforeEach(() => {
  org = crypto.randomUUID();
});

/** All hosts of this file share one state folder, as hosts on one machine do. */
async function startHost(): Promise<ChaosHost> {
  const settings = { VCX_DRAIN_MS: String(DRAIN_MS) };
  const host = await openChaosHost({ url: rabbit.url, stateDir, settings });
  await host.ready();
  return host;
}

/** Stop with SIGTERM; resolves to how long it took. */
async function drained(host: ChaosHost): Promise<number> {
  const began = performance.now();
  host.signal('SIGTERM');
  expect(await host.exited).toBe(0);
  return performance.now() - began;
}

async function ranTwice(): Promise<readonly string[]> {
  const { body } = await client.ask({ org, method: 'GET' });
  return (JSON.parse(body) as { twice: string[] }).twice;
}

const grown = (by: number) => {
  const before = client.calls.size;
  return waitFor(() => client.calls.size >= before + by);
};
const short = ({ sent, once, repeated, lost, statuses }: Account) =>
  `${sent} sent, ${once} answered once, ${repeated} repeated, ${lost.length} lost, statuses ${JSON.stringify(statuses)}`;

test('when a host is killed under load another one answers all calls, and runs none a second time', async () => {
  await using second = await startHost();
  {
    await using first = await startHost();
    const stop = client.load(200, () => ({ org, query: 'waitMs=50' }));
    await grown(400);
    first.signal('SIGKILL');
    await first.exited;
    await grown(200);
    stop();
  }
  const account = await client.settle();
  figures.add(
    'host SIGKILL at 200 calls/s, a second host there',
    'none lost, none runs twice',
    short(account),
  );
  const { lost, differing, cutOff } = account;
  expect({ lost, differing, cutOff, twice: await ranTwice() }).toEqual({
    lost: [],
    differing: [],
    cutOff: 0,
    twice: [],
  });
  expect(await second.metric('vcx_refusals_total', 'OUTCOME_UNKNOWN')).toBe(
    account.statuses['502'] ?? 0,
  );
});

test('rolling restarts of two hosts under load answer every call exactly once, with nothing but success', async () => {
  await using hosts = new AsyncDisposableStack();
  let [first, second] = [hosts.use(await startHost()), hosts.use(await startHost())];
  const times: number[] = [];
  const stop = client.load(200, () => ({ org, query: 'waitMs=20' }));
  for (let round = 0; round < 2; round += 1) {
    times.push(await drained(first));
    [first, second] = [second, hosts.use(await startHost())];
    await grown(100);
  }
  stop();
  const account = await client.settle();
  figures.add(
    'rolling restarts at 200 calls/s',
    'none lost',
    `${short(account)}; drained in ${times.map(ms).join(', ')}`,
  );
  expect(account).toMatchObject({ lost: [], differing: [], cutOff: 0, repeated: 0 });
  expect(Object.keys(account.statuses)).toEqual(['200']);
  expect(await ranTwice()).toEqual([]);
});

test('a host that is told to stop at 500 calls a second loses none: what it did not begin is answered by the next', async () => {
  const first = await startHost();
  const stop = client.load(500, () => ({ org, method: 'POST' }));
  await grown(1_000);
  const took = await drained(first);
  stop();
  await using _next = await startHost();
  const account = await client.settle();
  figures.add(
    'SIGTERM at 500 calls/s',
    `zero lost, exit <= ${ms(DRAIN_MS + 1_000)}`,
    `${short(account)}; exit after ${ms(took)}`,
  );
  expect(account).toMatchObject({ lost: [], differing: [], cutOff: 0 });
  expect(await ranTwice()).toEqual([]);
});

test('a call that outlasts the drain ends with it, and a second signal does not wait for either', async () => {
  await using slow = await startHost();
  client.send({ org, query: 'waitMs=7500' });
  await waitFor(
    async () => ((await slow.status())['corridor'] as { working: number }).working === 1,
  );
  slow.signal('SIGTERM');
  await slow.says(/"host\.draining"/);
  slow.signal('SIGTERM');
  expect(await slow.exited).toBe(130);
  await using _next = await startHost();
  const { statuses, lost } = await client.settle();
  // It had begun: nobody may run it again.
  expect({ statuses, lost }).toEqual({ statuses: { 502: 1 }, lost: [] });
});
