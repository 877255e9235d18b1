/**
 * `npm run fuzz -- --count 1000000 --seed 7`: messages from a seed through the whole host, every one accounted for.
 * May import: test/support, host/kernel.
 */
import { parseArgs } from 'node:util';

import { CODES } from '../../host/kernel/errors.ts';
import { runFuzz } from '../support/chaos/fuzz.ts';
import { openChaosWorld, rssMb } from '../support/chaos/world.ts';

const { values } = parseArgs({ options: { count: { type: 'string' }, seed: { type: 'string' } } });
const count = Number(values.count ?? 1_000_000);
const seed = Number(values.seed ?? Math.floor(Math.random() * 2 ** 31));
const EVERY = 25_000;

const say = (line: string): void => void process.stdout.write(`${line}\n`);
say(`seed ${seed}, ${count} messages`);
await using world = await openChaosWorld();
const { host, rabbit } = world;
const began = performance.now();
const result = await runFuzz({
  url: rabbit.url,
  host,
  seed,
  count,
  async onBatch(sent) {
    if (sent % EVERY !== 0) return;
    const perSecond = (sent / (performance.now() - began)) * 1_000;
    say(`${sent} messages, ${perSecond.toFixed(0)}/s, host ${(await rssMb(host)).toFixed(0)} MB`);
  },
});
say(JSON.stringify(result, null, 2));
for (const code of Object.keys(CODES)) {
  const refused = await host.metric('vcx_refusals_total', `"${code}"`);
  if (refused > 0) say(`${code}: ${refused}`);
}

const defects = await host.metric('vcx_defects_total');
const parkFailures = await host.metric('vcx_park_failures_total');
const missing = result.sent - result.answered - result.parked - result.late;
say(`seed ${seed}: ${missing} not accounted for, ${defects} defects, ${parkFailures} not parked`);
process.exitCode = missing === 0 && defects === 0 && parkFailures === 0 ? 0 : 1;
