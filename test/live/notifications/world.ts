/** One cloud, broker and host for all that is tried about notifications: examples and listeners, which may be edited. */
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { connect, type Channel } from 'amqplib';

import type { EventStatus, SubscriptionStatus } from '../../../host/message/events.ts';
import { openCloud, type Cloud } from '../../support/cloud.ts';
import { EXAMPLES, openLive, type Live } from '../../support/live.ts';
import { askOperator } from '../../support/operator/operator.ts';
import { bindingsOf } from '../../support/rabbit/facts.ts';

const LISTENERS = fileURLToPath(new URL('../../support/samples/listeners', import.meta.url));

export const EXCHANGE = {
  xml: 'systemExchange',
  json: 'vcd.notifications20',
  /** Is not there at first. */
  late: 'late.exchange',
} as const;

export interface World extends AsyncDisposable {
  readonly live: Live;
  readonly cloud: Cloud;
  readonly channel: Channel;
  /** What a plug-in wrote, for an org when one is named. */
  readonly said: (plugin: string, org?: string) => string[];
  /** Change the manifest of a listener, as somebody edits it. */
  readonly edit: (plugin: string, change: (manifest: Record<string, unknown>) => void) => void;
  readonly publish: (
    exchange: string,
    routingKey: string,
    body: string | Buffer,
    headers?: object,
  ) => void;
  readonly notifications: () => Promise<EventStatus>;
  readonly subscription: (plugin: string) => Promise<SubscriptionStatus>;
  /** Routing keys with which the queue of a plug-in is bound to this exchange. */
  readonly bound: (plugin: string, exchange: string) => Promise<string[]>;
  /** Whose it is: named orgs, or all. */
  readonly give: (plugin: string, orgs: 'all' | readonly string[]) => Promise<void>;
}

export async function openWorld(): Promise<World> {
  await using stack = new AsyncDisposableStack();
  const folder = mkdtempSync(join(tmpdir(), 'vcx-listeners-'));
  stack.defer(() => rmSync(folder, { recursive: true }));
  cpSync(LISTENERS, folder, { recursive: true });
  const live = stack.use(
    await openLive({
      folders: [EXAMPLES, folder],
      settings: {
        VCX_NOTIFICATIONS_EXCHANGES: JSON.stringify(Object.values(EXCHANGE)),
        VCX_NOTIFICATIONS_RETRY_MS: '[100, 200]',
        VCX_PLUGINS_WATCH: 'true',
        // vCloud itself would say `fail`, but not before.
        VCX_VCLOUD_BLOCKING_TASKS_TIMEOUT_MS: '60000',
        VCX_VCLOUD_BLOCKING_TASKS_TIMEOUT_ACTION: 'fail',
      },
    }),
  );
  const connection = await connect(live.rabbit.url);
  stack.defer(() => connection.close());
  const channel = await connection.createChannel();
  const world = worldOf(live, channel, folder);
  const opened = stack.move();
  return { ...world, [Symbol.asyncDispose]: () => opened.disposeAsync() };
}

function worldOf(
  live: Live,
  channel: Channel,
  folder: string,
): Omit<World, typeof Symbol.asyncDispose> {
  const cloud = openCloud(live);
  const notifications = async () =>
    ((await live.status()) as { notifications: EventStatus }).notifications;
  return {
    live,
    cloud,
    channel,
    notifications,
    said(plugin, org) {
      const wanted = org === undefined ? {} : { org: `urn:vcloud:org:${cloud.orgId(org)}` };
      const lines = live.host.logbook.read({ plugin, limit: 2_000, ...wanted });
      return lines.filter(({ kind }) => kind === 'log').map(({ text }) => text);
    },
    edit(plugin, change) {
      const file = join(folder, plugin, 'plugin.json');
      const manifest = JSON.parse(readFileSync(file, 'utf8')) as Record<string, unknown>;
      change(manifest);
      writeFileSync(file, JSON.stringify(manifest));
    },
    publish(exchange, routingKey, body, headers = {}) {
      channel.publish(exchange, routingKey, Buffer.from(body), { headers, persistent: true });
    },
    async subscription(plugin) {
      const found = (await notifications()).subscriptions.find((one) => one.plugin === plugin);
      if (!found) throw new Error(`no subscription of ${plugin}`);
      return found;
    },
    bound: (plugin, exchange) => bindingsOf(live.rabbit, exchange, `vcx.events.${plugin}`),
    async give(plugin, orgs) {
      const path = `PUT /api/v1/plugins/${plugin}/tenants`;
      const { status, body } = await askOperator(live.host, path, { orgs });
      if (status >= 300) throw new Error(`${status}: ${JSON.stringify(body)}`);
    },
  };
}
