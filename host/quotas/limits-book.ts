/**
 * Which limits are in force for a plug-in and an org: the manifest's, within what the operator allows.
 * May import: kernel.
 */
import { HostError } from '../kernel/errors.ts';
import { LIMITS, defaultLimits, type LimitName, type Limits } from './limits.ts';

export type SomeLimits = Readonly<Partial<Record<LimitName, number | undefined>>>;

export interface OperatorLimits {
  /** Highest values that manifests may ask for, in place of the built-in ceilings. */
  readonly ceilings: SomeLimits;
  /** By plug-in: replace what the manifest asks for. */
  readonly plugins: Readonly<Record<string, SomeLimits>>;
  /** By bare org id: the lower of this and the plug-in's limit counts. */
  readonly orgs: Readonly<Record<string, SomeLimits>>;
}

export interface LimitsBook {
  /** What a manifest asks for, with defaults; throws BUNDLE_INVALID naming the key and the allowed range. */
  resolve(plugin: string, asked: SomeLimits): Limits;
  /**
   * The lowest of the plug-in's limits, those of the org, and `own`, which are for this plug-in in this org alone.
   * The same object for the same three, so that callers can compare by identity.
   */
  forOrg(limits: Limits, orgUrn: string, own?: SomeLimits): Limits;
}

interface Lowered {
  readonly own: SomeLimits;
  readonly result: Limits;
}

const NO_LIMITS: SomeLimits = {};

function isEmpty(limits: SomeLimits): boolean {
  for (const _ in limits) return false;
  return true;
}

const NAMES = Object.keys(LIMITS) as LimitName[];

function isSame(one: SomeLimits, other: SomeLimits): boolean {
  return NAMES.every((name) => one[name] === other[name]);
}

export function createLimitsBook(operator: OperatorLimits): LimitsBook {
  const lowered = new WeakMap<Limits, Map<string, Lowered>>();

  function lower(limits: Limits, orgId: string, own: SomeLimits): Limits {
    const all = operator.orgs[orgId] ?? {};
    return Object.fromEntries(
      NAMES.map((name) => [
        name,
        Math.min(limits[name], all[name] ?? Infinity, own[name] ?? Infinity),
      ]),
    ) as Limits;
  }

  return {
    resolve(plugin, asked) {
      for (const name of NAMES) checkRange(name, asked[name], operator.ceilings[name]);
      const given = { ...defined(asked), ...defined(operator.plugins[plugin] ?? {}) };
      return { ...defaultsWithin(operator.ceilings), ...given };
    },
    forOrg(limits, orgUrn, own = NO_LIMITS) {
      const orgId = orgUrn.slice(orgUrn.lastIndexOf(':') + 1);
      if (!Object.hasOwn(operator.orgs, orgId) && isEmpty(own)) return limits;
      let known = lowered.get(limits);
      if (!known) lowered.set(limits, (known = new Map()));
      let entry = known.get(orgId);
      if (entry?.own !== own) {
        // Settings of others make new objects of these too; isolates and debts go by identity.
        const result = entry && isSame(entry.own, own) ? entry.result : lower(limits, orgId, own);
        known.set(orgId, (entry = { own, result }));
      }
      return entry.result;
    },
  };
}

/** Manifests can not know what an operator allows: this is checked at install, not by the schema. */
function checkRange(name: LimitName, value: number | undefined, ceiling: number | undefined): void {
  if (value === undefined) return;
  const { min, unit, ceiling: builtIn } = LIMITS[name];
  const max = ceiling ?? builtIn;
  if (!Number.isInteger(value) || value < min || value > max)
    throw new HostError(
      'BUNDLE_INVALID',
      `plugin.json: limits.${name}: ${value} is not a whole number from ${min} to ${max} ${unit}`,
    );
}

/** What a manifest may not ask for it does not get by asking for nothing. */
function defaultsWithin(ceilings: SomeLimits): Limits {
  const entries = Object.entries(defaultLimits()) as [LimitName, number][];
  return Object.fromEntries(
    entries.map(([name, value]) => [name, Math.min(value, ceilings[name] ?? Infinity)]),
  ) as Limits;
}

function defined(limits: SomeLimits): Partial<Record<LimitName, number>> {
  const entries = Object.entries(limits).filter(([, value]) => value !== undefined);
  return Object.fromEntries(entries);
}
