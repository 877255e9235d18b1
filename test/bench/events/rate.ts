/**
 * How fast events are taken off a queue: by a bare amqplib consumer, and by vcx with a plug-in that does nothing.
 * May import: test/bench, sdk/localcloud.
 */
import { fork } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { openRabbit } from '../../../sdk/localcloud/rabbitmq.ts';
import { median } from '../figures.ts';
import { ready } from '../load.ts';
import { openHostPeer } from '../peers.ts';
import { cpuMsOf } from '../processes.ts';
import { openFeed, type Feed } from './feed.ts';

export interface RateOptions {
  /** Events of one run. */
  readonly count: number;
  readonly orgs: number;
  readonly rounds: number;
  /** @default xml */
  readonly form?: 'xml' | 'json';
  /** Flags of Node for the host, e.g. for a profile. */
  readonly execArgv?: readonly string[];
  readonly onProgress?: (line: string) => void;
}

export interface Rate {
  readonly perSecond: number;
  /** CPU of the consumer's own process and of those below it, for one event, us. */
  readonly rootUs: number;
  readonly belowUs: number;
}

export interface Rates {
  readonly raw: Rate;
  readonly vcx: Rate;
  readonly ratio: number;
}

/** The host's own default. */
const PREFETCH = 128;
const QUEUE = 'vcx.events.bench-noop';
const PLUGINS = fileURLToPath(new URL('plugins', import.meta.url));
const RAW = fileURLToPath(new URL('raw-process.ts', import.meta.url));
/** Of a run, in which isolates are made and code is compiled, before anything counts. */
const WARM = 0.5;

export async function eventRates(options: RateOptions): Promise<Rates> {
  await using stack = new AsyncDisposableStack();
  const { onProgress } = options;
  const dir = mkdtempSync(join(tmpdir(), 'vcx-bench-events-'));
  stack.defer(() => rmSync(dir, { recursive: true, force: true }));
  const { url } = stack.use(await openRabbit(onProgress ? { onProgress } : {}));
  const feed = stack.use(await openFeed(url));
  const host = () =>
    openHostPeer({
      url,
      stateDir: join(dir, 'state'),
      folders: [PLUGINS],
      execArgv: options.execArgv ?? [],
    });
  // Makes the queue.
  await (await host())[Symbol.asyncDispose]();
  await feed.bind('raw');
  const found: { raw: Rate[]; vcx: Rate[] } = { raw: [], vcx: [] };
  for (let round = 0; round < options.rounds; round += 1) {
    await feed.publish(options);
    found.raw.push(await drained(feed, 'raw', options.count, () => openRawConsumer(url)));
    found.vcx.push(await drained(feed, QUEUE, options.count, host));
  }
  const raw = middle(found.raw);
  const vcx = middle(found.vcx);
  return { raw, vcx, ratio: vcx.perSecond / raw.perSecond };
}

interface Consumer extends AsyncDisposable {
  readonly pid: number;
}

async function openRawConsumer(url: string): Promise<Consumer> {
  const child = fork(RAW, [url, 'raw', String(PREFETCH)]);
  await ready(child);
  return {
    pid: child.pid ?? 0,
    async [Symbol.asyncDispose]() {
      const gone = new Promise((resolve) => child.once('exit', resolve));
      child.disconnect();
      await gone;
    },
  };
}

/** From the end of the warm-up until nothing is left. */
async function drained(
  feed: Feed,
  queue: string,
  count: number,
  open: () => Promise<Consumer>,
): Promise<Rate> {
  await using consumer = await open();
  const from = Math.floor(count * (1 - WARM));
  const first = await below(feed, queue, from);
  const before = cpuMsOf(consumer.pid);
  const last = await below(feed, queue, 0);
  const after = cpuMsOf(consumer.pid);
  const events = first.left - last.left;
  return {
    perSecond: (events / (last.at - first.at)) * 1_000,
    rootUs: ((after.root - before.root) / events) * 1_000,
    belowUs: ((after.below - before.below) / events) * 1_000,
  };
}

async function below(feed: Feed, queue: string, most: number) {
  for (;;) {
    const left = await feed.depth(queue);
    if (left <= most) return { left, at: performance.now() };
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

function middle(list: readonly Rate[]): Rate {
  const of = (key: keyof Rate) => median(list.map((one) => one[key]));
  return { perSecond: of('perSecond'), rootUs: of('rootUs'), belowUs: of('belowUs') };
}
