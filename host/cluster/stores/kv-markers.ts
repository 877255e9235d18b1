/**
 * Markers of removed keys: they stay a while for those that follow the bucket, and take place in it that all share.
 * May import: kernel, cluster.
 */
import { HostError, messageOf } from '../../kernel/errors.ts';
import type { Bucket } from '../link/bucket.ts';
import type { Link } from '../link/link.ts';

export interface KvMarkers extends AsyncDisposable {
  /** Throws BINDING_ARGUMENT when the scope has as many as it may. */
  checkRoom(scope: string): void;
  /** This process left a marker. */
  left(scope: string, revision: number): void;
}

export interface KvMarkersOptions {
  readonly link: Link;
  readonly bucket: Pick<Bucket, 'erase'>;
  /** Of one scope at once: whoever writes and removes all the time must not fill the bucket. @default 10000 */
  readonly most?: number;
  /** How long a marker stays, ms. @default 60000 */
  readonly keepMs?: number;
}

/** Those that are taken away at one look. */
const AT_ONCE = 2_000;

export function createKvMarkers(options: KvMarkersOptions): KvMarkers {
  const { link, bucket, most = 10_000, keepMs = 60_000 } = options;
  const { clock, log } = link.settings;
  const counts = new Map<string, number>();
  /** The oldest first. */
  const markers: { readonly scope: string; readonly revision: number; readonly at: number }[] = [];
  let working: Promise<void> | null = null;

  function forget(scope: string): void {
    const count = (counts.get(scope) ?? 1) - 1;
    if (count === 0) counts.delete(scope);
    else counts.set(scope, count);
  }
  async function erase(): Promise<void> {
    const before = clock.monotonic() - keepMs;
    const old = markers.findIndex(({ at }) => at > before);
    const due = markers.slice(0, Math.min(AT_ONCE, old < 0 ? markers.length : old));
    for (const { scope, revision } of due) {
      await bucket.erase(revision);
      markers.shift();
      forget(scope);
    }
  }
  const timer = setInterval(
    () => {
      working ??= erase()
        .catch((error: unknown) => log.warn('cluster.sweep_failed', { reason: messageOf(error) }))
        .finally(() => (working = null));
    },
    Math.max(20, keepMs / 30),
  ).unref();

  return {
    checkRoom(scope) {
      if ((counts.get(scope) ?? 0) < most) return;
      throw new HostError('BINDING_ARGUMENT', 'kv: too many keys were removed in a short time');
    },
    left(scope, revision) {
      markers.push({ scope, revision, at: clock.monotonic() });
      counts.set(scope, (counts.get(scope) ?? 0) + 1);
    },
    async [Symbol.asyncDispose]() {
      clearInterval(timer);
      await working;
    },
  };
}
