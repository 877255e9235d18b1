/**
 * The benchmark: `npm run bench -- [--json FILE] [--quick] [--only NAME,…] [--profile FOLDER]`.
 * Names: compare, echo, hostile, dispatch, cold, memory, orgs, waiting, events. `--profile` writes a CPU profile of the host.
 * May import: test/bench, sdk/localcloud.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';

import { openRabbit } from '../../sdk/localcloud/rabbitmq.ts';
import { coldStarts, dispatchAlone, manyOrgs, memory, waitingHandlers } from './alone.ts';
import {
  COMPARE_HEAD,
  compare,
  compareRows,
  helloOrder,
  measured,
  planOf,
  type Sample,
} from './compare.ts';
import { eventTables, measureEvents } from './events/section.ts';
import { brief, table } from './figures.ts';
import { besideHostile, type Beside } from './hostile.ts';
import { BENCH_PLUGINS, PLUGINS } from './inside.ts';
import { openLoad } from './load.ts';
import { declareTopology, openHostPeer, openPika, openRaw, type HostPeer } from './peers.ts';
import { judge, type Figures } from './targets.ts';

const { values: options } = parseArgs({
  options: {
    json: { type: 'string' },
    quick: { type: 'boolean', default: false },
    only: { type: 'string' },
    profile: { type: 'string' },
  },
});
const { quick } = options;
const only = options.only?.split(',');
const wanted = (...names: string[]): boolean => !only || names.some((name) => only.includes(name));
const say = (line: string): void => console.error(line);
const figures: Figures = {};

function heading(text: string): void {
  console.log(`\n${text}`);
}

async function overBroker(): Promise<void> {
  await using stack = new AsyncDisposableStack();
  const dir = mkdtempSync(join(tmpdir(), 'vcx-bench-'));
  stack.defer(() => rmSync(dir, { recursive: true, force: true }));
  const { url } = stack.use(await openRabbit({ onProgress: say }));
  await declareTopology(url);
  const host = stack.use(
    await openHostPeer({
      url,
      stateDir: join(dir, 'state'),
      folders: [PLUGINS, BENCH_PLUGINS],
      execArgv: options.profile ? ['--cpu-prof', `--cpu-prof-dir=${options.profile}`] : [],
    }),
  );
  if (wanted('compare')) await compared(url, host);
  if (wanted('echo')) await echoed(url, host);
  if (wanted('hostile')) await attacked(url, host);
}

async function compared(url: string, host: HostPeer): Promise<void> {
  await using load = await openLoad(url);
  await using raw = await openRaw(url);
  await using pika = await openPika(url, say);
  if (!pika) say('python3-pika is absent: no comparison with it');
  const peers = [raw, host, ...(pika ? [pika] : [])];
  // Isolates are made and code is compiled before anything counts.
  for (const { key } of peers) {
    const ms = key !== host.key ? 1_000 : quick ? 4_000 : 5_000;
    await load.run({ ...helloOrder(key), bytes: 1_024, inFlight: 100, ms });
  }
  const cells = [];
  const rows: string[][] = [];
  for (const plan of planOf(quick)) {
    const cell = await compare(load, peers, plan);
    cells.push(cell);
    rows.push(...compareRows(`${plan.inFlight}, ${plan.bytes}`, cell.peers));
  }
  figures.cells = cells;
  heading('Over one RabbitMQ: raw amqplib echo, vcx with hello, pika with ten threads');
  console.log(table(COMPARE_HEAD, rows));
}

async function echoed(url: string, host: HostPeer): Promise<void> {
  await using load = await openLoad(url);
  const base = { ...helloOrder('bench-echo'), method: 'POST', uris: ['/api/bench/echo'] };
  const found: { bytes: number; sample: Sample }[] = [];
  for (const bytes of quick ? [10_240] : [1_024, 10_240, 102_400]) {
    const order = { ...base, bytes, inFlight: 100, ms: quick ? 1_000 : 1_500 };
    found.push({ bytes, sample: await measured(load, host, order) });
  }
  figures.echo = found;
  heading('vcx with a plug-in that sends the body back');
  const rows = found.flatMap(({ bytes, sample }) => compareRows(`100, ${bytes}`, { vcx: sample }));
  console.log(table(COMPARE_HEAD, rows));
}

async function attacked(url: string, host: HostPeer): Promise<void> {
  await using quiet = await openLoad(url);
  await using hostile = await openLoad(url);
  const base = { host, quiet, hostile, rounds: quick ? 1 : 3, ms: quick ? 1_500 : 2_500 };
  const otherPlugin = await besideHostile({ ...base, samePlugin: false });
  const samePlugin = await besideHostile({ ...base, samePlugin: true });
  figures.hostile = { otherPlugin, samePlugin };
  heading('A quiet org, one call at a time, beside an org that runs hostile guests');
  const row = (name: string, { alone, beside, host, errors, hostile }: Beside): string[] => [
    name,
    brief(alone.p99),
    brief(beside.p99),
    String(errors),
    `${brief(host.lagP99Ms)} / ${brief(host.lagMaxMs)}`,
    brief(host.rssMb),
    JSON.stringify(hostile),
  ];
  console.log(
    table(
      ['hostile org in', 'p99 alone', 'beside', 'errors', 'host lag p99/max', 'RSS MB', 'answers'],
      [row('another plug-in', otherPlugin), row('the same plug-in', samePlugin)],
    ),
  );
}

async function notified(): Promise<void> {
  const execArgv = options.profile ? ['--cpu-prof', `--cpu-prof-dir=${options.profile}`] : [];
  figures.events = await measureEvents({ quick, execArgv });
  heading('Notifications');
  console.log(eventTables(figures.events));
}

async function alone(): Promise<void> {
  const rows: string[][] = [];
  const add = (what: string, value: string): void => void rows.push([what, value]);
  if (wanted('dispatch')) {
    const spent = (figures.dispatch = await dispatchAlone(quick ? 1_500 : 3_000));
    add('dispatch alone, calls/s', brief(spent.rps));
    add('  CPU of host / runner, us', `${brief(spent.hostUs)} / ${brief(spent.runnersUs)}`);
  }
  if (wanted('cold')) {
    const { warm, fresh } = (figures.cold = await coldStarts(quick ? 40 : 150, quick ? 6 : 20));
    add('first call, warm runner, p50 / p99 ms', `${brief(warm.p50)} / ${brief(warm.p99)}`);
    add('first call, new runner, p50 / p99 ms', `${brief(fresh.p50)} / ${brief(fresh.p99)}`);
  }
  if (wanted('memory')) {
    const { runnerMb, isolateMb } = (figures.memory = await memory(quick ? 30 : 100));
    add('PSS of a spare runner, MB', brief(runnerMb ?? Number.NaN));
    add('PSS of an idle isolate, MB', brief(isolateMb ?? Number.NaN));
  }
  if (wanted('orgs')) {
    const counts = quick ? [1, 100] : [1, 100, 1_000];
    const orgs = (figures.orgs = await manyOrgs(counts, quick ? 30 : 50, quick ? 1_000 : 2_000));
    for (const count of counts)
      add(`CPU per call, ${count} orgs, us`, brief(orgs.us[count] ?? NaN));
    add('  one org that calls on and on', brief(orgs.oneForLongUs));
  }
  if (wanted('waiting')) {
    const { sustained, burst, together } = (figures.waiting = await waitingHandlers(
      quick ? 1_000 : 2_000,
    ));
    add('waiting handlers, of 16 per 50 ms', `${brief(sustained)} (100 at once: ${brief(burst)})`);
    add('the same, 16 calls in an isolate, 100 at once', brief(together));
  }
  if (rows.length === 0) return;
  heading('Without a broker');
  console.log(table(['what', 'measured'], rows));
}

if (wanted('compare', 'echo', 'hostile')) await overBroker();
await alone();
if (wanted('events')) await notified();
const verdicts = judge(figures);
heading('Targets');
console.log(
  table(
    ['what', 'target', 'measured', 'verdict'],
    verdicts.map(({ what, target, measured, verdict }) => [what, target, measured, verdict]),
  ),
);
if (options.json) writeFileSync(options.json, JSON.stringify({ figures, verdicts }, null, 2));
