/**
 * The port behind the `kv` binding: versioned values in a scope of one plug-in and one org.
 * May import: kernel.
 */

/** Nobody outside a scope can name what is in it. */
export interface KvScope {
  readonly plugin: string;
  /** URN of the org. */
  readonly org: string;
}

export interface KvEntry {
  /** JSON text. */
  readonly value: string;
  /** Grows with every change of the key; for compare-and-set. */
  readonly version: number;
  /** Epoch ms, or null for never. */
  readonly expiresAt: number | null;
}

export interface KvPut {
  readonly value: string;
  readonly expiresAt: number | null;
  /** Write only if the key has this version now; 0 means that it must not exist. */
  readonly ifVersion?: number;
}

export interface KvPage {
  readonly keys: readonly string[];
  /** Give it to the next call; null when there is no more. */
  readonly cursor: string | null;
}

/** Any number of calls may run at once; each is atomic. */
export interface KvStore extends AsyncDisposable {
  get(scope: KvScope, key: string): Promise<KvEntry | null>;
  /** The new version, or null when `ifVersion` did not match. */
  put(scope: KvScope, key: string, put: KvPut): Promise<number | null>;
  /** True if the key existed. */
  delete(scope: KvScope, key: string): Promise<boolean>;
  /** Keys in code point order that begin with `prefix`, after `cursor`. */
  list(
    scope: KvScope,
    options: { prefix: string; limit: number; cursor: string | null },
  ): Promise<KvPage>;
  /** Remove everything of the plug-in, of all orgs: whoever takes its name next must not inherit it. */
  forget(plugin: string): Promise<void>;
  /**
   * Keys and bytes (keys and values as UTF-8) that the scope holds now. What has ended is not counted, and is taken
   * away: it must not fill the store.
   */
  usage(scope: KvScope): Promise<{ keys: number; bytes: number }>;
}
