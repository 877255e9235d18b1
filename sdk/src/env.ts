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

/** When an entry goes, and over what it may be written. */
export interface KvPutOptions {
  /** The entry is gone after this many milliseconds, at most those of a hundred years. */
  readonly expiresInMs?: number;
  /** Write only over this version; 0 means only when there is no entry. */
  readonly ifVersion?: number;
}

/** A value with its version, which grows with every write. */
export interface KvEntry<T> {
  readonly value: T;
  readonly version: number;
}

/** Which keys `list` gives. */
export interface KvListOptions {
  /** Only keys that begin with this. */
  readonly prefix?: string;
  /** Most entries of one answer. */
  readonly limit?: number;
  /** `cursor` of the answer before. */
  readonly cursor?: string;
}

/** One page of keys, in order. */
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

/** What the org's administrators gave this plug-in to keep to itself. */
export interface Secrets {
  /** The secret of the calling org, or null when none of that name is set. Rejects with a `BindingError`. */
  get(name: string): Promise<string | null>;
}

/** Body and media types of a request to vCloud. */
export interface VcloudRequest {
  /** Text, or a value that is sent as JSON. */
  readonly body?: string | object;
  /** Media type of the body. @default application/xml for text, application/json for a value */
  readonly type?: string;
  /** @default 'xml' */
  readonly accept?: 'xml' | 'json';
}

/** Which records of a query, and in which order. */
export interface VcloudQuery {
  /** FIQL, such as `name==web*;status==POWERED_ON`. */
  readonly filter?: string;
  /** @default 1 */
  readonly page?: number;
  /** At most 128. @default 25 */
  readonly pageSize?: number;
  /** Attribute to sort by. */
  readonly sortAsc?: string;
}

/** One page of records. */
export interface VcloudRecords {
  /** Attributes of each record. */
  readonly records: readonly Readonly<Record<string, string | undefined>>[];
  /** Of the whole query; null when vCloud does not tell. */
  readonly total: number | null;
}

/** Types of vCloud's query service that are offered. */
export type VcloudQueryType =
  | 'vApp'
  | 'vm'
  | 'orgVdc'
  | 'vAppTemplate'
  | 'catalog'
  | 'catalogItem'
  | 'media'
  | 'disk'
  | 'task'
  | 'event';

/**
 * vCloud's API as the provider's service account, within the caller's org: every id in path, query and body must
 * belong to it. What the caller may do is yours to check, by rights of routes. Rejects with a `BindingError`.
 */
export interface Vcloud {
  /**
   * One request below `/api/org`, `vdc`, `vApp`, `vAppTemplate`, `catalog`, `catalogItem`, `media`, `network`,
   * `disk`, `task` or `tasksList`, or on a path of the manifest's `vcloudPaths` that the operator approved.
   * Answers of any status are given; redirects are refused.
   */
  request(
    method: 'GET' | 'POST' | 'PUT' | 'DELETE',
    path: string,
    options?: VcloudRequest,
  ): Promise<Response>;
  /** Records of the caller's org. */
  query(type: VcloudQueryType, options?: VcloudQuery): Promise<VcloudRecords>;
}

/** An event of the plug-in's own service. */
export interface EventOptions {
  /** Such as `org/example/backup/create`; never below `com/vmware/vcloud`. */
  readonly type: string;
  /** @default true */
  readonly success?: boolean;
  /** Text for people. */
  readonly typeFull?: string;
  /** Path or URN of what it is about, an object of the caller's org. @default the org */
  readonly owner?: string;
  readonly properties?: Readonly<Record<string, string>>;
}

/** Events in vCloud's audit trail, under the caller's org and user. Rejects with a `BindingError`. */
export interface Events {
  emit(event: EventOptions): Promise<void>;
}

/** Any binding of the manifest; its methods are described where it is documented. */
export interface Binding {
  call<T = unknown>(method: string, args?: readonly unknown[]): Promise<T>;
}

/** Bindings that the manifest does not name, or the operator did not grant, are not there at run time. */
export interface Env<C = unknown> {
  /** What the operator or the org configured for this plug-in; `C` is what the manifest's schema lets through. */
  readonly config: C;
  readonly kv: KvNamespace;
  readonly secrets: Secrets;
  readonly vcloud: Vcloud;
  readonly events: Events;
}
