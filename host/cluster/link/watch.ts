/**
 * Follows a bucket for ever: after every doubt (a reconnect, a gap, silence) it reads all of it again.
 * The client's own watch notices a consumer that died with its server after a minute only.
 * May import: kernel, @nats-io.
 */
import {
  AckPolicy,
  DeliverPolicy,
  type ConsumerConfig,
  type ConsumerMessages,
  type JsMsg,
} from '@nats-io/jetstream';
import { createInbox, nuid } from '@nats-io/transport-node';

import { messageOf } from '../../kernel/errors.ts';
import { backoffMs, pause } from '../../kernel/time.ts';
import type { Link } from './link.ts';

export interface BucketEntry {
  readonly key: string;
  readonly revision: number;
  /** Null for a key that was removed: its marker. */
  readonly value: Uint8Array | null;
  /** By the clock of the NATS server, epoch ms. */
  readonly createdAt: number;
}

/** Must not throw. */
export interface WatchListener {
  /** All entries follow, perhaps once more: what is not among them is gone. */
  reload?(): void;
  entry(entry: BucketEntry): void;
  /** All entries there were have been given. */
  loaded?(): void;
}

export interface Watch extends Disposable {
  /** Resolves after the first `loaded`; rejects when it is disposed before. */
  readonly loaded: Promise<void>;
}

/** `all`: the entries there are, then changes; `new`: changes only, and `reload` says that some may be missed. */
export type WatchFrom = 'all' | 'new';

export interface WatchSpec {
  readonly stream: string;
  readonly from: WatchFrom;
  /** Of the subjects, before the key. */
  readonly prefix: string;
  readonly filter: string;
  readonly listener: WatchListener;
}

/** Silence of twice this long is doubt. */
const HEARTBEAT_MS = 2_000;
const NANOS = 1_000_000;
/** The server forgets a watch that nobody listens to. */
const INACTIVE_MS = 30_000;
const MAX_PAUSE_MS = 500;
/** A watch that has not read all after so long asks how far it is. */
const COMPARE_MS = 200;

export function openWatch(link: Link, spec: WatchSpec): Watch {
  const stop = new AbortController();
  const first = Promise.withResolvers<void>();
  first.promise.catch(() => undefined);
  const listener: WatchListener = {
    ...spec.listener,
    loaded() {
      spec.listener.loaded?.();
      first.resolve();
    },
  };
  const running = follow(link, { ...spec, listener }, stop.signal);
  void running.then(() => first.reject(new Error('the watch was ended'))); // never rejects
  return { loaded: first.promise, [Symbol.dispose]: () => stop.abort() };
}

async function follow(link: Link, spec: WatchSpec, stop: AbortSignal): Promise<void> {
  for (let attempt = 0; !stop.aborted; attempt += 1) {
    try {
      const why = await link.run(spec.stream, () => followOnce(link, spec, stop));
      attempt = 0;
      if (!stop.aborted)
        link.settings.log.debug('cluster.watch_again', { stream: spec.stream, why });
    } catch (error) {
      if (!stop.aborted && attempt > 2)
        link.settings.log.warn('cluster.watch_failed', {
          stream: spec.stream,
          reason: messageOf(error),
        });
    }
    if (!stop.aborted) await pause(backoffMs(attempt, { maxMs: MAX_PAUSE_MS }), stop);
  }
}

/** Read all, then follow; resolves with the doubt that ended it. */
async function followOnce(link: Link, spec: WatchSpec, stop: AbortSignal): Promise<string> {
  const { stream, prefix, filter, listener } = spec;
  const ended = Promise.withResolvers<string>();
  const end = () => ended.resolve('disposed');
  stop.addEventListener('abort', end);
  using _reconnect = link.onReconnect(() => ended.resolve('reconnected'));
  const config = watchConfig(`${prefix}${filter}`, spec.from);
  const bound = await link.client.consumers.getBoundPushConsumer({
    deliver_subject: config.deliver_subject,
    idle_heartbeat: config.idle_heartbeat,
  });
  listener.reload?.();
  const reader = createReader(spec, ended.resolve);
  const messages = await bound.consume({ callback: (message) => reader.take(message) });
  const look = setTimeout(() => void reader.compare(lastOf(link, stream)), COMPARE_MS).unref();
  try {
    void untilSilent(messages, { idle: () => reader.complete(), doubt: ended.resolve }); // never rejects
    const info = await link.manager.consumers.add(stream, config);
    // Otherwise the last of those entries says that it is the last.
    if (info.num_pending === 0 && info.delivered.consumer_seq === 0) reader.complete();
    return await ended.promise;
  } finally {
    clearTimeout(look);
    stop.removeEventListener('abort', end);
    await messages.close();
    // The server forgets it anyway, only later.
    void link.manager.consumers.delete(stream, config.name).catch(() => undefined);
  }
}

function watchConfig(subject: string, from: WatchFrom) {
  return {
    name: `vcx_${nuid.next()}`,
    deliver_subject: createInbox(),
    filter_subject: subject,
    deliver_policy: from === 'all' ? DeliverPolicy.LastPerSubject : DeliverPolicy.New,
    ack_policy: AckPolicy.None,
    max_deliver: 1,
    num_replicas: 1,
    mem_storage: true,
    flow_control: true,
    idle_heartbeat: HEARTBEAT_MS * NANOS,
    inactive_threshold: INACTIVE_MS * NANOS,
  } satisfies Partial<ConsumerConfig>;
}

async function lastOf({ manager }: Link, stream: string): Promise<number> {
  return (await manager.streams.info(stream)).state.last_seq;
}

/**
 * All is read when the server says that nothing is pending. It may never say so of a bucket that is written to all
 * the time (2.9 counts entries that were replaced before their delivery): then, when what was the last entry a moment
 * after the start was passed, or when the server has nothing more to say.
 */
function createReader({ prefix, listener }: WatchSpec, doubt: (why: string) => void) {
  let [delivered, passed, target] = [0, 0, Infinity];
  let loading = true;
  const complete = () => {
    if (!loading) return;
    loading = false;
    listener.loaded?.();
  };
  return {
    complete,
    take(message: JsMsg) {
      delivered += 1;
      if (message.info.deliverySequence !== delivered) {
        doubt('a gap');
        return;
      }
      passed = message.seq;
      listener.entry(messageEntry(message, prefix));
      if (message.info.pending === 0 || passed >= target) complete();
    },
    async compare(last: Promise<number>) {
      target = await last.catch(() => Infinity);
      if (passed >= target) complete();
    },
  };
}

export function messageEntry(message: JsMsg, prefix: string): BucketEntry {
  return {
    key: message.subject.slice(prefix.length),
    revision: message.seq,
    value: message.headers?.get('KV-Operation') ? null : message.data,
    createdAt: message.info.timestampNanos / NANOS,
  };
}

async function untilSilent(
  messages: ConsumerMessages,
  { idle, doubt }: { idle: () => void; doubt: (why: string) => void },
): Promise<void> {
  for await (const status of messages.status()) {
    if (status.type === 'heartbeat') idle();
    if (status.type === 'heartbeats_missed' || status.type === 'consumer_deleted')
      doubt(status.type);
  }
  doubt('it ended');
}
