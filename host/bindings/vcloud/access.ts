/**
 * The service account's way to vCloud for plug-ins: in the context of the calling org, at a bounded rate.
 * May import: kernel, quotas, vcloud.
 */
import { HostError } from '../../kernel/errors.ts';
import { systemClock, type Clock } from '../../kernel/time.ts';
import { createBucket, type Bucket } from '../../quotas/bucket.ts';
import type { VcloudAnswer, VcloudMethod } from '../../vcloud/client/calls.ts';
import type { VcloudClient } from '../../vcloud/client.ts';
import { VcloudError } from '../../vcloud/errors.ts';
import { uuidOf } from '../../vcloud/links.ts';
import type { Grant } from '../binding.ts';

export interface AccessOptions {
  /** Null where no vCloud is configured: then every call is refused. */
  readonly client: VcloudClient | null;
  readonly clock?: Clock;
  /**
   * Requests of one plug-in over all orgs, and how many at once after a quiet time. An org that makes more than a
   * quarter of either leaves half of what is saved up to the others. @default 20 and 40
   */
  readonly requestsPerSecond?: number;
  readonly burst?: number;
}

export const ACCESS_DEFAULTS = { requestsPerSecond: 20, burst: 40 } as const;

export interface AccessCall {
  readonly method: VcloudMethod;
  /** Path and query. */
  readonly path: string;
  readonly body?: string;
  readonly type?: string;
  /** @default 'application/*+xml' */
  readonly accept?: string;
}

/** Who pays for a request. */
export type Charged = Pick<Grant, 'plugin' | 'org'>;

export interface VcloudAccess {
  /** Origin of the configured vCloud, for hrefs inside documents. */
  readonly origin: string;
  /**
   * One request in the context of the grant's org; answers of any status are given. Throws
   * `VCLOUD_RATE_EXCEEDED`, and `VCLOUD_UNAVAILABLE` without a word of what went wrong on our side.
   */
  send(grant: Grant, call: AccessCall, signal?: AbortSignal): Promise<VcloudAnswer>;
  /**
   * The client itself, for one request whose path the host makes; it throws as `send` does, but for what the
   * client throws: give that to `discreet`.
   */
  charge(grant: Charged): VcloudClient;
}

export function createAccess(options: AccessOptions): VcloudAccess {
  const { client } = options;
  const take = createRates(options);

  function charge(grant: Charged): VcloudClient {
    if (!client) throw new HostError('VCLOUD_UNAVAILABLE', 'no vCloud is configured');
    take(grant);
    return client;
  }

  return {
    origin: client?.origin ?? '',
    charge,
    async send(grant, { method, path, body, type, accept }, signal) {
      const charged = charge(grant);
      try {
        return await charged.request(method, path, {
          headers: { 'x-vmware-vcloud-tenant-context': orgUuid(grant) },
          raw: true,
          ...(body === undefined ? {} : { body }),
          ...(type === undefined ? {} : { type }),
          ...(accept === undefined ? {} : { accept }),
          ...(signal ? { signal } : {}),
        });
      } catch (error) {
        throw discreet(error);
      }
    },
  };
}

/** Bare id of the calling org. */
export function orgUuid({ org }: Pick<Grant, 'org'>): string {
  const uuid = uuidOf(org);
  if (!uuid) throw new HostError('VCLOUD_OUT_OF_SCOPE', 'the call has no org that vCloud knows');
  return uuid;
}

/** Messages of the client speak of our session and its address: guests get the code only. */
export function discreet(error: unknown): unknown {
  if (error instanceof VcloudError)
    return error.code === 'VCLOUD_REFUSED'
      ? new HostError('VCLOUD_REFUSED', 'vCloud does not let the service account in')
      : new HostError('VCLOUD_UNAVAILABLE', 'vCloud did not answer');
  if (error instanceof HostError && error.code === 'XML_INVALID')
    return new HostError('VCLOUD_ANSWER_TOO_LARGE', "vCloud's answer is too large");
  return error;
}

/** What an org may always take, as part of rate and burst; and what is kept for others when it takes more. */
const SHARE = 0.25;
const KEPT = 0.5;
/** Pairs of plug-in and org that are remembered; over it all are forgotten. */
const MAX_PAIRS = 10_000;

function createRates(options: AccessOptions): (grant: Charged) => void {
  const { clock = systemClock } = options;
  const perSecond = options.requestsPerSecond ?? ACCESS_DEFAULTS.requestsPerSecond;
  const capacity = options.burst ?? ACCESS_DEFAULTS.burst;
  const whole = { capacity, perSecond };
  const share = { capacity: Math.max(1, capacity * SHARE), perSecond: perSecond * SHARE };
  const buckets = new Map<string, Bucket>();
  const shares = new Map<string, Bucket>();

  return ({ plugin, org }) => {
    const now = clock.monotonic();
    if (shares.size > MAX_PAIRS) shares.clear();
    const bucket = bucketOf(buckets, plugin, () => createBucket(whole, now));
    const own = bucketOf(shares, `${plugin}\n${org}`, () => createBucket(share, now));
    const isModest = own.level(now) >= 1;
    const wanted = isModest ? 1 : Math.max(1, capacity * KEPT);
    if (bucket.level(now) < wanted)
      throw new HostError(
        'VCLOUD_RATE_EXCEEDED',
        `more than ${perSecond} requests to vCloud a second; again in ${Math.ceil(bucket.msUntil(wanted, now))} ms`,
      );
    bucket.take(1, now);
    if (isModest) own.take(1, now);
  };
}

function bucketOf(buckets: Map<string, Bucket>, key: string, make: () => Bucket): Bucket {
  const known = buckets.get(key);
  if (known) return known;
  const made = make();
  buckets.set(key, made);
  return made;
}
