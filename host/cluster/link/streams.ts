/**
 * Streams as they must be: made when they are missing, compared when they are there, never altered.
 * May import: kernel, @nats-io.
 */
import {
  DiscardPolicy,
  RetentionPolicy,
  StorageType,
  type StreamConfig,
  type StreamInfo,
} from '@nats-io/jetstream';

import { codeOf, HostError } from '../../kernel/errors.ts';
import { backoffMs, pause } from '../../kernel/time.ts';
import { isMissing } from './faults.ts';
import type { Link } from './link.ts';
import type { BucketName } from './options.ts';

export interface StreamShape {
  readonly name: string;
  readonly subjects: readonly string[];
  /** Messages kept of each subject; -1 for all. @default 1 */
  readonly perSubject?: number;
  /** @default no limit */
  readonly maxMessages?: number;
  /** 0 for ever. @default 0 */
  readonly maxAgeMs?: number;
  readonly maxBytes: number;
  /** What goes when it is full: the new message (it is refused), or the oldest. @default new */
  readonly discard?: DiscardPolicy;
}

const NANOS = 1_000_000;
const DUPLICATES_MS = 60_000;

/** Name of a bucket or stream of this cluster. */
export function nameOf({ settings }: Link, bucket: BucketName): string {
  return `${settings.prefix}_${bucket}`;
}

/** Make the stream, or see that it is as wanted. Throws CLUSTER_BUCKET_SHAPE that says what differs. */
export async function ensureStream(link: Link, shape: StreamShape): Promise<void> {
  const wanted = configOf(link, shape);
  const info = await patiently(link, () => link.run(shape.name, () => findOrAdd(link, wanted)));
  const differences = Object.entries(wanted)
    .filter(([field, value]) => !same(Reflect.get(info.config, field), value))
    .map(
      ([field, value]) =>
        `${field} is ${shown(Reflect.get(info.config, field))}, not ${shown(value)}`,
    );
  if (differences.length > 0)
    throw new HostError('CLUSTER_BUCKET_SHAPE', `${shape.name}: ${differences.join(', ')}`);
}

/** Servers that have just started need some seconds until they agree on a leader. */
async function patiently<T>({ settings }: Link, work: () => Promise<T>): Promise<T> {
  const until = settings.clock.monotonic() + settings.connectMs;
  for (let attempt = 0; ; attempt += 1) {
    try {
      return await work();
    } catch (error) {
      if (codeOf(error) !== 'CLUSTER_UNAVAILABLE' || settings.clock.monotonic() > until)
        throw error;
      await pause(backoffMs(attempt, { maxMs: 1_000 }));
    }
  }
}

type Wanted = Partial<StreamConfig> & { readonly name: string };

function configOf({ settings }: Link, shape: StreamShape): Wanted {
  return {
    name: shape.name,
    subjects: [...shape.subjects],
    retention: RetentionPolicy.Limits,
    storage: StorageType.File,
    discard: shape.discard ?? DiscardPolicy.New,
    max_msgs_per_subject: shape.perSubject ?? 1,
    max_msgs: shape.maxMessages ?? -1,
    max_age: (shape.maxAgeMs ?? 0) * NANOS,
    max_bytes: shape.maxBytes,
    num_replicas: settings.replicas,
    // Long enough for a write under way; see `Bucket.replace`.
    duplicate_window: Math.min(DUPLICATES_MS, shape.maxAgeMs || DUPLICATES_MS) * NANOS,
    // Answers of followers may be older than what was acknowledged: only the leader is asked.
    allow_direct: false,
    allow_rollup_hdrs: true,
    deny_delete: false,
    deny_purge: false,
    // What would refuse or silently lose what we write.
    sealed: false,
    no_ack: false,
    max_msg_size: -1,
    max_consumers: -1,
  };
}

async function findOrAdd({ manager }: Link, wanted: Wanted): Promise<StreamInfo> {
  try {
    return await manager.streams.info(wanted.name);
  } catch (error) {
    if (!isMissing(error)) throw error;
  }
  try {
    return await manager.streams.add(wanted);
  } catch (error) {
    // Another host was faster, perhaps with other settings: what is there now is compared.
    return manager.streams.info(wanted.name).catch(() => Promise.reject(error));
  }
}

/** The server leaves out what is false, zero or empty. */
function same(there: unknown, wanted: unknown): boolean {
  return JSON.stringify(there ?? null) === JSON.stringify(wanted) || (!there && !wanted);
}

function shown(value: unknown): string {
  return JSON.stringify(value ?? null);
}
