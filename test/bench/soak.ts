/**
 * `npm run soak -- --minutes 30`: load and faults in turns; ends with 1 when a call is lost, runs twice, or memory grows.
 * May import: test/support.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';

import type { RabbitNode } from '../../sdk/localcloud/rabbitmq.ts';
import type { Account } from '../support/chaos/client.ts';
import { createFigures } from '../support/chaos/figures.ts';
import { runFuzz } from '../support/chaos/fuzz.ts';
import { type ChaosWorld, openChaosWorld, rssMb } from '../support/chaos/world.ts';
import { waitFor } from '../support/wait.ts';
import { median } from './figures.ts';

const { values } = parseArgs({
  options: { minutes: { type: 'string' }, rate: { type: 'string' } },
});
const minutes = Number(values.minutes ?? 30);
const rate = Number(values.rate ?? 100);
const QUEUE = 'vcx.sdkext.counter';
/** Faults that take calls with them, whatever a consumer does. */
const LOSING = new Set(['consumers cancelled', 'path half-open']);
/** Memory may grow by this part between the first and the last quarter of the samples after the warm-up. */
const FLAT = 0.1;
const SAMPLE_MS = 2_000;

interface Fault {
  readonly name: string;
  readonly run: (world: ChaosWorld) => Promise<void> | void;
}

const FAULTS: readonly Fault[] = [
  { name: 'none', run: () => undefined },
  { name: 'fuzz', run: fuzz },
  { name: 'connections cut', run: ({ proxy }) => proxy.cut() },
  { name: 'broker SIGTERM', run: ({ rabbit }) => restart(rabbit, 'stop') },
  { name: 'consumers cancelled', run: cancelConsumers },
  { name: 'path half-open', run: halfOpen },
  { name: 'memory alarm', run: alarm },
  { name: 'broker SIGKILL', run: ({ rabbit }) => restart(rabbit, 'kill') },
];

async function restart(rabbit: RabbitNode, end: 'stop' | 'kill'): Promise<void> {
  await rabbit[end]();
  await rabbit.start();
}

async function fuzz({ rabbit, host }: ChaosWorld): Promise<void> {
  await runFuzz({ url: rabbit.url, host, seed: Date.now() % 2 ** 31, count: 1_000 });
}

/** The broker hands calls to the dead consumer until heartbeats tell it: those are answered by nobody in time. */
async function halfOpen({ proxy, rabbit, host }: ChaosWorld): Promise<void> {
  proxy.freeze();
  await waitFor(async () => !(await host.readiness()).ready, undefined, 60_000);
  await host.ready(60_000);
  const consumers = async () =>
    (await rabbit.ctl('-s', 'list_consumers', 'queue_name'))
      .split('\n')
      .filter((name) => name === QUEUE);
  await waitFor(async () => (await consumers()).length === 1, undefined, 60_000);
}

/** Calls that stand in the queue go with it: that is for whoever deletes it to know. */
async function cancelConsumers({ rabbit }: ChaosWorld): Promise<void> {
  await rabbit.ctl('delete_queue', QUEUE);
}

async function alarm({ rabbit }: ChaosWorld): Promise<void> {
  await rabbit.ctl('set_vm_memory_high_watermark', '0.00001');
  await delay(3_000);
  await rabbit.ctl('set_vm_memory_high_watermark', '0.4');
}

interface Round extends Account {
  readonly fault: string;
  readonly twice: number;
  readonly rss: number;
}

/** Load before, during and after one fault; then every call is accounted for. */
async function round(world: ChaosWorld, fault: Fault): Promise<Round> {
  const { client, host } = world;
  const org = crypto.randomUUID();
  const stop = client.load(rate, () => ({ org, query: 'waitMs=10' }));
  await delay(3_000);
  await fault.run(world);
  await host.ready(60_000);
  await waitFor(() => client.connected);
  await delay(3_000);
  stop();
  const account = await client.settle();
  const twice = await ranTwice(world, org);
  return { ...account, fault: fault.name, twice: twice.length, rss: await rssMb(host) };
}

/** Asked again when a busy machine made the answer time out. */
async function ranTwice({ client }: ChaosWorld, org: string): Promise<readonly string[]> {
  for (;;) {
    const { status, body } = await client.ask({ org, method: 'GET' });
    if (status === 200) return (JSON.parse(body) as { twice: string[] }).twice;
    await delay(1_000);
  }
}

async function main(): Promise<number> {
  await using world = await openChaosWorld();
  const samples: number[] = [];
  const end = performance.now() + minutes * 60_000;
  const timer = setInterval(() => {
    void rssMb(world.host).then(
      (mb) => mb > 0 && samples.push(mb),
      () => undefined,
    );
  }, SAMPLE_MS);
  const rounds: Round[] = [];
  while (performance.now() < end) {
    const fault = FAULTS[rounds.length % FAULTS.length] as Fault;
    const done = await round(world, fault);
    rounds.push(done);
    const { sent, once, repeated, cutOff, lost, twice, rss } = done;
    process.stdout.write(
      `${fault.name}: ${sent} sent, ${once} once, ${repeated} repeated, ${cutOff} cut off, ${lost.length} lost, ${twice} twice, ${rss.toFixed(0)} MB\n`,
    );
  }
  clearInterval(timer);
  return report(rounds, samples);
}

function report(rounds: readonly Round[], samples: readonly number[]): number {
  const table = createFigures();
  const add = (of: (round: Round) => number) => rounds.reduce((sum, round) => sum + of(round), 0);
  const faults = (name: string) => rounds.filter(({ fault }) => fault === name).length;
  const lost = add((round) => (LOSING.has(round.fault) ? 0 : round.lost.length));
  const wrong = add((round) => round.twice + round.differing.length) + lost;
  const [first, last] = quarters(samples);
  const growth = last / first - 1;
  for (const { name } of FAULTS) table.add(name, 'rounds', String(faults(name)));
  table.add(
    'calls',
    'answered',
    `${add(({ once, repeated }) => once + repeated)} of ${add(({ sent }) => sent)}`,
  );
  table.add('calls', 'cut off with the broker', String(add(({ cutOff }) => cutOff)));
  table.add('calls', 'lost with queue or path', String(add(({ lost }) => lost.length) - lost));
  table.add('lost, run twice, or answered differently', '0', String(wrong));
  table.add(
    'RSS of the host',
    `within ${FLAT * 100} %`,
    `${first.toFixed(0)} MB to ${last.toFixed(0)} MB (${(growth * 100).toFixed(1)} %)`,
  );
  table.print();
  return wrong === 0 && growth <= FLAT ? 0 : 1;
}

/** Medians of the first and of the last quarter of what came after the warm-up, which is a third. */
function quarters(samples: readonly number[]): [first: number, last: number] {
  const settled = samples.slice(Math.floor(samples.length / 3));
  const size = Math.max(1, Math.floor(settled.length / 4));
  return [median(settled.slice(0, size)), median(settled.slice(-size))];
}

process.exitCode = await main();
