/**
 * What is left behind by swaps: a plug-in is upgraded again and again while orgs call it, and memory is compared.
 * May import: host, test/support.
 *
 * node test/bench/swaps.ts [SWAPS]
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

import { silentLog } from '../../host/kernel/log.ts';
import { createMetrics } from '../../host/kernel/metrics.ts';
import { ORG_A, ownerOf, signedBundle, trustOf } from '../support/plugins/bundles.ts';
import { openPluginKit, openTestSandbox, type PluginKit } from '../support/plugins/plugin-kit.ts';

const SWAPS = Number(process.argv[2] ?? 2_000);
/** So many swaps, and then so many calls, fill what is bounded: code caches, and the log that is kept of a plug-in. */
const WARM_UP = 300;
const WARM_UP_CALLS = 2_000;
const ORGS = 2;
const MB = 1_048_576;
/** So large is the script of each version, as that of a plug-in with a few libraries. */
const SCRIPT_CHARS = 200_000;

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

const dir = mkdtempSync(join(tmpdir(), 'vcx-swaps-'));
const provider = ownerOf();
const metrics = createMetrics();
const sandbox = await openTestSandbox({ metrics });
const kit = await openPluginKit({
  dir,
  sandbox,
  trust: () => trustOf([provider]),
  metrics,
  log: silentLog,
});
let failed = 0;

try {
  await swaps(kit, 0, WARM_UP);
  for (let call = 0; call < WARM_UP_CALLS; call += 1) await callOf(kit, call % ORGS);
  const before = await look();
  print('before', before);
  const began = performance.now();
  await swaps(kit, WARM_UP, WARM_UP + SWAPS);
  const seconds = (performance.now() - began) / 1_000;
  const after = await look();
  print('after', after);
  console.log(
    `${SWAPS} swaps in ${seconds.toFixed(1)} s (${(SWAPS / seconds).toFixed(1)} a second), ${failed} calls failed`,
  );
} finally {
  await kit[Symbol.asyncDispose]();
  await sandbox[Symbol.asyncDispose]();
  rmSync(dir, { recursive: true });
}

async function swaps(target: PluginKit, from: number, to: number): Promise<void> {
  for (let turn = from; turn < to; turn += 1) {
    const version = `1.${turn}.0`;
    const one = `function f${turn}(a){return a+${turn}}`;
    const filler = one.repeat(SCRIPT_CHARS / one.length);
    const handler = `${filler}return new Response(VERSION)`;
    await target.upload(signedBundle({ key: provider.key, version, handler }));
    const calls = Array.from({ length: ORGS }, (_, org) => callOf(target, org));
    for (const { body } of await Promise.all(calls)) if (body !== version) failed += 1;
    if (turn % 250 === 0) print(`${turn}`, await look());
  }
}

function callOf(target: PluginKit, org: number): ReturnType<PluginKit['call']> {
  return target.call({ org: `${ORG_A.slice(0, -1)}${org}`, path: '/api/demo' });
}

interface Figures {
  readonly heapMb: number;
  readonly outsideMb: number;
  readonly rssMb: number;
  readonly runners: number;
  readonly isolates: number;
  readonly runnersMb: number;
  readonly metricsBytes: number;
}

async function look(): Promise<Figures> {
  await kit.keeper.drained('demo');
  // Twice: what weak references let go in the first is found in the second.
  for (let turn = 0; turn < 2; turn += 1) {
    await new Promise((resolve) => setTimeout(resolve, 200));
    collect();
  }
  const { heapUsed, external, rss } = process.memoryUsage();
  const { runners } = sandbox.status();
  return {
    heapMb: heapUsed / MB,
    outsideMb: external / MB,
    rssMb: rss / MB,
    runners: runners.length,
    isolates: runners.reduce((sum, runner) => sum + runner.isolates, 0),
    runnersMb: runners.reduce((sum, { rssBytes }) => sum + rssBytes, 0) / MB,
    metricsBytes: (await metrics.text()).length,
  };
}

function print(when: string, figures: Figures): void {
  const texts = Object.entries(figures).map(
    ([name, value]: [string, number]) => `${name} ${Number(value.toFixed(1))}`,
  );
  console.log(`${when.padStart(6)}: ${texts.join(', ')}`);
}
