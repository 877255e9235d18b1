/**
 * How many fetches a plug-in may have under way and begin for one org.
 * May import: kernel, quotas.
 */
import { HostError } from '../../kernel/errors.ts';
import type { Clock } from '../../kernel/time.ts';
import { createBucket, type Bucket } from '../../quotas/bucket.ts';

export interface FetchRates {
  /** Under way at once. */
  readonly concurrency: number;
  readonly perSecond: number;
  /** Above the rate after a quiet time. */
  readonly burst: number;
}

export interface FetchMeter {
  /** Count one; dispose what it gives when the fetch is over. Throws FETCH_RATE_EXCEEDED. */
  enter(plugin: string, org: string): Disposable;
}

interface Account {
  readonly bucket: Bucket;
  underWay: number;
}

/** Pairs of plug-in and org that are remembered; of those with nothing under way the longest unused are forgotten. */
const MAX_PAIRS = 10_000;

export function createFetchMeter(rates: FetchRates, clock: Clock): FetchMeter {
  const { concurrency, perSecond, burst } = rates;
  // A Map keeps insertion order: re-inserting on use makes its first entry the longest unused.
  const accounts = new Map<string, Account>();

  function accountOf(key: string, now: number): Account {
    const bucket = () => createBucket({ capacity: burst, perSecond }, now);
    const account = accounts.get(key) ?? { bucket: bucket(), underWay: 0 };
    accounts.delete(key);
    accounts.set(key, account);
    if (accounts.size > MAX_PAIRS) forgetIdle();
    return account;
  }
  function forgetIdle(): void {
    for (const [key, { underWay }] of accounts)
      if (underWay === 0) {
        accounts.delete(key);
        return;
      }
  }

  return {
    enter(plugin, org) {
      const now = clock.monotonic();
      const account = accountOf(JSON.stringify([plugin, org]), now);
      if (account.underWay >= concurrency)
        throw new HostError('FETCH_RATE_EXCEEDED', `more than ${concurrency} fetches at once`);
      if (account.bucket.level(now) < 1)
        throw new HostError('FETCH_RATE_EXCEEDED', `more than ${perSecond} fetches per second`);
      account.bucket.take(1, now);
      account.underWay += 1;
      return {
        [Symbol.dispose]() {
          account.underWay -= 1;
        },
      };
    },
  };
}
