/**
 * The port of what is installed: a record for each plug-in, and the bytes of its bundles.
 * May import: nothing.
 *
 * The records say what should be live; each host works until what it runs is what they say. They are changed
 * by compare-and-set, so that of two hosts (or two operators) that change the same plug-in one is told.
 */

export interface InstalledVersion {
  readonly version: string;
  /** What the bundle is, whoever signed it: `Bundle.digest`, hex. */
  readonly digest: string;
  /** The archive as a blob. */
  readonly archive: string;
  /** Source map of main.js as a blob; it never reaches a guest. */
  readonly sourceMap: string | null;
  /** Of archive and source map. Not there in records of before. */
  readonly bytes?: number;
  /** Taken without a signature, as only a host in development does. */
  readonly unsigned: boolean;
  /** Epoch ms. */
  readonly installedAt: number;
  readonly by: string;
}

export interface InstalledPlugin {
  readonly plugin: string;
  /** Of this record: 0 before it was saved, grows with every save. */
  readonly revision: number;
  /** Id of the owner in the trust store: a name, or the URN of an org. Never changes. */
  readonly owner: string;
  readonly ownerKind: 'provider' | 'org';
  readonly enabled: boolean;
  /** The operator disabled it: its owner can neither enable nor remove it. Not there in records of before. */
  readonly locked?: boolean;
  /** The version that orgs without a pin get; null while none was approved. */
  readonly current: string | null;
  /** Versions that were current before, the last one first: where a rollback goes. */
  readonly history: readonly string[];
  /** The version that waits for the operator's approval, since it asks for more than is allowed. */
  readonly waiting: string | null;
  /** What the operator allowed, in the words of `bundles/change/asks.ts`. */
  readonly allowed: readonly string[];
  /** Why the last roll-out was stopped and the version before put back, or null. */
  readonly halted: {
    readonly version: string;
    readonly host: string;
    readonly reason: string;
  } | null;
  readonly versions: readonly InstalledVersion[];
}

/** Survives the death of the process. Any number of processes may share one. */
export interface InstalledStore extends AsyncDisposable {
  /** In order of their names. */
  list(): Promise<readonly InstalledPlugin[]>;
  get(plugin: string): Promise<InstalledPlugin | null>;
  /** Replace the record if its revision still is `record.revision`. The new revision, or null when it is not. */
  save(record: InstalledPlugin): Promise<number | null>;
  /** True if the record had this revision and is gone now. Its blobs stay until they are dropped. */
  remove(plugin: string, revision: number): Promise<boolean>;

  /** Keep bytes under their SHA-256, which is returned in hex. */
  putBlob(bytes: Uint8Array): Promise<string>;
  /** Null when there is none. Throws STORE_BLOB_ALTERED when the bytes are not those that were put. */
  getBlob(hash: string): Promise<Uint8Array | null>;
  dropBlob(hash: string): Promise<void>;

  /** Called soon (within a second) after any process changed a record, this one too. Until disposed. */
  watch(changed: () => void): Disposable;
}
