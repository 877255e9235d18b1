/**
 * What a handler may use: configuration and the bindings that its manifest names.
 * May import: nothing.
 */

/** What JSON can carry. */
export type Json =
  | string
  | number
  | boolean
  | null
  | readonly Json[]
  | { readonly [key: string]: Json | undefined };

export interface KvPutOptions {
  /** The entry is gone after this many milliseconds. */
  readonly expiresInMs?: number;
  /** Write only over this version; 0 means only when there is no entry. */
  readonly ifVersion?: number;
}

export interface KvEntry<T> {
  readonly value: T;
  readonly version: number;
}

export interface KvListOptions {
  /** Only keys that begin with this. */
  readonly prefix?: string;
  /** Most entries of one answer. */
  readonly limit?: number;
  /** `cursor` of the answer before. */
  readonly cursor?: string;
}

export interface KvList {
  readonly keys: readonly string[];
  /** There are more when it is not null: pass it to the next `list`. */
  readonly cursor: string | null;
}

/**
 * Values by key, kept for this plug-in and the caller's org. Values are JSON.
 * Every method rejects with a `BindingError`.
 */
export interface KvNamespace {
  /** The value, or null when there is none. */
  get<T = unknown>(key: string): Promise<T | null>;
  /** The value and the version that `ifVersion` of a later `put` names, or null. */
  getWithVersion<T = unknown>(key: string): Promise<KvEntry<T> | null>;
  /** The new version, or null when `ifVersion` does not match and nothing was written. */
  put(key: string, value: Json | object, options?: KvPutOptions): Promise<number | null>;
  /** Whether there was an entry. */
  delete(key: string): Promise<boolean>;
  list(options?: KvListOptions): Promise<KvList>;
}

/** Any binding of the manifest; its methods are described where it is documented. */
export interface Binding {
  call<T = unknown>(method: string, args?: readonly unknown[]): Promise<T>;
}

/** Bindings that the manifest does not name, or the operator did not grant, are not there at run time. */
export interface Env {
  /** What the operator or the org configured for this plug-in. */
  readonly config: unknown;
  readonly kv: KvNamespace;
}
