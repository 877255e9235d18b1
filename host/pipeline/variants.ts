/**
 * The bundle as one org gets it: with the org's own limits, and at a lower priority while it is over its CPU time.
 * May import: quotas, sandbox.
 */
import type { Limits } from '../quotas/limits.ts';
import type { GuestBundle } from '../sandbox/sandbox.ts';

const made = new WeakMap<
  GuestBundle,
  WeakMap<Limits, { normal: GuestBundle; slow: GuestBundle }>
>();

/** The same object for the same bundle, limits and pace, so that isolates are found again. */
export function variantOf(bundle: GuestBundle, limits: Limits, slow: boolean): GuestBundle {
  if (limits === bundle.limits && !slow) return bundle;
  let byLimits = made.get(bundle);
  if (!byLimits) made.set(bundle, (byLimits = new WeakMap()));
  let pair = byLimits.get(limits);
  if (!pair) {
    const normal = limits === bundle.limits ? bundle : { ...bundle, limits };
    pair = { normal, slow: { ...bundle, limits, isolation: 'org', niced: true } };
    byLimits.set(limits, pair);
  }
  return slow ? pair.slow : pair.normal;
}
