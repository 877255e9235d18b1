/**
 * A host that is killed in the middle of many events, and another that goes on: which were lost, and which were handled
 * again although the broker had their acknowledgement.
 * May import: test/bench, test/support, sdk/localcloud.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { fileURLToPath } from 'node:url';

import { openRabbit } from '../../../sdk/localcloud/rabbitmq.ts';
import { openChaosHost, type ChaosHost } from '../../support/chaos/host.ts';
import { waitFor } from '../../support/wait.ts';
import { openFeed, type Feed } from './feed.ts';

export interface Killed {
  readonly events: number;
  /** Never handled. */
  readonly lost: number;
  /** Handled again after the broker had the acknowledgement. */
  readonly againAfterAck: number;
  /** Handled again although the host had written down that they were handled. */
  readonly againAfterNote: number;
  /** Handled again since the host died before it could tell anybody: what "at least once" allows. */
  readonly again: number;
  /** Not acknowledged when the host was killed. */
  readonly left: number;
}

const FOLDER = fileURLToPath(new URL('plugins', import.meta.url));
const QUEUE = 'vcx.events.bench-count';
const TYPE = 'com/vmware/vcloud/event/vapp/create';
const DRAIN_MS = 180_000;

export async function killedInTheMiddle(events: number): Promise<Killed> {
  await using stack = new AsyncDisposableStack();
  const stateDir = mkdtempSync(join(tmpdir(), 'vcx-killed-'));
  stack.defer(() => rmSync(stateDir, { recursive: true, force: true }));
  const { url } = stack.use(await openRabbit());
  const feed = stack.use(await openFeed(url));
  const start = () => openHost(url, stateDir);

  const first = stack.use(await start());
  const publishing = feed.publish({ count: events, orgs: 10, entities: 50, typeOf: () => TYPE });
  await waitFor(() => handled(first, events / 2), undefined, DRAIN_MS);
  first.signal('SIGKILL');
  await first.exited;
  const ids = await publishing;
  const left = await waiting(feed, QUEUE);
  const before = counts(stateDir);

  const second = stack.use(await start());
  await waitFor(async () => (await unfinished(second)) === 0, undefined, DRAIN_MS);
  second.signal('SIGTERM');
  await second.exited;
  const after = counts(stateDir);
  const again = ids.filter((id) => (after.handled.get(id) ?? 0) > (before.handled.get(id) ?? 0));
  const repeated = again.filter((id) => before.handled.has(id));
  return {
    events: ids.length,
    lost: ids.filter((id) => !after.handled.has(id)).length,
    againAfterAck: repeated.filter((id) => !left.has(id)).length,
    againAfterNote: repeated.filter((id) => before.noted.has(id)).length,
    again: repeated.length,
    left: left.size,
  };
}

async function openHost(url: string, stateDir: string): Promise<ChaosHost> {
  const settings = { VCX_PLUGINS_FOLDERS: JSON.stringify([FOLDER]), VCX_LOG_LEVEL: 'info' };
  const host = await openChaosHost({ url, stateDir, settings });
  await waitFor(async () => (await host.readiness()).dependencies['notifications']?.ok === true);
  return host;
}

async function handled(host: ChaosHost, least: number): Promise<boolean> {
  const labels = 'plugin="bench-count",outcome="handled"';
  return (await host.metric('vcx_events_total', labels)) >= least;
}

interface Subscriptions {
  readonly notifications: {
    readonly inHand: number;
    readonly subscriptions: readonly { plugin: string; waiting: number | null }[];
  };
}

/** In the queue at the last look, or in hand. */
async function unfinished(host: ChaosHost): Promise<number> {
  const { notifications } = (await host.status()) as unknown as Subscriptions;
  const found = notifications.subscriptions.find(({ plugin }) => plugin === 'bench-count');
  return notifications.inHand + (found?.waiting ?? 1);
}

/** Ids of the events in a queue; they stay there, in their order. */
async function waiting(feed: Feed, queue: string): Promise<Set<string>> {
  const channel = await feed.connection.createChannel();
  const ids = new Set<string>();
  for (;;) {
    const message = await channel.get(queue, { noAck: false });
    if (!message) break;
    ids.add(/eventId="([^"]+)"/.exec(message.content.toString())?.[1] ?? '');
  }
  await channel.close();
  return ids;
}

/** What the plug-in has counted, and what the host has written down. */
function counts(stateDir: string): { handled: Map<string, number>; noted: Set<string> } {
  using database = new DatabaseSync(join(stateDir, 'vcx.sqlite'));
  const kv = database.prepare('SELECT key, value FROM kv').all() as {
    key: string;
    value: string;
  }[];
  const notes = database.prepare('SELECT key FROM handled_events').all() as { key: string }[];
  return {
    handled: new Map(kv.map(({ key, value }) => [key, Number(value)])),
    noted: new Set(notes.map(({ key }) => key.split('\n')[1] ?? '')),
  };
}
