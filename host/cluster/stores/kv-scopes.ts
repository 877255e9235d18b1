/**
 * What is in the scopes that were asked about: keys, sizes and ends, read once and then kept up to date.
 * May import: cluster.
 */
import type { Bucket } from '../link/bucket.ts';
import type { BucketEntry, Watch, WatchListener } from '../link/watch.ts';

export interface Held {
  readonly key: string;
  readonly revision: number;
  /** Of key and value. */
  readonly bytes: number;
  /** By the clock of the server, epoch ms; null for never. */
  readonly endsAt: number | null;
}

/** Null for a key that was removed. */
export type Change = Held | { readonly revision: number; readonly removed: true };

export interface KvScopes extends Disposable {
  /** Keys of the scope in code point order, those included that have ended. */
  sorted(scope: string): Promise<readonly Held[]>;
  /** `ended`: keys that are there still, though their time is over. */
  usage(scope: string, now: number): Promise<ScopeUsage>;
  /** What this process wrote is seen at once. */
  wrote(scope: string, part: string, change: Change): void;
  /** Everything in scopes that begin so was removed. */
  dropped(beginning: string): void;
}

export interface ScopeUsage {
  readonly keys: number;
  readonly bytes: number;
  readonly ended: readonly Held[];
}

export interface KvScopesOptions {
  readonly bucket: Bucket;
  /** Reads a value of the bucket; null for what nobody of us wrote. */
  readonly held: (revision: number, value: Uint8Array) => Held | null;
  /** Scopes kept in memory; over it all are forgotten and read again. @default 2000 */
  readonly maxScopes?: number;
}

interface Scope {
  readonly parts: Map<string, Change>;
  loaded: Promise<void> | null;
  /** By key; null until it is asked for. */
  order: Held[] | null;
  total: Total | null;
}

interface Total extends ScopeUsage {
  /** It holds until the first of the keys ends. */
  readonly until: number;
}

/** Keys are `d.SCOPE.PART`, where a scope has two parts; `f.PLUGIN` says that all of a plug-in was removed. */
export async function openKvScopes(options: KvScopesOptions): Promise<KvScopes> {
  const scopes = new NatsKvScopes(options);
  await scopes.following;
  return scopes;
}

class NatsKvScopes implements KvScopes {
  readonly following: Promise<void>;
  readonly #options: KvScopesOptions;
  readonly #maxScopes: number;
  readonly #scopes = new Map<string, Scope>();
  readonly #watch: Watch;

  constructor(options: KvScopesOptions) {
    this.#options = options;
    this.#maxScopes = options.maxScopes ?? 2_000;
    const listener: WatchListener = {
      // Changes may have been missed.
      reload: () => this.#scopes.clear(),
      entry: (entry) => this.#changed(entry),
    };
    this.#watch = options.bucket.watch('>', listener, 'new');
    this.following = this.#watch.loaded;
  }

  async sorted(name: string): Promise<readonly Held[]> {
    return ordered(await this.#scope(name));
  }

  async usage(name: string, now: number): Promise<ScopeUsage> {
    return totalOf(await this.#scope(name), now);
  }

  wrote(name: string, part: string, change: Change): void {
    const scope = this.#scopes.get(name);
    if (scope) apply(scope, part, change);
  }

  dropped(beginning: string): void {
    for (const name of this.#scopes.keys())
      if (name.startsWith(beginning)) this.#scopes.delete(name);
  }

  [Symbol.dispose](): void {
    this.#watch[Symbol.dispose]();
  }

  #changed({ key, revision, value }: BucketEntry): void {
    const [kind, plugin = '', org = '', part = ''] = key.split('.');
    if (kind === 'f') {
      this.dropped(`${plugin}.`);
      return;
    }
    const change =
      value === null ? { revision, removed: true as const } : this.#options.held(revision, value);
    if (change) this.wrote(`${plugin}.${org}`, part, change);
  }

  async #scope(name: string): Promise<Scope> {
    for (;;) {
      if (!this.#scopes.has(name) && this.#scopes.size >= this.#maxScopes) this.#scopes.clear();
      const scope = this.#scopes.get(name) ?? newScope();
      this.#scopes.set(name, scope);
      scope.loaded ??= this.#load(name, scope);
      await scope.loaded.catch((error: unknown) => {
        if (this.#scopes.get(name) === scope) this.#scopes.delete(name);
        throw error;
      });
      // Otherwise it was forgotten while it was read: changes are missing from it.
      if (this.#scopes.get(name) === scope) return scope;
    }
  }

  async #load(name: string, scope: Scope): Promise<void> {
    for (const { key, revision, value } of await this.#options.bucket.entries(`d.${name}.*`)) {
      const part = key.slice(key.lastIndexOf('.') + 1);
      const found = value && this.#options.held(revision, value);
      if (found) apply(scope, part, found);
    }
  }
}

function newScope(): Scope {
  return { parts: new Map(), loaded: null, order: null, total: null };
}

function apply(scope: Scope, part: string, change: Change): void {
  const known = scope.parts.get(part);
  if ((known?.revision ?? 0) >= change.revision) {
    // The watch has seen the removal that we knew of: nothing older can come any more.
    if (known && 'removed' in known && known.revision === change.revision) scope.parts.delete(part);
    return;
  }
  scope.parts.set(part, change);
  const before = known && !('removed' in known) ? known : null;
  const after = 'removed' in change ? null : change;
  scope.total = moved(scope.total, before, after);
  if (scope.order) reorder(scope.order, before, after);
}

/** The total after one change, without looking at all keys; null where their ends must be looked at. */
function moved(total: Total | null, before: Held | null, after: Held | null): Total | null {
  if (!total || (before ?? after)?.endsAt !== null || (after && after.endsAt !== null)) return null;
  const keys = total.keys + Number(after !== null) - Number(before !== null);
  return { ...total, keys, bytes: total.bytes + (after?.bytes ?? 0) - (before?.bytes ?? 0) };
}

/** Sorting ten thousand keys anew for every list after a put would hold the host up for a tenth of a second. */
function reorder(order: Held[], before: Held | null, after: Held | null): void {
  const key = (after ?? before)?.key;
  if (key === undefined) return;
  const at = placeOf(order, key);
  const isThere = order[at]?.key === key ? 1 : 0;
  order.splice(at, isThere, ...(after ? [after] : []));
}

/** Index of the first key that is not before this one. */
function placeOf(order: readonly Held[], key: string): number {
  let [low, high] = [0, order.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (compareCodePoints(order[middle]?.key ?? '', key) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** As the bytes of UTF-8 are ordered. Units of surrogate pairs stand for code points above all others. */
export function compareCodePoints(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let at = 0; at < length; at += 1) {
    const [one, other] = [a.charCodeAt(at), b.charCodeAt(at)];
    if (one !== other) return rankOf(one) - rankOf(other);
  }
  return a.length - b.length;
}

function rankOf(unit: number): number {
  if (unit < 0xd800) return unit;
  return unit < 0xe000 ? unit + 0x2000 : unit - 0x800;
}

function here(scope: Scope): Held[] {
  return [...scope.parts.values()].flatMap((change) => ('removed' in change ? [] : [change]));
}

function ordered(scope: Scope): readonly Held[] {
  scope.order ??= here(scope).toSorted((a, b) => compareCodePoints(a.key, b.key));
  return scope.order;
}

function totalOf(scope: Scope, now: number): Total {
  if (scope.total && now < scope.total.until) return scope.total;
  let [keys, bytes, until] = [0, 0, Infinity];
  const ended: Held[] = [];
  for (const held of here(scope)) {
    const { bytes: size, endsAt } = held;
    if (endsAt !== null && endsAt <= now) {
      ended.push(held);
      continue;
    }
    keys += 1;
    bytes += size;
    until = Math.min(until, endsAt ?? Infinity);
  }
  scope.total = { keys, bytes, until, ended };
  return scope.total;
}
