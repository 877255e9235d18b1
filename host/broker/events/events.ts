/**
 * The AMQP implementation of the port for notifications, on the connections that the calls use.
 * May import: kernel, message, amqplib.
 */
import { HostError } from '../../kernel/errors.ts';
import type { EventTransport } from '../../message/events.ts';
import type { Link } from '../connection/link.ts';
import { type Prober, createProber } from '../consume/prober.ts';
import { faultOf } from '../faults.ts';
import type { LimitedLog } from '../log-limit.ts';
import type { Settings } from '../options.ts';
import type { Publisher } from '../publish/publisher.ts';
import type { Tally } from '../tally.ts';
import { unbindAll } from './bindings.ts';
import { EventIntake } from './intake.ts';
import { Mover } from './mover.ts';
import { createParkedEvents } from './parked.ts';
import { eventQueues, pausesOf } from './queues.ts';
import { missingExchanges } from './topology.ts';

export interface EventsSpec {
  readonly settings: Settings;
  /** To consume. */
  readonly link: Link;
  readonly publisher: Publisher;
  readonly limited: LimitedLog;
  readonly tally: Tally;
}

export interface Events {
  readonly transport: EventTransport;
  /** The connection to consume came or went. */
  linkChanged(): void;
  /** Take nothing while there is a reason. */
  pause(reason: string | null): void;
  /** Cancel, let copies that are on their way be confirmed for a second, close. Never rejects. */
  close(): Promise<void>;
}

export function openEvents(spec: EventsSpec): Events {
  const repair = (plugin: string): Promise<void> => intake.repair(plugin);
  const mover = new Mover({ ...spec, repair });
  const intake = new EventIntake({ ...spec, mover });
  return {
    transport: {
      setSubscriptions: (list) => intake.setSubscriptions(list),
      forget: (plugin) => forget(spec, intake, plugin),
      consume: (onEvent) => intake.start(onEvent),
      cancel: () => intake.stop(),
      status: () => intake.status(),
      missingOf: (exchanges) => missingOf(spec, exchanges),
      parked: createParkedEvents({ ...spec, mover }),
    },
    linkChanged: () => intake.linkChanged(),
    pause: (reason) => intake.pause(reason),
    close: () => intake.close(() => mover.close()),
  };
}

/** Queues that hold something, or that another host consumes, are left. */
async function forget(spec: EventsSpec, intake: EventIntake, plugin: string): Promise<string[]> {
  const { link, settings } = spec;
  const { exchange, known } = settings.events;
  const queues = eventQueues(exchange, plugin);
  const { main, parked } = queues;
  const subscription = intake.latest(plugin);
  const retries = subscription ? pausesOf(subscription).map((ms) => queues.retry(ms)) : [];
  try {
    if (!link.model) throw new Error(link.reason ?? 'no connection');
    await using prober = createProber(link, link.model, settings.watchMs);
    const bound = await unbindAll({ prober, queue: main }, await known.get(main));
    const left: string[] = [];
    for (const queue of [...retries, main, parked])
      if (!(await isDeleted(prober, queue))) left.push(queue);
    if (bound.length === 0) await known.put(main, []);
    return left;
  } catch (error) {
    const { text } = faultOf(error);
    throw new HostError('BROKER_UNAVAILABLE', `${main}: ${text}`, { cause: error });
  }
}

async function missingOf({ link, settings }: EventsSpec, names: readonly string[]) {
  try {
    if (!link.model) throw new Error(link.reason ?? 'no connection');
    await using prober = createProber(link, link.model, settings.watchMs);
    return await missingExchanges(prober, names);
  } catch (error) {
    throw new HostError('BROKER_UNAVAILABLE', faultOf(error).text, { cause: error });
  }
}

async function isDeleted(prober: Prober, queue: string): Promise<boolean> {
  const only = { ifEmpty: true, ifUnused: true };
  return (await prober.ask((channel) => channel.deleteQueue(queue, only))).ok;
}
