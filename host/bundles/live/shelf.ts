/**
 * What is live of one plug-in: a current version, and those that orgs stay with.
 * May import: kernel.
 */
import { messageOf } from '../../kernel/errors.ts';
import type { LivePlugin } from './plugin.ts';

/** All that is live of one plug-in. */
export interface Shelf {
  readonly name: string;
  /** For orgs without a pin; null when only pinned versions are live. */
  readonly current: LivePlugin | null;
  /** By version, those that orgs stay with. */
  readonly pinned: ReadonlyMap<string, LivePlugin>;
}

/** The current one first. */
export function versionsOf({ current, pinned }: Shelf): LivePlugin[] {
  return [...(current ? [current] : []), ...pinned.values()];
}

export function sameShelf(one: Shelf | null, other: Shelf | null): boolean {
  if (!one || !other) return one === other;
  return (
    one.current === other.current &&
    one.pinned.size === other.pinned.size &&
    [...one.pinned].every(([version, plugin]) => other.pinned.get(version) === plugin)
  );
}

export interface Loaded {
  readonly version: string;
  /** Why it can't go live, or what is to go live. */
  readonly result: LivePlugin | Error;
}

/**
 * The shelf of what was loaded, null for nothing, and what could not. In place of what can't go live, what was live
 * goes on.
 */
export function assemble(
  name: string,
  before: Shelf | null,
  { current: wanted, pinned: pins }: { current: Loaded; pinned: readonly Loaded[] },
): { readonly shelf: Shelf | null; readonly problems: readonly string[] } {
  const running = before ? versionsOf(before) : [];
  const current = wanted.result instanceof Error ? (before?.current ?? null) : wanted.result;
  const pinned = new Map<string, LivePlugin>();
  for (const { version, result } of pins) {
    const known = running.find(({ manifest }) => manifest.version === version);
    const plugin = result instanceof Error ? known : result;
    if (plugin && version !== current?.manifest.version) pinned.set(version, plugin);
  }
  const problems = [wanted, ...pins].flatMap((one) =>
    one.result instanceof Error ? [`${one.version}: ${messageOf(one.result)}`] : [],
  );
  const shelf = current || pinned.size > 0 ? { name, current, pinned } : null;
  return { shelf, problems };
}
