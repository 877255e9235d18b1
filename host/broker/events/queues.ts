/**
 * The queues of one plug-in: what waits for it, what it gets again after a pause, and what was given up on.
 * All are bound to vcx's own direct exchange by their own names.
 * May import: message.
 */
import type { Subscription } from '../../message/events.ts';
import type { QueueSpec } from '../consume/topology.ts';
import type { Settings } from '../options.ts';

export interface EventQueues {
  /** `vcx.events.PLUGIN` */
  readonly main: string;
  /** `vcx.events.PLUGIN.parked` */
  readonly parked: string;
  /** `vcx.events.PLUGIN.retry.MS`: whatever lies in it comes back to `main` after that time. */
  retry(pauseMs: number): string;
}

/** AMQP's TTLs are unsigned 32 bit. */
const MAX_PAUSE_MS = 0xffff_ffff;
const FIRST_PAUSE_MS = 1_000;

export function eventQueues(exchange: string, plugin: string): EventQueues {
  const main = `${exchange}.${plugin}`;
  return { main, parked: `${main}.parked`, retry: (pauseMs) => `${main}.retry.${pauseMs}` };
}

/** The plug-in of a main queue; null for any other queue. Names of plug-ins have no dots. */
export function pluginOf(exchange: string, queue: string): string | null {
  const plugin = queue.startsWith(`${exchange}.`) ? queue.slice(exchange.length + 1) : '';
  return plugin === '' || plugin.includes('.') ? null : plugin;
}

/** The pauses of a subscription as whole milliseconds that a queue can have; never empty. */
export function pausesOf({ retryMs }: Subscription): number[] {
  const whole = retryMs.map((ms) => Math.min(MAX_PAUSE_MS, Math.max(1, Math.round(ms) || 1)));
  return whole.length > 0 ? whole : [FIRST_PAUSE_MS];
}

/** The pause behind a failed attempt, counted from 1. */
export function pauseAfter(subscription: Subscription, attempt: number): number {
  const pauses = pausesOf(subscription);
  return pauses[Math.min(attempt, pauses.length) - 1] ?? FIRST_PAUSE_MS;
}

/** The shortest pause that is as long, or else the longest. */
export function nearestPause(subscription: Subscription, pauseMs: number): number {
  const pauses = pausesOf(subscription).toSorted((a, b) => a - b);
  return pauses.find((pause) => pause >= pauseMs) ?? pauses.at(-1) ?? FIRST_PAUSE_MS;
}

/** The main and the parked queue. */
export function mainQueue(subscription: Subscription, settings: Settings): QueueSpec {
  const { main } = eventQueues(settings.events.exchange, subscription.plugin);
  return durable(main, settings, {
    'x-max-length': settings.events.maxWaiting,
    ...(subscription.ordered && { 'x-single-active-consumer': true }),
  });
}

export function parkedQueue(plugin: string, settings: Settings): QueueSpec {
  const { exchange, maxParked, parkedTtlMs } = settings.events;
  return durable(eventQueues(exchange, plugin).parked, settings, {
    'x-max-length': maxParked,
    'x-message-ttl': parkedTtlMs,
  });
}

export function retryQueue(plugin: string, pauseMs: number, settings: Settings): QueueSpec {
  const { exchange } = settings.events;
  const queues = eventQueues(exchange, plugin);
  return durable(queues.retry(pauseMs), settings, {
    'x-message-ttl': pauseMs,
    'x-dead-letter-exchange': exchange,
    'x-dead-letter-routing-key': queues.main,
  });
}

export interface Fill {
  readonly waiting: number | null;
  readonly parked: number | null;
}

/** Queues at their cap, from which the broker takes the oldest without a word; in words for an operator. */
export function overfull(
  plugin: string,
  { waiting, parked }: Fill,
  { events }: Settings,
): string[] {
  const queues = eventQueues(events.exchange, plugin);
  const full = (queue: string, count: number | null, most: number) =>
    count !== null && count >= most ? [`${queue}: full with ${count} events, the oldest go`] : [];
  return [
    ...full(queues.main, waiting, events.maxWaiting),
    ...full(queues.parked, parked, events.maxParked),
  ];
}

function durable(
  name: string,
  { queue }: Settings,
  args: Readonly<Record<string, unknown>>,
): QueueSpec {
  const type = queue.quorum ? { 'x-queue-type': 'quorum' } : {};
  return { name, options: { durable: true, arguments: { ...type, ...args } } };
}
