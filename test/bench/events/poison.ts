/**
 * How long a thousand events take, and how long all but one of them take when that one fails for ever.
 * May import: test/bench, test/support, sdk/localcloud.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { openRabbit } from '../../../sdk/localcloud/rabbitmq.ts';
import { openChaosHost, type ChaosHost } from '../../support/chaos/host.ts';
import { waitFor } from '../../support/wait.ts';
import { median } from '../figures.ts';
import { openFeed, type Feed } from './feed.ts';

export interface Poisoned {
  readonly withoutMs: number;
  readonly withMs: number;
  readonly ratio: number;
}

const FOLDER = fileURLToPath(new URL('plugins', import.meta.url));
const EVENTS = 1_000;
const TIMEOUT_MS = 120_000;

/** Medians of so many rounds, both ways in turn. */
export async function besidePoison(rounds: number): Promise<Poisoned> {
  await using stack = new AsyncDisposableStack();
  const stateDir = mkdtempSync(join(tmpdir(), 'vcx-poison-'));
  stack.defer(() => rmSync(stateDir, { recursive: true, force: true }));
  const { url } = stack.use(await openRabbit());
  const feed = stack.use(await openFeed(url));
  const settings = {
    VCX_PLUGINS_FOLDERS: JSON.stringify([FOLDER]),
    VCX_NOTIFICATIONS_RETRY_MS: '[100]',
  };
  const host = stack.use(await openChaosHost({ url, stateDir, settings }));
  await waitFor(async () => (await host.readiness()).dependencies['notifications']?.ok === true);
  // Isolates are made and code is compiled before anything counts.
  await timeOf(host, feed, false);
  const found: { without: number[]; with: number[] } = { without: [], with: [] };
  for (let round = 0; round < rounds; round += 1) {
    found.without.push(await timeOf(host, feed, false));
    found.with.push(await timeOf(host, feed, true));
  }
  const [withoutMs, withMs] = [median(found.without), median(found.with)];
  return { withoutMs, withMs, ratio: withMs / withoutMs };
}

/** From the first event published to the last one handled; the poison, which is among the first, does not count. */
async function timeOf(host: ChaosHost, feed: Feed, poison: boolean): Promise<number> {
  const before = await handled(host);
  const began = performance.now();
  const isPoison = (index: number) => poison && index === 3;
  const published = feed.publish({
    count: EVENTS,
    orgs: 4,
    entities: 250,
    typeOf: (index) => `com/vmware/vcloud/event/disk/${isPoison(index) ? 'poison' : 'create'}`,
  });
  const all = before + EVENTS - (poison ? 1 : 0);
  await waitFor(async () => (await handled(host)) >= all, undefined, TIMEOUT_MS);
  const ms = performance.now() - began;
  await published;
  return ms;
}

function handled(host: ChaosHost): Promise<number> {
  return host.metric('vcx_events_total', 'plugin="bench-poison",outcome="handled"');
}
