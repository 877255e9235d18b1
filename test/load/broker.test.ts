import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, beforeAll, expect, test } from 'vitest';

import { type RabbitNode, openRabbit } from '../../sdk/localcloud/rabbitmq.ts';
import { type ChaosClient, openChaosClient } from '../support/chaos/client.ts';
import { createFigures, ms } from '../support/chaos/figures.ts';
import { type ChaosHost, openChaosHost } from '../support/chaos/host.ts';
import { eventually } from '../support/broker/echo.ts';
import { waitFor } from '../support/wait.ts';

/** Ends of the broker; `npm run chaos` sets 20. */
const CYCLES = Number(process.env['CHAOS_CYCLES'] ?? 2);
const RATE = 300;

const stack = new AsyncDisposableStack();
const figures = createFigures();
let rabbit: RabbitNode;
let host: ChaosHost;
let client: ChaosClient;

beforeAll(async () => {
  const dir = mkdtempSync(join(tmpdir(), 'vcx-chaos-'));
  stack.defer(() => rmSync(dir, { recursive: true, force: true }));
  rabbit = stack.use(await openRabbit());
  client = stack.use(await openChaosClient(rabbit.url));
  host = stack.use(await openChaosHost({ url: rabbit.url, stateDir: dir }));
  await host.ready();
});
afterAll(async () => {
  figures.print();
  await stack.disposeAsync();
});

const sum = (numbers: readonly number[]) => numbers.reduce((total, number) => total + number, 0);

test(
  `the broker is killed and stopped ${CYCLES} times under load: no call runs twice or goes without an end`,
  async () => {
    const orgs: string[] = [];
    const backAfter: number[] = [];
    for (let cycle = 0; cycle < CYCLES; cycle += 1) {
      const org = crypto.randomUUID();
      orgs.push(org);
      const stop = client.load(RATE, () => ({ org }));
      const before = client.calls.size;
      await waitFor(() => client.calls.size > before + RATE * 1.5);
      await (cycle % 2 === 0 ? rabbit.kill() : rabbit.stop());
      await rabbit.start();
      const accepts = performance.now();
      await host.ready();
      backAfter.push(performance.now() - accepts);
      await waitFor(() => client.connected);
      await client.ask({ org, method: 'GET' });
      stop();
    }
    const account = await client.settle();
    const counts = [];
    for (const org of orgs)
      counts.push(JSON.parse((await client.ask({ org, method: 'GET' })).body) as Counted);
    const twice = counts.flatMap((count) => count.twice);
    const { sent, once, repeated, cutOff, lost, differing, statuses } = account;
    figures.add(
      `broker ended x ${CYCLES} at ${RATE} calls/s`,
      'each call ends once, none runs twice',
      `${sent} sent, ${once} answered once, ${repeated} answered again with the same reply, ${cutOff} cut off with the broker, ${lost.length} lost, ${twice.length} of ${sum(counts.map((c) => c.ran))} runs twice, statuses ${JSON.stringify(statuses)}`,
    );
    figures.add(
      'consuming after the broker accepts',
      '<= 5 s',
      `max ${ms(Math.max(...backAfter))}`,
    );
    expect({ lost, differing, twice }).toEqual({ lost: [], differing: [], twice: [] });
    expect(once + repeated + cutOff).toBe(sent);
  },
  60_000 + CYCLES * 40_000,
);

interface Counted {
  readonly ran: number;
  readonly twice: readonly string[];
}

test('a memory alarm stops intake with the reason; what was taken is answered when it is over, or in time', async () => {
  const stop = client.load(100, () => ({ org: client.org }));
  await rabbit.ctl('set_vm_memory_high_watermark', '0.00001');
  try {
    await eventually(async () => {
      const { dependencies } = await host.readiness();
      expect(dependencies['broker']).toEqual({
        ok: false,
        reason: expect.stringMatching(/takes no messages: low on memory/) as string,
      });
    });
  } finally {
    stop();
    await rabbit.ctl('set_vm_memory_high_watermark', '0.4');
  }
  await host.ready();
  const { lost, differing } = await client.settle();
  // The broker reads nothing of a publisher that it blocks: such calls have not reached it in time.
  expect({ lost, differing }).toEqual({ lost: [], differing: [] });
  expect((await client.ask()).status).toBe(200);
});
