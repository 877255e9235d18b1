import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { expect, test } from 'vitest';

import { openChaosClient } from '../support/chaos/client.ts';
import { runFuzz } from '../support/chaos/fuzz.ts';
import { openChaosHost } from '../support/chaos/host.ts';
import { openVhost } from '../support/rabbit/vhost.ts';

/** Another seed: `FUZZ_SEED=7 npm test -- test/load/fuzz.test.ts`. */
const SEED = Number(process.env['FUZZ_SEED'] ?? 20_261);
const COUNT = 2_000;

test(`of ${COUNT} messages from seed ${SEED} each is answered, parked or dropped as late, and the host stands`, async () => {
  const stateDir = mkdtempSync(join(tmpdir(), 'vcx-fuzz-'));
  await using stack = new AsyncDisposableStack();
  stack.defer(() => rmSync(stateDir, { recursive: true, force: true }));
  const rabbit = stack.use(await openVhost());
  const client = stack.use(await openChaosClient(rabbit.url));
  const host = stack.use(await openChaosHost({ url: rabbit.url, stateDir }));
  await host.ready();

  const result = await runFuzz({ url: rabbit.url, host, seed: SEED, count: COUNT });
  process.stdout.write(`\nfuzz seed ${SEED}: ${JSON.stringify(result)}\n`);
  expect(result.answered + result.parked + result.late).toBe(result.sent);
  expect(result.answered).toBeGreaterThan(COUNT / 3);
  expect(result.parked).toBeGreaterThan(0);
  for (const name of [
    'vcx_defects_total',
    'vcx_park_failures_total',
    'vcx_broker_channel_deaths_total',
  ])
    expect({ [name]: await host.metric(name) }).toEqual({ [name]: 0 });
  expect(result.statuses['500'] ?? 0).toBeLessThan(COUNT / 2);
  expect(await host.status()).toMatchObject({
    ready: true,
    corridor: { inFlight: 0, working: 0, waiting: 0 },
    broker: { unsettled: 0, outbox: { count: 0 } },
  });
  expect((await client.ask()).status).toBe(200);
});
