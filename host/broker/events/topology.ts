/**
 * Exchanges, queues and bindings of one subscription. vCloud's exchanges are only looked for; vcx's own are made when missing.
 * May import: kernel, message.
 */
import type { HostError } from '../../kernel/errors.ts';
import type { Subscription } from '../../message/events.ts';
import type { Prober } from '../consume/prober.ts';
import {
  type Finding,
  type QueueSpec,
  ensureBinding,
  ensureExchange,
  ensureQueue,
} from '../consume/topology.ts';
import { REPLY, topologyError } from '../faults.ts';
import type { Settings } from '../options.ts';
import { reconcileBindings } from './bindings.ts';
import { mainQueue, overfull, parkedQueue, pausesOf, retryQueue } from './queues.ts';

/** What was found at one look. */
export interface Seen {
  /** Why the queue is not consumed, or null. */
  readonly problem: HostError | null;
  readonly missing: readonly string[];
  readonly notes: readonly string[];
  readonly waiting: number | null;
  readonly parked: number | null;
  /** Queues that hold no more, among the notes too. */
  readonly full: readonly string[];
  /** Consumers that stood on the main queue, none when it was made just now; null when it could not be looked at. */
  readonly consumers: number | null;
}

export interface EventTopology {
  readonly prober: Prober;
  readonly settings: Settings;
}

/** Look at, and mend, all that one subscription needs. Rejects when the connection is lost. */
export async function ensureSubscription(
  { prober, settings }: EventTopology,
  subscription: Subscription,
): Promise<Seen> {
  const { plugin } = subscription;
  const exchange = await ensureExchange(prober, { name: settings.events.exchange, type: 'direct' });
  const main = await ensureOwn({ prober, settings }, mainQueue(subscription, settings));
  const rest = [parkedQueue(plugin, settings)].concat(
    pausesOf(subscription).map((pauseMs) => retryQueue(plugin, pauseMs, settings)),
  );
  const others: Finding[][] = [];
  for (const spec of rest) others.push(await ensureOwn({ prober, settings }, spec));
  const findings = [exchange, ...main, ...others.flat()];
  const wrong = findings.find(({ state }) => state === 'problem');
  const counts = {
    waiting: main[0]?.messages ?? (main[0]?.state === 'made' ? 0 : null),
    parked: others[0]?.[0]?.messages ?? 0,
    consumers: main[0]?.state === 'made' ? 0 : (main[0]?.consumers ?? null),
  };
  const full = overfull(plugin, counts, settings);
  if (wrong)
    return { problem: topologyError(wrong.detail), missing: [], notes: full, full, ...counts };

  const missing = await missingExchanges(prober, subscription.exchanges);
  const wanted = subscription.exchanges.flatMap((name) =>
    subscription.bindings.map((pattern) => ({ exchange: name, pattern })),
  );
  const { known } = settings.events;
  const queue = mainQueue(subscription, settings).name;
  const unbound = await reconcileBindings({ prober, known, queue }, wanted, missing);
  const notes = findings.flatMap(({ name, detail }) =>
    detail === '' ? [] : [`${name}: ${detail}`],
  );
  return { problem: null, missing, notes: [...full, ...notes, ...unbound], full, ...counts };
}

/** A queue, and the binding by its own name. */
async function ensureOwn(
  { prober, settings }: EventTopology,
  queue: QueueSpec,
): Promise<Finding[]> {
  const made = await ensureQueue(prober, queue);
  if (made.state === 'problem') return [made];
  const exchange = { name: settings.events.exchange, type: 'direct' } as const;
  return [made, await ensureBinding(prober, { exchange, queue, routingKey: queue.name })];
}

/** A refusal to look is not an absence: the binding shows then what may be done. */
export async function missingExchanges(
  prober: Prober,
  names: readonly string[],
): Promise<string[]> {
  const missing: string[] = [];
  for (const name of new Set(names)) {
    const looked = await prober.ask((channel) => channel.checkExchange(name));
    if (!looked.ok && looked.fault.code === REPLY.notFound) missing.push(name);
  }
  return missing;
}
