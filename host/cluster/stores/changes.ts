/**
 * The audit log as a stream: the number of an entry is that of its message.
 * May import: kernel, storage, cluster, @nats-io.
 */
import { DiscardPolicy, type JsMsg } from '@nats-io/jetstream';

import type { Change, ChangeLog, ChangeQuery, NewChange } from '../../storage/changes.ts';
import { isMissing } from '../link/faults.ts';
import { keyOf } from '../link/keys.ts';
import type { Link } from '../link/link.ts';
import { ensureStream, nameOf } from '../link/streams.ts';
import type { Pulse } from '../pulse.ts';

export interface NatsChanges extends ChangeLog {
  /** As `record`, but with its time, and the number of the entry comes back. */
  append(change: NewChange, at?: number): Promise<number>;
  /** Take an entry back, for a change that was not made after all. */
  retract(id: number): Promise<void>;
}

export interface NatsChangesParts {
  readonly link: Link;
  /** Not owned. */
  readonly pulse: Pick<Pulse, 'now'>;
  /** Entries kept. @default 100000 */
  readonly maxEntries?: number;
}

/** Longest name that is kept whole; authors of changes are no more trusted than others. */
const MAX_CHARS = 500;
const MAX_PAGE = 1_000;
/** Messages looked at in the first step back; each further one is four times as long. */
const FIRST_STEP = 500;
const FETCH_MS = 5_000;

/** Throws a CLUSTER code. */
export async function openNatsChanges(parts: NatsChangesParts): Promise<NatsChanges> {
  const { link, pulse, maxEntries = 100_000 } = parts;
  const stream = nameOf(link, 'changes');
  await ensureStream(link, {
    name: stream,
    subjects: [`${stream}.>`],
    perSubject: -1,
    maxMessages: maxEntries,
    maxBytes: link.settings.bytes.changes,
    discard: DiscardPolicy.Old,
  });
  const run = <T>(work: () => Promise<T>) => link.run(stream, work);

  async function append(change: NewChange, at = Math.round(pulse.now())): Promise<number> {
    const { who, action, plugin, org, subject, before, after } = change;
    const [short, shortAction] = [who.slice(0, MAX_CHARS), action.slice(0, MAX_CHARS)];
    const [...texts] = [plugin, org, subject, before, after].map(
      (text) => text?.slice(0, MAX_CHARS) ?? null,
    );
    const subjectName = `${stream}.${keyOf(plugin ?? '', org ?? '')}`;
    const body = JSON.stringify([at, short, shortAction, ...texts]);
    return (await run(() => link.client.publish(subjectName, body))).seq;
  }

  return {
    append,
    record: async (change) => void (await append(change)),
    list: (query = {}) => run(() => listBack(link, stream, query)),
    retract: (id) =>
      run(async () => {
        await link.manager.streams.deleteMessage(stream, id, false).catch((error: unknown) => {
          if (!isMissing(error)) throw error;
        });
      }),
  };
}

/** The newest that fit: steps back from the end grow until there are enough. */
async function listBack(link: Link, stream: string, query: ChangeQuery): Promise<Change[]> {
  const { plugin, org, before = Number.MAX_SAFE_INTEGER, limit = 100 } = query;
  const wanted = Math.min(limit, MAX_PAGE);
  const { state } = await link.manager.streams.info(stream);
  const parts = [plugin, org].map((name) => (name === undefined ? '*' : keyOf(name)));
  const filter = `${stream}.${parts.join('.')}`;
  const found: Change[] = [];
  let end = Math.min(before - 1, state.last_seq);
  for (let step = Math.max(FIRST_STEP, wanted); end >= state.first_seq; step *= 4) {
    const start = Math.max(state.first_seq, end - step + 1);
    const some = await readRange(link, stream, { filter, start, end });
    found.push(...some.toReversed());
    if (found.length >= wanted) break;
    end = start - 1;
  }
  return found.slice(0, wanted);
}

async function readRange(
  link: Link,
  stream: string,
  { filter, start, end }: { filter: string; start: number; end: number },
): Promise<Change[]> {
  const options = { filter_subjects: filter, opt_start_seq: start };
  const consumer = await link.client.consumers.get(stream, options);
  const { num_pending: pending } = await consumer.info();
  const found: Change[] = [];
  if (pending === 0) return found;
  const messages = await consumer.fetch({ max_messages: pending, expires: FETCH_MS });
  for await (const message of messages) {
    if (message.seq > end) break;
    found.push(...changeOf(message));
    if (message.info.pending === 0) break;
  }
  await messages.close();
  return found;
}

/** What nobody of us wrote is left out. */
function changeOf(message: JsMsg): Change[] {
  try {
    const [at, who, action, plugin, org, subject, before, after] =
      message.json<[number, string, string, ...(string | null)[]]>();
    const texts = [plugin, org, subject, before, after].map((text) => text ?? null);
    const [one = null, two = null, three = null, four = null, five = null] = texts;
    return [
      {
        id: message.seq,
        at,
        who,
        action,
        plugin: one,
        org: two,
        subject: three,
        before: four,
        after: five,
      },
    ];
  } catch {
    return [];
  }
}
