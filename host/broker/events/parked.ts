/**
 * Looks through the parked queue of a plug-in for its operator. A message is taken, looked at and, unless it was
 * replayed or dropped, goes back to its place when the channel closes.
 * May import: kernel, message, amqplib.
 */
import type { Channel, GetMessage } from 'amqplib';

import { HostError } from '../../kernel/errors.ts';
import type {
  ParkedChoice,
  ParkedDone,
  ParkedEvents,
  ParkedSummary,
} from '../../message/events.ts';
import { redactEvent } from '../../message/notification/redacted.ts';
import type { Link } from '../connection/link.ts';
import { closeChannel, within } from '../consume/prober.ts';
import { REPLY, faultOf } from '../faults.ts';
import type { Settings } from '../options.ts';
import { readParked, replayHeaders } from './envelope.ts';
import type { Mover } from './mover.ts';
import { eventQueues } from './queues.ts';

export interface ParkedSpec {
  readonly settings: Settings;
  readonly link: Link;
  readonly mover: Mover;
}

type Parked = ReturnType<typeof readParked>;
/** What to do with one: take it off, leave it there, or leave it and look at no more. */
type Verdict = 'take' | 'leave' | 'end';

const LIMIT = { default: 100, max: 1_000 } as const;

export function createParkedEvents(spec: ParkedSpec): ParkedEvents {
  // Two at once would hide messages from each other.
  let last: Promise<unknown> = Promise.resolve();
  function inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = last.then(work);
    last = turn.catch(() => undefined);
    return turn;
  }
  return {
    list: (plugin, { limit = LIMIT.default } = {}) =>
      inTurn(async () => {
        const most = Math.min(Math.max(1, limit), LIMIT.max);
        const events: ParkedSummary[] = [];
        const total = await scan(spec, plugin, async ({ summary }) => {
          events.push(summary);
          return events.length < most ? 'leave' : 'end';
        });
        return { events, total };
      }),
    read: (plugin, id) =>
      inTurn(async () => {
        let found: Parked | null = null;
        await scan(spec, plugin, async (parked) => {
          if (parked.summary.id !== id) return 'leave';
          found = parked;
          return 'end';
        });
        return found && redactEvent(found);
      }),
    replay: (plugin, which) =>
      inTurn(() => settle(spec, { plugin, which }, (parked) => replay(spec, plugin, parked))),
    drop: (plugin, which) => inTurn(() => settle(spec, { plugin, which }, async () => null)),
  };
}

/** `act` says why one stays, or null. */
async function settle(
  spec: ParkedSpec,
  { plugin, which }: { readonly plugin: string; readonly which: ParkedChoice },
  act: (parked: Parked) => Promise<string | null>,
): Promise<ParkedDone> {
  const asked = which === 'all' ? null : new Set(which);
  const failed: { id: string; reason: string }[] = [];
  let done = 0;
  if (asked?.size !== 0)
    await scan(
      spec,
      plugin,
      async (parked): Promise<Verdict> => {
        const { id } = parked.summary;
        if (asked && !asked.delete(id)) return 'leave';
        const reason = await act(parked);
        if (reason === null) done += 1;
        else failed.push({ id, reason });
        if (reason === null) return 'take';
        return asked?.size === 0 ? 'end' : 'leave';
      },
      () => asked?.size === 0,
    );
  for (const id of asked ?? []) failed.push({ id, reason: 'not parked' });
  return { done, failed };
}

async function replay(spec: ParkedSpec, plugin: string, parked: Parked): Promise<string | null> {
  const { envelope, sha256, body } = parked;
  if (sha256 !== null) return 'its body was too large to be kept';
  return spec.mover.move({
    plugin,
    kind: 'replay',
    queue: eventQueues(spec.settings.events.exchange, plugin).main,
    headers: replayHeaders(envelope),
    contentType: envelope.contentType,
    body: Buffer.from(body.buffer, body.byteOffset, body.byteLength),
  });
}

/** Show every parked message to `visit`, the oldest first; resolves with their number. Throws `BROKER_UNAVAILABLE`. */
async function scan(
  { settings, link }: ParkedSpec,
  plugin: string,
  visit: (parked: Parked) => Promise<Verdict>,
  enough: () => boolean = () => false,
): Promise<number> {
  const { exchange } = settings.events;
  const queue = eventQueues(exchange, plugin).parked;
  const ask = <T>(answer: Promise<T>) => within(link, answer, settings.watchMs);
  let channel: Channel | null = null;
  try {
    channel = await openChannel(link, ask);
    const { messageCount } = await ask(channel.checkQueue(queue));
    for (let seen = 0; seen < messageCount; seen += 1) {
      const message: GetMessage | false = await ask(channel.get(queue, { noAck: false }));
      if (!message) break;
      const verdict = await visit(readParked(message, exchange));
      if (verdict === 'take') channel.ack(message);
      if (verdict === 'end' || enough()) break;
    }
    return messageCount;
  } catch (error) {
    const fault = faultOf(error);
    // Nothing was ever parked.
    if (fault.code === REPLY.notFound) return 0;
    throw new HostError('BROKER_UNAVAILABLE', `${queue}: ${fault.text}`, { cause: error });
  } finally {
    // Closing puts back what was only looked at, each in its place.
    if (channel) await closeChannel(channel);
  }
}

async function openChannel(
  link: Link,
  ask: <T>(answer: Promise<T>) => Promise<T>,
): Promise<Channel> {
  if (!link.model) throw new Error(link.reason ?? 'no connection');
  const channel = await ask(link.model.createChannel());
  // The question's own promise tells; an unheard 'error' event would end the process.
  channel.on('error', () => undefined);
  return channel;
}
