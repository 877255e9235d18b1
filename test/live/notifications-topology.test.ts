/** Exchanges that come later than the host, and plug-ins that change what they listen to. */
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { connect, type Channel } from 'amqplib';
import { afterAll, beforeAll, expect, test } from 'vitest';

import type { EventStatus } from '../../host/message/events.ts';
import { eventMessage } from '../support/events.ts';
import { openLive, type Live } from '../support/live.ts';
import { waitFor } from '../support/wait.ts';

const LISTENERS = fileURLToPath(new URL('../support/listeners', import.meta.url));
const LATE = 'late.exchange';
const QUEUE = 'vcx.events.witness';

const stack = new AsyncDisposableStack();
let live: Live;
let channel: Channel;
let folder: string;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'vcx-listeners-'));
  stack.defer(() => rmSync(folder, { recursive: true }));
  for (const name of ['witness', 'local'])
    cpSync(join(LISTENERS, name), join(folder, name), { recursive: true });
  live = stack.use(
    await openLive({
      folders: [folder],
      settings: {
        VCX_NOTIFICATIONS_EXCHANGES: JSON.stringify([LATE]),
        VCX_PLUGINS_WATCH: 'true',
      },
    }),
  );
  const connection = await connect(live.rabbit.url);
  stack.defer(() => connection.close());
  channel = await connection.createChannel();
});
afterAll(() => stack.disposeAsync());

const notifications = async () =>
  ((await live.status()) as { notifications: EventStatus }).notifications;

const handled = (plugin: string) =>
  live.host.logbook
    .read({ plugin, limit: 2_000 })
    .flatMap(({ kind, text }) => (kind === 'log' ? [text] : []));

async function bound(): Promise<string[]> {
  const lines = await live.rabbit.ctl(
    'list_bindings',
    'source_name',
    'destination_name',
    'routing_key',
  );
  return lines
    .split('\n')
    .filter((line) => line.startsWith(`${LATE}\t${QUEUE}\t`))
    .map((line) => line.split('\t')[2] ?? '')
    .toSorted();
}

/** As somebody edits it. */
function edit(change: (manifest: Record<string, unknown>) => void): void {
  const file = join(folder, 'witness', 'plugin.json');
  const manifest = JSON.parse(readFileSync(file, 'utf8')) as Record<string, unknown>;
  change(manifest);
  writeFileSync(file, JSON.stringify(manifest));
}

function publish(eventId: string, type: string): void {
  const { routingKey, headers, body } = eventMessage('json', { eventId, type });
  channel.publish(LATE, routingKey, body, { headers, persistent: true });
}

test("while vCloud's exchange is not there the host waits, says so, makes none, and serves calls", async () => {
  const waiting = expect.stringContaining(`waiting for the exchange ${LATE}`) as string;
  await expect
    .poll(() => live.host.health())
    .toMatchObject({
      ready: true,
      dependencies: { notifications: { ok: false, reason: waiting } },
    });
  const ready = await fetch(`${live.host.operatorUrl}/readyz`);
  expect(await ready.json()).toMatchObject({ dependencies: { notifications: { ok: false } } });
  expect(await notifications()).toMatchObject({
    consuming: false,
    reason: waiting,
    subscriptions: [{ plugin: 'witness', missing: [LATE] }],
  });
  expect(await live.rabbit.ctl('list_exchanges', 'name')).not.toContain(LATE);
});

test('when it appears, events are served', async () => {
  await channel.assertExchange(LATE, 'topic', { durable: true });
  await waitFor(
    () => live.host.health().dependencies['notifications']?.ok === true,
    () => JSON.stringify(live.host.health()),
  );
  publish('first', 'com/vmware/vcloud/event/vm/create');
  await waitFor(() => handled('witness').includes('first'));
});

test('a plug-in that is changed is bound anew, and to nothing when it does not listen any more', async () => {
  expect(await bound()).toEqual(['*.*.*.*.com.vmware.vcloud.event.vm.#', '*.*.*.*.org.example.#']);
  edit((manifest) => {
    manifest['version'] = '1.1.0';
    manifest['notifications'] = [{ types: ['vapp.#'], success: 'only' }];
  });
  await expect
    .poll(bound, { timeout: 30_000 })
    .toEqual(['true.*.*.*.com.vmware.vcloud.event.vapp.#']);
  publish('not-any-more', 'com/vmware/vcloud/event/vm/create');
  publish('from-now-on', 'com/vmware/vcloud/event/vapp/create');
  await waitFor(() => handled('witness').includes('from-now-on'));
  expect(handled('witness')).not.toContain('not-any-more');

  edit((manifest) => {
    manifest['version'] = '1.2.0';
    manifest['notifications'] = [];
  });
  await expect.poll(bound, { timeout: 30_000 }).toEqual([]);
  expect((await channel.checkQueue(QUEUE)).messageCount).toBe(0);
});
