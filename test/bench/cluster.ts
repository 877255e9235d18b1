/**
 * What the shared journal costs: CPU for each POST of one host with NATS against one with SQLite, in rounds that take turns.
 * Run: node test/bench/cluster.ts [rounds] [--profile FOLDER].
 * May import: test/bench, sdk/localcloud.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';

import { type NatsNode, openNats } from '../../sdk/localcloud/nats.ts';
import { openRabbit } from '../../sdk/localcloud/rabbitmq.ts';
import { measured, type Sample } from './compare.ts';
import { brief, median, table } from './figures.ts';
import { BENCH_PLUGINS } from './inside.ts';
import { openLoad } from './load.ts';
import { declareTopology, openHostPeer } from './peers.ts';
import { cpuMsOf } from './processes.ts';

const WARM_MS = 3_000;
const ORDER = {
  key: 'bench-echo',
  method: 'POST',
  uris: ['/api/bench/echo'],
  orgs: 4,
  firstOrg: 1,
  bytes: 1_024,
  inFlight: 100,
  ms: 3_000,
};

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { profile: { type: 'string' } },
});
const rounds = Number(positionals[0] ?? 3);

await using stack = new AsyncDisposableStack();
const dir = mkdtempSync(join(tmpdir(), 'vcx-bench-'));
stack.defer(() => rmSync(dir, { recursive: true, force: true }));
const { url } = stack.use(await openRabbit({ onProgress: console.error }));
const nats = stack.use(await openNats({ onProgress: console.error }));
await declareTopology(url);

type Store = 'SQLite' | 'NATS';

interface Round extends Sample {
  /** Of the nats-server, in microseconds a call. */
  readonly natsUs: number;
}

async function round(store: Store, server: NatsNode): Promise<Round> {
  const shared = {
    VCX_CLUSTER_SERVERS: JSON.stringify([server.url]),
    VCX_SECRETS_KEY: Buffer.alloc(32, 1).toString('base64'),
  };
  await using host = await openHostPeer({
    url,
    stateDir: join(dir, store),
    folders: [BENCH_PLUGINS],
    execArgv: values.profile ? ['--cpu-prof', `--cpu-prof-dir=${join(values.profile, store)}`] : [],
    settings: store === 'NATS' ? shared : {},
  });
  await using load = await openLoad(url);
  await load.run({ ...ORDER, ms: WARM_MS });
  const before = cpuMsOf(server.pid).root;
  const sample = await measured(load, host, ORDER);
  const natsMs = cpuMsOf(server.pid).root - before;
  return { ...sample, natsUs: (natsMs * 1_000) / ((sample.rps * ORDER.ms) / 1_000) };
}

const found: Record<Store, Round[]> = { SQLite: [], NATS: [] };
for (let turn = 0; turn < rounds; turn += 1)
  for (const store of ['SQLite', 'NATS'] as const) found[store].push(await round(store, nats));

const of = (store: Store, value: (round: Round) => number) =>
  brief(median(found[store].map(value)));
const cpu = ({ rootUs, belowUs }: Round) => rootUs + belowUs;
console.log(
  table(
    [
      'journal in',
      'calls/s',
      'p50',
      'p99',
      'host us',
      'runners us',
      'both us',
      'nats us',
      'errors',
    ],
    (['SQLite', 'NATS'] as const).map((store) => [
      store,
      of(store, ({ rps }) => rps),
      of(store, ({ p50 }) => p50),
      of(store, ({ p99 }) => p99),
      of(store, ({ rootUs }) => rootUs),
      of(store, ({ belowUs }) => belowUs),
      of(store, cpu),
      of(store, ({ natsUs }) => natsUs),
      String(found[store].reduce((sum, { errors }) => sum + errors, 0)),
    ]),
  ),
);
const ratios = found.NATS.map((one, turn) => cpu(one) / cpu(found.SQLite[turn] ?? one));
console.log(
  `CPU per call of host and runners, NATS to SQLite: ${brief(median(ratios))} (aim 1.3; rounds ${ratios.map(brief).join(', ')})`,
);
